"""Spin locks and timers in the values of maps: what the kernel does with them, and what user space sees."""

from __future__ import annotations

import time

import pytest

from pybpf import (
    XDP,
    ArrayMap,
    DeclarationError,
    HashMap,
    LruHash,
    PerCpuHash,
    RingBuffer,
    SpinLock,
    Struct,
    Target,
    Timer,
    XdpContext,
    build,
    load,
    lock,
    u32,
    u64,
    var,
    xdp,
)
from pybpf.simulator import Simulation


class Entry(Struct):
    timer: Timer = Timer()
    hits: u64 = 0
    fired: u64 = 0


class Flow(Struct):
    lock: SpinLock = SpinLock()
    packets: u64 = 0


class Two(Struct):
    first: SpinLock = SpinLock()
    second: SpinLock = SpinLock()


entries = HashMap[u32, Entry](max_entries=16)
ticking = ArrayMap[Entry](4)
answers = ArrayMap[u64](4)
flows = HashMap[u32, Flow](max_entries=16)


def expire(table: HashMap[u32, Entry], key: u32, entry: Entry) -> None:
    answers[1] += key + entry.hits
    del table[key]


def tick(table: ArrayMap[Entry], index: u32, entry: Entry) -> None:
    entry.fired += index
    if entry.fired < 10:
        entry.timer.start(table, 1_000_000, tick)


@xdp
def start(pkt: XdpContext) -> XDP:
    entries[7] = Entry(hits=30)
    entry = entries.get(7)
    if entry is None or not entry.timer.start(entries, 2_000_000, expire):
        return XDP.DROP
    ticking[2].timer.start(ticking, 1_000_000, tick)
    never = ticking[1]
    never.timer.start(ticking, 60_000_000_000, tick)
    answers[0] = 1 if never.timer.cancel() else 0
    answers[2] = 1 if never.timer.cancel() else 0
    return XDP.PASS


@xdp
def count(pkt: XdpContext) -> XDP:
    flow = flows.get(1)
    if flow is None:
        return XDP.DROP
    with lock(flow):
        flow.packets += 1
    return XDP.PASS


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", [(6, 1), (6, 18)])
def test_timers_fire(kernel: tuple[int, int]) -> None:
    with load(build(start, target=Target(kernel=kernel))) as obj:
        assert obj.programs["start"].test(bytes(64)).retval == XDP.PASS
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and (obj[ticking][2].fired < 10 or 7 in obj[entries]):
            time.sleep(0.005)
        assert dict(obj[answers]) == {0: 1, 1: 37, 2: 0, 3: 0}
        assert dict(obj[entries]) == {}
        assert obj[ticking][2] == Entry(hits=0, fired=10)
        assert obj[ticking][1].fired == 0


def test_simulated_timers_fire_as_time_passes() -> None:
    with Simulation() as sim:
        assert start.simulate(packet=bytes(64)).retval == XDP.PASS
        assert sim.advance(1_500_000) == 1
        assert sim[ticking][2].fired == 2
        assert 7 in sim[entries]
        assert sim.advance(100_000_000) == 5
        assert sim[ticking][2].fired == 10
        assert 7 not in sim[entries]
        assert sim[answers][1] == 37


def test_a_simulated_timer_goes_with_its_element() -> None:
    with Simulation() as sim:
        start.simulate(packet=bytes(64))
        del sim[entries][7]
        sim.advance(1_000_000_000)
        assert sim[answers][1] == 0


@pytest.mark.kernel
def test_user_space_reads_and_writes_values_with_a_lock() -> None:
    with load(count) as obj:
        assert obj.programs["count"].test(bytes(64)).retval == XDP.DROP
        obj[flows][1] = Flow(packets=5)
        assert obj.programs["count"].test(bytes(64)).retval == XDP.PASS
        assert obj[flows][1].packets == 6
        obj[flows][1] = Flow(packets=100)
        assert dict(obj[flows].items()) == {1: Flow(packets=100)}
        assert repr(obj[flows][1]) == "Flow(lock=SpinLock(), packets=100)"


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda: PerCpuHash[u32, Flow](max_entries=4, name="m"), "can't hold a SpinLock"),
        (lambda: LruHash[u32, Flow](max_entries=4, name="m"), "can't hold a SpinLock"),
        (lambda: RingBuffer[Flow](4096, name="m"), "can't hold a SpinLock"),
        (lambda: PerCpuHash[u32, Entry](max_entries=4, name="m"), "can't hold a Timer"),
        (lambda: var(Flow), "can't hold a SpinLock"),
        (lambda: HashMap[Flow, u64](max_entries=4, name="m"), "can't be part of a key"),
        (lambda: HashMap[u32, Two](max_entries=4, name="m"), "has 2 SpinLocks"),
    ],
)
def test_where_they_may_lie(declare: object, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        assert declare().__bpf__  # type: ignore[operator]
