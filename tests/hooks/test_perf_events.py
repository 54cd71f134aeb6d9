"""Perf events: clocks, page faults, breakpoints; of all processes, of one and its threads, of one CPU."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
import threading
import time

import pytest

from pybpf import AttachError, HashMap, PerfEventContext, const, cpu, load, perf_event, pid, tid, u32, u64
from tests.proofs import prove

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

only = const(u32, 0)
samples = HashMap[u32, u64](max_entries=64)
last = HashMap[u32, u64](max_entries=8)


@perf_event
def sample(ctx: PerfEventContext) -> None:
    if only and pid() != only:
        return
    samples[tid()] += 1
    last[0] = ctx.addr
    last[1] = ctx.sample_period
    last[2] = ctx.ip
    last[3] = ctx.cookie()
    last[4] = cpu()


def spin(seconds: float) -> int:
    """Work for so much time of this thread."""
    end, count = time.thread_time() + seconds, 0
    while time.thread_time() < end:
        count += 1
    return count


def touch(pages: int) -> int:
    """Fault in that many pages; the address of the first."""
    memory = mmap.mmap(-1, 4096 * pages)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in range(pages):
        ctypes.memset(address + 4096 * page, 1, 1)
    return address


def test_clock_of_a_process_and_its_threads() -> None:
    with load(sample) as obj:
        prove("hook", "perf_event", "loaded")
        with obj.attach(sample={"event": "cpu-clock", "period": 1_000_000, "pid": os.getpid()}):
            prove("hook", "perf_event", "attached")
            thread = threading.Thread(target=spin, args=(0.1,))
            thread.start()
            spin(0.1)
            thread.join()
            assert len(obj[samples]) == 2  # the thread was started after attaching
            assert sum(obj[samples].values()) > 20
            assert obj[last][1] == 1_000_000 and obj[last][2] and obj[last][3] == 0
            prove("hook", "perf_event", "fired")
        before = sum(obj[samples].values())
        spin(0.02)
        assert sum(obj[samples].values()) == before


def test_cookie() -> None:
    """Threads that are started later have no part in it."""
    options = {"event": "cpu-clock", "period": 1_000_000, "pid": os.getpid(), "cookie": 77}
    with load(sample) as obj, obj.attach(sample=options):
        thread = threading.Thread(target=spin, args=(0.05,))
        thread.start()
        spin(0.05)
        thread.join()
        assert obj[last][3] == 77 and list(obj[samples]) == [os.getpid()]


def test_frequency_on_every_cpu() -> None:
    options = {"event": "cpu-clock", "frequency": 1000}
    with load(sample, only=os.getpid()) as obj, obj.attach(sample=options) as attached:
        (link,) = attached.links
        assert (link.kind, link.target) == ("perf_event", "cpu-clock")
        spin(0.1)
        assert 10 < sum(obj[samples].values()) < 1000


def test_page_faults_say_where() -> None:
    with load(sample) as obj, obj.attach(sample={"event": "page-faults", "pid": os.getpid()}):
        address = touch(64)
        assert sum(obj[samples].values()) >= 64
        assert address <= obj[last][0] < address + 64 * 4096 or obj[last][0]


def test_breakpoint() -> None:
    watched = ctypes.c_uint32(1)
    at = ctypes.addressof(watched)
    options = {"event": "breakpoint", "address": at, "length": 4, "access": "w", "pid": os.getpid()}
    with load(sample) as obj:
        with obj.attach(sample=options):
            watched.value = 2
            watched.value = 3
            assert watched.value == 3
            assert sum(obj[samples].values()) == 2 and obj[last][0] == at
        watched.value = 4
        assert sum(obj[samples].values()) == 2


def test_another_process() -> None:
    code = "import time\nprint(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            with load(sample) as obj, obj.attach(sample={"event": "cpu-clock", "period": 100_000, "pid": child.pid}):
                end = time.monotonic() + 10
                while not obj[samples] and time.monotonic() < end:
                    spin(0.01)
                assert list(obj[samples]) == [child.pid]
        finally:
            child.kill()


def test_wrong_events() -> None:
    with load(sample) as obj:
        program = obj.programs["sample"]
        for options, said in (
            ({}, "which perf event"),
            ({"event": "page-fault"}, "no perf event 'page-fault'\nhelp: did you mean 'page-faults'"),
            ({"event": "cpu-clock", "period": 1, "frequency": 1}, "a period or a frequency, not both"),
            ({"event": "cpu-clock", "period": 0}, "a period or frequency of 0"),
            ({"event": "breakpoint"}, "a breakpoint needs an address"),
            ({"event": "cpu-clock", "pid": 999_999_999}, "no process 999999999"),
            ({"event": "cpu-clock", "cpu": 4096}, "perf event cpu-clock: EINVAL|ENODEV"),
        ):
            with pytest.raises(AttachError, match=said):
                program.attach(**options)
        assert not obj.links


def test_hardware_events() -> None:
    with load(sample, only=os.getpid()) as obj:
        try:
            link = obj.programs["sample"].attach("cycles")
        except AttachError as error:
            assert "cpu-clock" in error.help
            pytest.skip("this kernel counts no cycles: the machine has no counters")
        with link:
            spin(0.1)
            assert obj[samples]
