"""`pybpf list`: what there is to attach to, with fields and arguments; what is in the kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybpf import HashMap, TracepointContext, load, pid, tracepoint, u32, u64
from pybpf.attachable import FAMILIES, Row, families, rows
from pybpf.cli import main

seen = HashMap[u32, u64](max_entries=7, name="listed_map")


@tracepoint("syscalls:sys_enter_getppid")
def listed_program(ctx: TracepointContext) -> None:
    seen[pid()] += 1


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["list", *words]) == 0
    return capsys.readouterr().out.splitlines()


def btf() -> None:
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("this kernel has no BTF")


def test_tracepoints_with_fields(capsys: pytest.CaptureFixture[str]) -> None:
    names = listed(capsys, "tracepoint:sched:sched_sw*")
    assert "tracepoint:sched:sched_switch" in names and all(
        name.startswith("tracepoint:sched:sched_sw") for name in names
    )
    shown = listed(capsys, "t:sched:sched_switch", "-v")
    assert shown[0] == "tracepoint:sched:sched_switch"
    assert {"    prev_comm: Text[16]", "    next_pid: i32", "    prev_state: i64"} <= set(shown)
    assert listed(capsys, "tracepoint:sched/sched_switch") == ["tracepoint:sched:sched_switch"]


def test_without_tracefs_the_tables_of_ours_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from pybpf.attachable import events

    monkeypatch.setattr(events, "live_tracepoints", lambda: None)
    (row,) = rows("tracepoint:sched:sched_switch", True)
    assert "next_pid: i32" in row.details and row.decorator == '@tracepoint("sched:sched_switch")'
    assert "openat" in [row.name for row in rows("ksyscall:open*")]


def test_arguments_from_btf(capsys: pytest.CaptureFixture[str]) -> None:
    btf()
    assert listed(capsys, "tp_btf:sched_switch", "-v") == [
        "tp_btf:sched_switch", "    preempt: bool", "    prev: task_struct", "    next: task_struct",
        "    prev_state: u32",
    ]  # fmt: skip
    assert "raw_tp:sched_wakeup" in listed(capsys, "rt:sched_wake*")
    assert listed(capsys, "fentry:tcp_connect", "-v") == ["fentry:tcp_connect", "    sk: sock", "    -> i32"]
    assert "lsm:file_open" in listed(capsys, "lsm:file_*")
    assert listed(capsys, "iter:task_file", "-v")[1:] == ["    task: task_struct", "    fd: u32", "    file: file"]
    assert listed(capsys, "iter:task") == ["iter:task"]
    operations = listed(capsys, "struct_ops:tcp_congestion_ops", "-v")
    assert any(line.startswith("    ssthresh(") for line in operations)
    assert len(listed(capsys, "fentry:*")) > 1000


def test_probes_of_the_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    names = listed(capsys, "kprobe:tcp_conn*")
    assert "kprobe:tcp_connect" in names
    assert "software:cpu-clock" in listed(capsys, "s:*")
    assert listed(capsys, "section:xdp*")[0] == "section:xdp"
    assert "section:xdp.frags" in listed(capsys, "section")


def test_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert any(name.endswith("/libc.so.6:malloc") for name in listed(capsys, "uprobe:libc:mall*"))
    assert main(["list", "uprobe:/nonesuch:*"]) == 1
    assert "no file '/nonesuch'" in capsys.readouterr().err
    assert main(["list", f"uprobe:{__file__}:*"]) == 1
    assert "is not an ELF file" in capsys.readouterr().err
    assert main(["list", "usdt:*"]) == 1
    assert "which file?" in capsys.readouterr().err
    probes = listed(capsys, f"usdt:{probed(tmp_path)}:*", "-v")
    assert probes == [f"usdt:{tmp_path}/probed:demo:hit", "    arg0: 8@$7"]


def probed(directory: Path) -> str:
    """A program with a USDT probe, as sys/sdt.h makes it."""
    import shutil

    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    note = r"""
    .pushsection .note.stapsdt,"","note"
    .balign 4
    .4byte 992f-991f, 994f-993f, 3
    991: .asciz "stapsdt"
    992: .balign 4
    993: .8byte 990b
    .8byte 0
    .8byte 0
    .asciz "demo"
    .asciz "hit"
    .asciz "8@$7"
    994: .balign 4
    .popsection
    """
    source = directory / "probed.s"
    source.write_text(".globl main\nmain:\n990: nop\n xor %eax, %eax\n ret\n" + note)
    subprocess.run(["gcc", "-o", str(directory / "probed"), str(source)], check=True, capture_output=True)
    return str(directory / "probed")


def test_what_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "tracepiont:*"]) == 1
    assert "help: did you mean tracepoint?" in capsys.readouterr().err
    assert main(["list", "tracepoint:sched:nonesuch"]) == 1
    assert "nothing matches tracepoint:sched:nonesuch" in capsys.readouterr().err


def test_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    lines = listed(capsys)
    assert [line.split()[0] for line in lines] == [*[family.name for family in FAMILIES], "programs", "maps", "links"]
    assert [family.name for family in families("*:x")[0]] == [f.name for f in FAMILIES if not f.file]
    assert families("raw*:x")[0] == [family for family in FAMILIES if family.name == "raw_tp"]
    (found,) = json.loads("\n".join(listed(capsys, "software:cpu-clock", "--format", "json")))
    assert found == {"family": "software", "name": "cpu-clock", "details": [], "decorator": "@perf_event"}
    assert Row("a", "b").text == "a:b"


@pytest.mark.kernel
def test_what_is_in_the_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    with load(listed_program) as obj, obj.attach():
        number = obj.programs["listed_program"].info().id
        programs = json.loads("\n".join(listed(capsys, "programs", "--format", "json")))
        (mine,) = [row for row in programs if row["id"] == number]
        assert (mine["type"], mine["name"]) == ("tracepoint", "listed_program")
        assert any(line.split()[1:3] == ["hash", "listed_map"] for line in listed(capsys, "maps"))
        (link,) = [line for line in listed(capsys, "links") if line.split()[2] == str(number)]
        assert link.split()[1] == "perf_event"


def test_in_no_time() -> None:
    """The whole process, beside one that does nothing: processor time, the least of several."""

    def least(*command: str) -> float:
        best = 9.0
        for _ in range(7):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0
            best = min(best, used.ru_utime + used.ru_stime)
        return best

    program = str(Path(sys.executable).with_name("pybpf"))
    if not os.path.exists(program):
        pytest.skip("needs Python 3.11 of .venv, which has the command")
    nothing = least(sys.executable, "-c", "pass")
    assert least(program, "list", "tracepoint:sched:*", "-v") - nothing < 0.1
