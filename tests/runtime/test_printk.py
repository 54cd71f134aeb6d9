"""Lines that programs print, through a trace instance of our own."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from pybpf.loading import trace_pipe
from pybpf.runtime import ObjectClosed, open_elf
from pybpf.runtime.printk import Printk, PrintkLine, parse_line
from pybpf.runtime.tracefs import tracefs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.runtime import LoadedObject


@pytest.fixture
def printing(build_c: Callable[[str], bytes]) -> Iterator[LoadedObject]:
    with open_elf(build_c("printing"), globals={"only_pid": os.getpid().to_bytes(4, "little")}).attach() as obj:
        yield obj


def instances() -> list[str]:
    with tracefs() as root:
        fd = os.open("instances", os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
        try:
            return [name for name in os.listdir(fd) if name.startswith(f"pybpf-{os.getpid()}-")]
        finally:
            os.close(fd)


@pytest.mark.kernel
def test_lines(printing: LoadedObject) -> None:
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    with Printk(pid=os.getpid()) as lines:
        assert lines.read() == [] and len(instances()) == 1
        for _ in range(3):
            os.getppid()
        found = lines.poll(5)
        assert [line.text for line in found] == [f"hello from {os.getpid()}: 100%"] * 3
        with open("/proc/self/comm", encoding="ascii") as comm:
            assert {line.task for line in found} == {comm.read().strip()}
        assert {line.pid for line in found} == {os.getpid()}
        assert abs(found[0].time - before) < 3600 and found[0].cpu in range(os.cpu_count() or 1)
    assert instances() == []
    with pytest.raises(ObjectClosed):
        lines.read()
    lines.close()


@pytest.mark.kernel
def test_two_readers_both_see_all(printing: LoadedObject) -> None:
    with Printk(pid=os.getpid()) as first, Printk(pid=os.getpid()) as second:
        os.getppid()
        assert len(first.poll(5)) == len(second.poll(5)) == 1


@pytest.mark.kernel
def test_waiting(printing: LoadedObject) -> None:
    with Printk(pid=os.getpid()) as lines:
        start = time.monotonic()
        assert lines.poll(0.05) == [] and 0.04 < time.monotonic() - start < 5
        assert list(lines.poll_for(0.05)) == []
        stop = threading.Event()

        def fire() -> None:
            while not stop.wait(0.02):
                os.getppid()

        thread = threading.Thread(target=fire)
        thread.start()
        pid = thread.native_id
        try:
            with trace_pipe() as everything:
                line = next(line for line in everything if line.text.startswith(f"hello from {os.getpid()}"))
                assert line.pid == pid and lines.read() == []
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("       <...>-2910    [001] b..21    99.5: bpf_trace_printk: hi", PrintkLine("<...>", 2910, 1, 99.5, "hi")),
        ("  my-task (x)-12 [000] d...1 1.25: bpf_trace_printk: a: b ", PrintkLine("my-task (x)", 12, 0, 1.25, "a: b ")),
        ("  sh-7 (   7) [003] ...21 2.5: bpf_trace_printk: ", PrintkLine("sh", 7, 3, 2.5, "")),
    ],
)  # fmt: skip
def test_parsing(text: str, line: PrintkLine) -> None:
    assert parse_line(text) == line and str(parse_line(text)) == line.text


@pytest.mark.parametrize("text", ["", "CPU:1 [LOST 12 EVENTS]", "  sh-7 [001] ..... 2.5: sched_switch: x"])
def test_other_lines(text: str) -> None:
    assert parse_line(text) is None
