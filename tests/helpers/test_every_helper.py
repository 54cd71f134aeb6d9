"""Every helper, called in every type of program that may: compiled, and taken by the verifier of the running kernel.

tests/helpers/programs.py writes the programs. A call of a helper that a program can't be given an argument for (a
socket, where there is none) is not written; what is no call in the language (loops, locks, timers) is written as that.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import CompileError, Target, build, load
from pybpf.runtime.errors import LoadError, NotPermitted
from pybpf.stdlib.helpers import names, spec_of
from tests.helpers.programs import CONSTRUCTS, PLACES, kinds_of, module, source
from tests.proofs import prove

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NEWEST = Target(kernel=(6, 18))
OLDER = {"bpf_loop": Target(kernel=(6, 8))}  # newer kernels have other ways
# What kernels are not built with, or lock down, by what they say.
NOT_HERE = {
    "bpf_override_return": "can't call that helper",  # CONFIG_BPF_KPROBE_OVERRIDE
    "bpf_probe_write_user": "can't call that helper",  # where the kernel is locked down
    "bpf_per_cpu_ptr": "bpf_prog_active",  # likewise
    "bpf_this_cpu_ptr": "bpf_prog_active",  # a kernel whose BTF has no variables
}
# Types of programs that tracing may not use locks and timers in: check_map_prog_compatibility() in verifier.c.
TRACING = ("KPROBE", "TRACEPOINT", "PERF_EVENT", "RAW_TRACEPOINT", "RAW_TRACEPOINT_WRITABLE")


def here() -> tuple[int, ...]:
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


def since(name: str, key: str) -> tuple[int, ...]:
    """The first release in which a helper may be called by a program of a type."""
    spec = spec_of(name)
    assert spec is not None
    kind = key.partition("/")[0]
    own = spec.programs.get(key, spec.programs.get(kind, ""))
    more = []
    if name == "bpf_kptr_xchg":  # pointers in maps mean what they mean here since 6.4
        more = ["6.12" if kind in ("TRACEPOINT", "PERF_EVENT") else "6.4"]
    return max(tuple(int(part) for part in text.split(".")) for text in (spec.since, own, *more) if text)


def programs(key: str, tmp_path: Path, only: Iterable[str] = ()) -> dict[str, Any]:
    text, found = module(key, only)
    name = f"helpers_in_{key.replace('/', '_').lower()}"
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return {name: getattr(made, name) for name in found}


def refused_by_the_language(name: str, key: str) -> bool:
    """What the language itself says no to, as the kernel does."""
    kind = key.partition("/")[0]
    if name in CONSTRUCTS and ("lock" in name or "timer" in name):
        return kind in TRACING or (kind == "SOCKET_FILTER" and "lock" in name) or (kind == "SYSCALL" and "lock" in name)
    return kind == "SYSCALL" and name in ASLEEP


# Helpers of maps that programs which sleep can't use.
ASLEEP = (
    "bpf_tail_call", "bpf_perf_event_read", "bpf_perf_event_output", "bpf_get_stackid", "bpf_current_task_under_cgroup",
    "bpf_perf_event_read_value",
)  # fmt: skip


def compiled(key: str, tmp_path: Path, only: Iterable[str] = ()) -> Iterator[tuple[str, Any, Any]]:
    """Names of helpers, programs and their objects. Fails where there is none for one that there should be."""
    wrong = []
    for name, program in programs(key, tmp_path, only).items():
        try:
            made = build(program, target=OLDER.get(name, NEWEST))
        except CompileError as error:
            if not refused_by_the_language(name, key):
                wrong.append(f"{name}: {error}")
            continue
        assert f"call {name}#" in made.disassemble(), name
        prove("helper", name, f"compiled {key.partition('/')[0]}")
        yield name, program, made
    assert not wrong, "\n".join(wrong)


def test_none_is_left_out() -> None:
    """Each helper is called somewhere, or is one of those that say what to write instead."""
    called = {name for key in PLACES for name in module(key)[1]}
    assert set(names()) - called == {
        "bpf_rc_keydown",
        "bpf_rc_pointer_rel",
        "bpf_rc_repeat",
        "bpf_tcp_send_ack",
    }


def accepted(key: str, made: Iterable[tuple[str, Any, Any]]) -> None:
    """The verifier takes those that this kernel has: all in one object, which is quick; or else one by one."""
    chosen = [(name, program, object) for name, program, object in made if since(name, key) <= here()]
    most = [(name, program) for name, program, _ in chosen if name not in NOT_HERE and name not in OLDER]
    taken: set[str] = set()
    try:
        if most:
            with load(build(*[program for _, program in most], target=NEWEST)):
                taken.update(name for name, _ in most)
    except (LoadError, NotPermitted):
        pass
    wrong = []
    for name, _, object in chosen:
        if name in taken:
            continue
        try:
            with load(object):
                taken.add(name)
        except NotPermitted:
            continue  # a type, or a place to attach to, that is locked down
        except LoadError as error:
            said = NOT_HERE.get(name)
            if said is None or said not in f"{error} {getattr(error, 'log', '')}":
                wrong.append(f"{name}: {error}")
    assert not wrong, "\n".join(wrong)
    for name in sorted(taken):
        prove("helper", name, f"accepted {key.partition('/')[0]}")
    if not taken:
        pytest.skip(f"this kernel loads no programs of type {key}")


LOCKED = ("TRACING", "LSM")  # what the machine that this was written on does not load, or not all
KEYS = [pytest.param(key, marks=[pytest.mark.guest] if key.startswith(LOCKED) else []) for key in PLACES]


@pytest.mark.kernel
@pytest.mark.parametrize("key", KEYS)
def test_accepted(key: str, tmp_path: Path) -> None:
    inside = "VM_SHARED" in os.environ  # where compiling takes long: only what can be loaded
    accepted(key, compiled(key, tmp_path, [name for name in names() if not inside or since(name, key) <= here()]))


def somewhere(release: tuple[int, ...]) -> dict[str, list[str]]:
    """Each helper that a release has, by one type of program: the first that may call it."""
    chosen: dict[str, list[str]] = {}
    for name in names():
        keys = [key for key in kinds_of(name) if since(name, key) <= release and not key.startswith(LOCKED)]
        found = next((key for key in keys if source(name, key) is not None), None)
        if found is not None:
            chosen.setdefault(found, []).append(name)
    return chosen


def test_compiled_somewhere(tmp_path: Path) -> None:
    for key, helpers in somewhere((6, 18)).items():
        assert len(list(compiled(key, tmp_path, helpers))) == len(helpers)


@pytest.mark.kernel
@pytest.mark.guest
def test_accepted_somewhere(tmp_path: Path) -> None:
    for key, helpers in somewhere(here()).items():
        accepted(key, compiled(key, tmp_path, helpers))
