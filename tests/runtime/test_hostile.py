"""Objects that are closed at the worst moment: by other threads, by signals, in children, in the middle of a loop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from typing import Any

import pytest

from pybpf import (
    Array,
    ArrayMap,
    HashMap,
    L,
    PerCpuArray,
    RingBuffer,
    Struct,
    build,
    const,
    helpers,
    load,
    pid,
    raw_tp,
    u32,
    u64,
    var,
)
from pybpf.runtime.descriptor import Descriptor
from pybpf.runtime.errors import ObjectClosed

pytestmark = [pytest.mark.kernel, pytest.mark.guest]


class Large(Struct):
    words: Array[u64, L[500]]


mine = const(u32, 0)
total = var(u64)
small = HashMap[u32, u64](max_entries=100_000)
slots = ArrayMap[u64](64, mmapable=True)
copies = PerCpuArray[u64](4)
events = RingBuffer[u64](65536)
large = HashMap[u32, Large](max_entries=4)


@raw_tp("sys_enter")
def counts(regs: u64, number: u64) -> None:
    global total
    if pid() != mine:
        return
    total += 1
    small[0] = number
    slots[1] += 1
    copies[1] += 1
    events.emit(number)


@raw_tp("sys_enter")
def holds(regs: u64) -> None:
    value = large.get(0)
    if value is not None and pid() == mine:
        value.words[0] = helpers.bpf_ktime_get_ns()


def loaded() -> Any:
    return load(counts, mine=os.getpid())


def descriptors() -> set[tuple[str, str]]:
    gc.collect()
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
        except OSError:  # that of the directory
            continue
    return found


@pytest.fixture
def alarms() -> Any:
    """SIGALRM raises KeyboardInterrupt, as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, old)


def test_a_number_is_kept_while_somebody_may_use_it() -> None:
    read, write = os.pipe()
    own = Descriptor(write)
    number = own.number
    os.close(write)
    own.shut()
    own.shut()
    assert os.read(read, 1) == b""  # nobody can write any more
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(number, b"x")
    others = [os.open("/", os.O_PATH) for _ in range(4)]
    assert number not in others
    del own
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    for fd in (read, *others):
        os.close(fd)


def test_readers_and_a_closer_that_loads_something_else() -> None:
    """A number that another map has meanwhile, with values of 4000 bytes, would be read into a buffer of 8."""
    first, second = build(counts), build(holds)
    words: Any = [0x4141] * 500
    wrong: list[Any] = []
    current: list[Any] = [None]
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            if current[0] is None:
                continue
            try:
                found = current[0].get(0)
                listed = dict(current[0])
            except ObjectClosed:
                continue
            if found not in (None, 7) or listed not in ({}, {0: 7}):
                wrong.append((found, listed))

    threads = [threading.Thread(target=read) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        until = time.monotonic() + 3
        while time.monotonic() < until:
            obj = load(first, mine=0)
            obj[small][0] = 7
            current[0] = obj[small]
            time.sleep(0.0005)
            obj.close()
            with load(second, mine=0) as other:
                other[large][0] = Large(words=words)
    finally:
        over.set()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()
    assert wrong == []


def test_all_kinds_of_maps_in_threads_while_it_closes() -> None:
    for _ in range(10):
        obj = loaded().attach()
        ends: list[str] = []

        def work(use: Any, ends: list[str] = ends) -> None:
            try:
                while True:
                    use()
            except BaseException as error:
                ends.append(type(error).__name__)

        uses = [
            lambda obj=obj: obj[total], lambda m=obj[small]: list(m.items()), lambda m=obj[slots]: list(m.values()),
            lambda m=obj[copies]: m[1], lambda m=obj[slots]: m[1], lambda m=obj[events]: m.read() and None,
            lambda m=obj[small]: m.clear(),
        ]  # fmt: skip
        threads = [threading.Thread(target=work, args=(use,)) for use in uses]
        for thread in threads:
            thread.start()
        time.sleep(0.01)
        obj.close()
        for thread in threads:
            thread.join(10)
        assert ends == ["ObjectClosed"] * len(uses)


def test_ctrl_c_while_closing(alarms: Any) -> None:
    """What was interrupted is finished by the next call, or by the object's end."""
    loaded().close()
    before = descriptors()
    interrupted = 0
    for round in range(80):
        obj = loaded().attach()
        try:
            alarms(0.00002 * (round + 1))
            obj.close()
            time.sleep(0.002)
        except KeyboardInterrupt:
            interrupted += 1
        alarms(0)
        if round % 2:
            obj.close()
        assert obj.closed or not interrupted or obj.links
        obj = None
    assert interrupted and descriptors() == before


def test_ctrl_c_while_loading(alarms: Any) -> None:
    """An alarm is no Ctrl-C, which waits until an object is loaded, or a program attached."""
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    loaded().close()
    before = len(descriptors())
    for round in range(40):
        obj = None
        try:
            alarms(0.0005 * (round + 1))
            obj = loaded().attach()
            time.sleep(0.05)
        except KeyboardInterrupt:
            pass
        alarms(0)
        if obj is not None:
            obj.close()
    assert len(descriptors()) == before


def test_one_that_can_not_be_detached_keeps_no_other() -> None:
    obj = loaded()
    first, second, third = obj[counts].attach(), obj[counts].attach(), obj[counts].attach()
    end, second._close = second._close, lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        obj.close()
    assert not first.attached and not third.attached and obj.closed and obj.links == ()
    end()
    obj.close()


def test_a_signal_handler_that_closes_what_is_being_read() -> None:
    old = signal.getsignal(signal.SIGALRM)
    try:
        for round in range(10):
            obj = loaded()
            obj[small].update({key: key for key in range(20_000)})
            signal.signal(signal.SIGALRM, lambda *_, obj=obj: obj.close())
            signal.setitimer(signal.ITIMER_REAL, 0.001 * (round + 1))
            with pytest.raises(ObjectClosed):
                while True:
                    for _ in obj[small].items():
                        pass
    finally:
        signal.signal(signal.SIGALRM, old)


def test_a_child_that_closes_leaves_the_parents_alone() -> None:
    with loaded().attach() as obj:
        child = os.fork()
        if not child:
            code = 1
            try:
                obj.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        seen = obj[slots][1]
        os.getppid()
        assert obj[slots][1] > seen and obj[counts].info().id and len(obj.links) == 1


def test_tasks_that_are_cancelled() -> None:
    before = descriptors()

    async def main() -> int:
        obj = loaded().attach()

        async def read() -> int:
            return sum([1 async for _ in obj[events]])

        task = asyncio.create_task(read())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(read(), 0.05)
        last = asyncio.create_task(read())
        await asyncio.sleep(0.01)
        obj.close()
        return await asyncio.wait_for(last, 5)

    threads = threading.active_count()
    assert asyncio.run(main()) > 0
    assert threading.active_count() == threads and descriptors() == before
