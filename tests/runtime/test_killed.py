"""However a process ends, nothing stays attached that was not pinned: Ctrl-C, exceptions, SIGTERM, kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from pybpf.runtime.links.opened import ids, open_program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

# Attaches by perf event, raw tracepoint, BTF and XDP; says so; then ends as told.
SOURCE = """
import os, sys, time
from pybpf import *

hits = HashMap[u32, u64](max_entries=8)
samples = PerfEventArray[u64](pages=2)
me = const(u32, 0)

@tracepoint("syscalls:sys_enter_getppid")
def killed_tp(ctx: TracepointContext) -> None:
    if pid() == me:
        samples.emit(ktime())

@raw_tp("sys_enter")
def killed_raw(regs: int, number: int) -> None:
    if pid() == me:
        hits[1] += 1

@tp_btf("sys_exit")
def killed_btf(regs: int, result: int) -> None:
    if pid() == me:
        hits[2] += 1

@xdp
def killed_xdp(pkt: XdpContext) -> XDP:
    return XDP.PASS

how, netns = sys.argv[1:]
with load(killed_tp, killed_raw, killed_btf, killed_xdp, me=os.getpid()) as obj:
    obj.attach(killed_xdp={"target": "right", "netns": netns})
    print("attached", flush=True)
    if how == "exception":
        raise RuntimeError("on purpose")
    if how == "exit":
        sys.exit(3)
    if how == "polling":
        obj[samples].poll(60)
    else:
        for event in obj[samples]:
            pass
"""


def left() -> list[str]:
    """Programs of the source above that are in the kernel."""
    found = []
    for number in ids("program"):
        try:
            with open_program(number) as program:
                if program.name.startswith("killed_"):
                    found.append(program.name)
        except KeyError:  # it has gone meanwhile
            continue
    return found


def gone(network: Any) -> bool:
    """The kernel frees programs behind the back of the process that held them: within moments."""
    for _ in range(100):
        if not left() and "prog/xdp" not in network.ip("link", "show", "right"):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("how", "number", "code"),
    [
        ("loop", signal.SIGKILL, -signal.SIGKILL),
        ("loop", signal.SIGTERM, -signal.SIGTERM),
        ("loop", signal.SIGINT, -signal.SIGINT),
        ("polling", signal.SIGINT, -signal.SIGINT),
        ("exception", None, 1),
        ("exit", None, 3),
    ],
)
def test_nothing_stays(how: str, number: int | None, code: int, network: Any, tmp_path: Path) -> None:
    file = tmp_path / "killed.py"
    file.write_text(SOURCE)
    command = [sys.executable, str(file), how, network.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            assert process.stdout.readline() == "attached\n", process.stderr.read()
            if number is not None:
                assert sorted(set(left())) == ["killed_btf", "killed_raw", "killed_tp", "killed_xdp"]
                assert "prog/xdp" in network.ip("link", "show", "right")
                os.kill(process.pid, number)
            assert process.wait(20) == code
        finally:
            process.kill()
    assert gone(network), left()
