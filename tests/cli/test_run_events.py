"""`pybpf run` prints events of every kind of buffer, and says how many were lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel

SOURCE = """
from pybpf import *

class Sample(Struct):
    number: u64
    name: Text[L[16]]

samples = PerfEventArray[Sample](pages=8)
tiny = RingBuffer[u64](4096, count_lost=True)
me = const(u32, 0)
total = var(u64, 0)

@tracepoint("syscalls:sys_enter_getppid")
def numbered(ctx: TracepointContext) -> None:
    global total
    if pid() == me:
        total += 1
        samples.emit(Sample(number=total, name="x"))
        tiny.emit(total)
"""


def test_events_of_all_buffers(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    (tmp_path / "numbered.py").write_text(SOURCE)
    command = [sys.executable, "-m", "pybpf.cli", "run", "numbered.py", "--set", f"me={os.getpid()}", "--seconds", "2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "numbered: running\n"
        process.send_signal(19)  # SIGSTOP: nobody reads meanwhile
        for _ in range(400):  # 255 fit: one byte always stays free
            os.getppid()
        process.send_signal(18)  # SIGCONT
        out, err = process.communicate(timeout=30)
    lines = out.splitlines()
    assert [line for line in lines if line.startswith("samples:")] == [
        f"samples: number={number} name='x'" for number in range(1, 401)
    ]
    assert [line for line in lines if line.startswith("tiny:")] == [f"tiny: {number}" for number in range(1, 256)]
    assert "warning: 145 events of tiny were lost" in err and "events of samples were lost" not in err
