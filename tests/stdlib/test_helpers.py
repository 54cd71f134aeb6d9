"""The helper table, judged by the kernel: its BTF has the ids, its verifier says who may call what, and with what."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pybpf import helpers
from pybpf.compiler.schema.types import I64, NONE, U64, PtrType, Space, size_of
from pybpf.stdlib import simulation
from pybpf.stdlib.helpers import names, spec_of

sys.path.insert(0, str(Path(__file__).parent))
import verifier

NAMES = names()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="loading programs needs root")


def spec(name: str) -> Any:
    found = spec_of(name)
    assert found is not None
    return found


def running() -> tuple[int, ...]:
    return tuple(int(part) for part in platform.release().split(".")[:2])


def test_ids_are_the_kernels() -> None:
    if not shutil.which("bpftool"):
        pytest.skip("bpftool is not installed (apt install bpftool)")
    dump = subprocess.run(
        ["bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux"], capture_output=True, text=True, check=True
    ).stdout
    enum = dump.partition("ENUM 'bpf_func_id'")[2].partition("\n[")[0]
    kernel = {f"bpf_{name}": int(value) for name, value in re.findall(r"'BPF_FUNC_(\w+)' val=(\d+)", enum)}
    assert {name: spec(name).id for name in NAMES} == {
        name: value for name, value in kernel.items() if name != "bpf_unspec"
    }
    assert len(NAMES) >= 211


def test_every_row_is_whole() -> None:
    seen = (0, 0)
    for name in NAMES:
        row = spec(name)
        assert row.name == name
        assert row.doc and "\n" not in row.doc
        assert re.search(rf"\b{name}\(.*\)$", row.signature), name
        assert len(row.args) <= 5
        release = tuple(int(part) for part in row.since.split("."))
        assert release >= seen, f"{name} is numbered after a helper of a newer kernel"
        seen = release
        for index, arg in enumerate(row.args):
            assert arg.kind in {
                "scalar", "address", "ctx", "map", "key", "value", "mem", "out", "slot", "size", "ptr", "func", "fmt",
            }  # fmt: skip
            if arg.kind == "size":
                assert row.args[index - 1].kind in ("mem", "out", "fmt"), name
            if arg.kind in ("key", "value", "slot"):
                assert any(other.kind == "map" for other in row.args[:index]), name
            if arg.kind == "out" and (index + 1 == len(row.args) or row.args[index + 1].kind != "size"):
                assert isinstance(arg.type, PtrType) and arg.type.pointee is not None, name
        # The C prototype has as many parameters, except where it is open-ended.
        params = row.signature.partition("(")[2].rstrip(")")
        if "..." not in params:
            assert len(row.args) == (0 if params == "void" else params.count(",") + 1), name


def test_rows_by_example() -> None:
    row = spec("bpf_probe_read_user_str")
    assert (row.id, row.gpl, row.sleepable, row.since, row.result) == (114, True, False, "5.5", I64)
    assert [(arg.name, arg.kind, arg.zero) for arg in row.args] == [
        ("dst", "out", False), ("size", "size", True), ("unsafe_ptr", "address", False),
    ]  # fmt: skip
    assert "TRACEPOINT" in row.programs
    lookup = spec("bpf_map_lookup_elem")
    assert (lookup.nullable, lookup.result, lookup.programs) == (True, PtrType(None, Space.MAP), {})
    assert spec("bpf_ringbuf_reserve").result == PtrType(None, Space.RINGBUF)
    assert spec("bpf_ringbuf_submit").result == NONE
    assert spec("bpf_get_current_pid_tgid").result == U64
    assert str(spec("bpf_get_current_task_btf").result) == "task_struct"
    assert "XDP" not in spec("bpf_skb_load_bytes").programs
    assert size_of(spec("bpf_strtol").args[3].type.pointee) == 8
    assert spec("bpf_sk_storage_get").args[2].zero


def test_names() -> None:
    assert helpers.bpf_ktime_get_ns is helpers.bpf_ktime_get_ns
    assert helpers.bpf_ktime_get_ns.__bpf__ is spec("bpf_ktime_get_ns")  # type: ignore[attr-defined]
    assert repr(helpers.bpf_ktime_get_ns) == "<BPF helper bpf_ktime_get_ns>"
    assert "nanoseconds" in (helpers.bpf_ktime_get_ns.__doc__ or "")
    assert "bpf_loop" in dir(helpers)
    assert spec_of("bpf_nothing") is None
    for name in ("bpf_nothing", "spec_of_nothing", "bpf_"):
        with pytest.raises(AttributeError):
            getattr(helpers, name)


def test_stub_has_every_helper() -> None:
    stub = (Path(__file__).parents[2] / "stdlib" / "helpers.pyi").read_text()
    assert re.findall(r"^def (bpf_\w+)\(", stub, re.M) == NAMES


def test_calling_one_needs_a_program() -> None:
    with pytest.raises(RuntimeError, match=r"bpf_ktime_get_ns\(\) works inside a BPF program only"):
        helpers.bpf_ktime_get_ns()

    class Runtime:
        def helper(self, spec: Any, args: tuple[Any, ...]) -> Any:
            return (spec.name, args)

    runtime: Any = Runtime()
    before = simulation.enter(runtime)
    try:
        called: Any = helpers.bpf_send_signal(9)
        assert called == ("bpf_send_signal", (9,))
    finally:
        simulation.enter(before)


# What the table allows and this kernel refuses for reasons of its own.
ELSEWHERE = {
    "bpf_probe_write_user",  # a kernel that is locked down
    "bpf_override_return",  # CONFIG_BPF_KPROBE_OVERRIDE
    "bpf_get_retval", "bpf_set_retval",  # depend on the attach type, which a program loaded for the test has not
}  # fmt: skip


def refused(log: str) -> bool:
    return "unknown func" in log or "cannot use helper" in log


@pytest.mark.kernel
@needs_root
@pytest.mark.parametrize("kind", verifier.PROGRAM_TYPES)
def test_programs_may_call_what_the_table_says(kind: str) -> None:
    wrong = []
    for name in NAMES:
        row = spec(name)
        release = tuple(int(part) for part in row.since.split("."))
        if name in ELSEWHERE or release > running() or (row.programs and kind not in row.programs):
            continue
        if refused(verifier.load(verifier.call(row.id, len(row.args)), kind)):
            wrong.append(name)
    assert wrong == []


# How the verifier says what it wants for a first argument ("R1 type=scalar expected=...").
EXPECTED = {
    "ctx": r"ctx", "map": r"map_ptr", "mem": r"fp, pkt", "out": r"fp, pkt", "fmt": r"fp, pkt",
    "ptr": r"map_value|ptr_|sock|ringbuf_mem|dynptr|percpu",
}  # fmt: skip


@pytest.mark.kernel
@needs_root
def test_flags_and_arguments_are_the_verifiers() -> None:
    """GPL only, sleeping, the number of arguments and the kind of the first one, as the verifier's refusals tell."""
    asked = 0
    for name in NAMES:
        row = spec(name)
        for kind in verifier.PROGRAM_TYPES:
            flags = verifier.SLEEPABLE if kind == "SYSCALL" else 0
            log = verifier.load(verifier.call(row.id, len(row.args)), kind, flags=flags)
            if not refused(log) and (not row.programs or kind in row.programs):
                break
        else:
            continue  # no program type that can be loaded without a target to attach to
        asked += 1
        assert ("might sleep" in log) == (row.sleepable and not flags), name
        license = verifier.load(verifier.call(row.id, len(row.args)), kind, b"Proprietary", flags)
        if name not in ELSEWHERE:
            assert ("GPL-restricted" in license) == row.gpl, name
        wanted = re.search(r"R1 type=scalar expected=(.*)", log)
        if wanted:
            assert re.search(EXPECTED[row.args[0].kind], wanted[1]), (name, wanted[1])
        elif row.args and "might sleep" not in log and name != "bpf_get_cgroup_classid":  # of a task, it takes none
            assert row.args[0].kind in ("scalar", "address") or row.args[0].zero, name
        # Of a single argument nothing is to be seen: R1 is the context at the start, and may be passed on.
        if len(row.args) > 1 and name != "bpf_trace_printk" and not wanted and "might sleep" not in log:
            fewer = verifier.load(verifier.call(row.id, len(row.args) - 1), kind, flags=flags)
            assert re.search(rf"R{len(row.args)} !read_ok|R\d type=", fewer), (name, fewer)
    assert asked > 180
