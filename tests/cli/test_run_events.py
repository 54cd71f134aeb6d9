"""`pybpf run` prints events of every kind of buffer, how many were lost, and at the end the summaries."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

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


SUMMARIES = """
from pybpf import *

sizes = Histogram()
same = sizes
unused = Histogram()
calls = Counter[u32](max_entries=4)
seen = HashMap[u32, u64](max_entries=4)
me = const(u32, 0)

@tracepoint("syscalls:sys_enter_getppid")
def numbered(ctx: TracepointContext) -> None:
    if pid() == me:
        sizes.record(5)
        calls[7] += 1
        seen[7] = 3
"""


@contextlib.contextmanager
def started(folder: Path, file: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`pybpf run` of a file whose program `numbered` looks at this process, for two seconds; it is attached."""
    command = [sys.executable, "-m", "pybpf.cli", "run", file, "--set", f"me={os.getpid()}", "--seconds", "2", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "numbered: running\n"
        yield process


def test_events_of_all_buffers(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    (tmp_path / "numbered.py").write_text(SOURCE)
    with started(tmp_path, "numbered.py") as process:
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


def test_summaries_at_the_end(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    (tmp_path / "summaries.py").write_text(SUMMARIES)
    with started(tmp_path, "summaries.py", "--maps") as process:
        for _ in range(3):
            os.getppid()
        out, err = process.communicate(timeout=30)
    assert err == ""
    sizes, others = out.split("\n\n")
    heading, *rows = sizes.splitlines()
    assert heading.strip() == "@sizes:"
    assert [row.split("|")[0].split() for row in rows][-1] == ["[4,", "8)", "3"]
    assert others.splitlines() == ["@calls[7]: 3", "seen: 1 element", "  7: 3"]


ITERATORS = """
from pybpf import *

class Thread(Struct):
    pid: u32

me = const(u32, 0)

@bpf_iter("task")
def names(ctx: TaskIter) -> None:
    task = ctx.task
    if task is not None and task.pid == me:
        ctx.seq_printf(f"one: {task.pid}\\n")

@bpf_iter("task")
def threads(ctx: TaskIter) -> None:
    task = ctx.task
    if task is not None and task.pid == me:
        ctx.seq_write(Thread(pid=task.pid))
"""


def run(folder: Path, file: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "pybpf.cli", "run", file, *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_iterators_are_read_at_once(tmp_path: Path) -> None:
    """Nothing else calls them: where there are no other programs, that was all."""
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    (tmp_path / "iterators.py").write_text(ITERATORS)
    done = run(tmp_path, "iterators.py", "--set", f"me={os.getpid()}")
    assert (done.returncode, done.stdout) == (0, f"one: {os.getpid()}\n")
    assert done.stderr == "threads: wrote Structs, which obj[threads].records(...) reads\n"


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("@perf_event\ndef f(ctx: PerfEventContext) -> None: ...", "help: say where it goes: --attach f=cpu-clock\n"),
        ("@cgroup.dev\ndef f(ctx: DeviceContext) -> bool:\n    return True", "--attach f=/sys/fs/cgroup/...\n"),
        ("@xdp\ndef f(pkt: XdpContext) -> XDP:\n    return XDP.PASS", "--attach f=eth0\n"),
    ],
)
def test_a_target_that_is_not_told(hook: str, said: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    (tmp_path / "aimless.py").write_text(f"from pybpf import *\n\n{hook}\n")
    done = run(tmp_path, "aimless.py")
    assert done.returncode == 1 and done.stderr.endswith(said)
