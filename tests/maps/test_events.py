"""Perf event arrays, user ring buffers and stack traces: filled by real events, read back, and simulated."""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import (
    XDP,
    Array,
    HashMap,
    KernelSymbols,
    L,
    PerfEventArray,
    RingBuffer,
    Simulation,
    StackTrace,
    Struct,
    Target,
    Text,
    TracepointContext,
    UserRingBuffer,
    UserSymbols,
    XdpContext,
    build,
    const,
    kernel_stack,
    ktime,
    load,
    open_map,
    pid,
    raw_tp,
    subprog,
    tp_btf,
    tracepoint,
    u16,
    u32,
    u64,
    user_stack,
    xdp,
)
from pybpf.runtime.errors import MapFull, ObjectClosed, PybpfError
from tests.maps.bpffs import in_bpffs
from tests.proofs import prove

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.guest]


class Sample(Struct):
    pid: u32
    number: u64


class Cut(Struct):
    length: u16


class Command(Struct):
    key: u32
    name: Text[L[12]]


samples = PerfEventArray[Sample](pages=8)
numbers = PerfEventArray[u64](pages=1)
cuts = PerfEventArray[Cut](pages=4)
stacks = StackTrace(max_entries=1024)
commands = UserRingBuffer[Command](4096)
plain = UserRingBuffer[u32](4096)
kept = HashMap[u32, Command](max_entries=512)
counts = HashMap[u32, u64](max_entries=512)
ids = HashMap[u32, u64](max_entries=512)
opens = RingBuffer[Sample](4096)
me = const(u32, 0)


def fire(count: int = 1) -> None:
    for _ in range(count):
        os.getppid()


@subprog
def report(number: u64) -> bool:
    return samples.emit(Sample(pid=pid(), number=number))


@tracepoint("syscalls:sys_enter_getppid")
def emitting(ctx: TracepointContext) -> None:
    if pid() != me:
        return
    if not report(counts.get(0, 0)):
        counts[1] += 1
    if not numbers.emit(ktime()):
        counts[2] += 1
    counts[0] += 1


def test_perf_events() -> None:
    with load(emitting, me=os.getpid()) as obj, obj.attach():
        prove("map", "PERF_EVENT_ARRAY", "create")
        assert obj[samples].read() == []
        fire(5)
        events = obj[samples].read()
        assert [event.number for event in events] == [0, 1, 2, 3, 4] and type(events[0]) is Sample
        assert {event.pid for event in events} == {os.getpid()}
        taken = obj[numbers].poll(1)
        assert len(taken) == 5 and taken == sorted(taken)
        prove("map", "PERF_EVENT_ARRAY", "in program")
        prove("map", "PERF_EVENT_ARRAY", "read")
        fire(30)
        assert [event.number for event in obj[samples].read_many(10)] == list(range(5, 15))
        assert [event.number for event in obj[samples].poll_for(0.05)] == list(range(15, 35))
        assert obj[samples].lost == 0


def test_perf_wraps_and_tells_what_it_lost() -> None:
    """8 pages hold 32768 // 32 events; a record of what was lost stands in front of the next that fits."""
    with load(emitting, me=os.getpid()) as obj, obj.attach():
        whole = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(whole)})
        try:
            for step in (900, 700, 1000):
                fire(step)
                assert len(obj[samples].read()) == step
            fire(2000)
            first = obj[samples].read()
            refused = obj[counts][1]
            assert refused > 0 and len(first) + refused == 2000
            fire(1)
            assert len(obj[samples].read()) == 1
            assert obj[samples].lost == refused
        finally:
            os.sched_setaffinity(0, whole)


def test_perf_waits_without_holding_others_up() -> None:
    with load(emitting, me=os.getpid()) as obj, obj.attach():
        timer = threading.Timer(0.1, fire, [2])
        timer.start()
        got: list[Any] = []
        while len(got) < 2:
            got += obj[samples].poll(5)
        timer.join()
        start = time.monotonic()
        assert obj[samples].poll(0.05) == [] and time.monotonic() - start < 5

        async def first() -> Sample:
            async for event in obj[samples]:
                return event
            raise AssertionError

        async def both() -> Sample:
            reader = asyncio.ensure_future(first())
            await asyncio.sleep(0.05)
            fire()
            return await asyncio.wait_for(reader, 5)

        assert asyncio.run(both()).number == 2


def test_perf_ends_when_closed() -> None:
    obj = load(emitting, me=os.getpid())
    events = obj[samples]
    before = len(os.listdir("/proc/self/fd"))
    threading.Timer(0.05, obj.close).start()
    assert list(events) == [] and obj.closed
    with pytest.raises(ObjectClosed):
        events.read()
    assert len(os.listdir("/proc/self/fd")) < before


@xdp
def cut(pkt: XdpContext) -> XDP:
    length = u16(pkt.data_end - pkt.data)
    cuts.emit(Cut(length=length), packet=min(length, 20))
    if not cuts.emit(Cut(length=1), packet=4000):  # more than the packet has
        counts[3] += 1
    return XDP.PASS


def test_perf_events_with_packets() -> None:
    packet = bytes(range(64))
    with load(cut) as obj:
        program = obj.programs["cut"]
        pairs = obj[cuts].with_packets()
        assert program.test(packet).retval == XDP.PASS
        assert program.test(packet[:16]).retval == XDP.PASS
        (one, data), (two, short) = pairs.read()
        assert (one.length, data[:20]) == (64, packet[:20]) and len(data) - 20 < 8
        assert (two.length, short[:16]) == (16, packet[:16])
        assert obj[counts][3] == 2
        prove("helper", "bpf_perf_event_output", "accepted XDP")
    with Simulation() as sim:
        sim.run(cut, packet)
        assert sim[cuts].with_packets() == [(Cut(length=64), packet[:20])] and sim[counts][3] == 1


@tp_btf("sys_enter")
def without_context(regs: int, number: int) -> None:
    if pid() == me and number == 110:
        samples.emit(Sample(pid=1, number=u64(number)))
        found = stacks.id()
        if found is not None:
            ids[found] += 1


def test_programs_that_are_given_arguments_only() -> None:
    with load(without_context, me=os.getpid()) as obj, obj.attach():
        fire()
        assert obj[samples].read() == [Sample(pid=1, number=110)]
        (number,) = obj[ids]
        names = [frame.name for frame in obj[stacks].kernel(number)]
        assert any("syscall" in name for name in names), names


# ---------------------------------------------------------------------- stack traces


@raw_tp("sys_enter")  # at the tracepoints of system calls older kernels, as 6.1, walk no stack of the kernel
def walking(regs: int, number: int) -> None:
    if pid() != me or number != 110:
        return
    user = stacks.id(user=True)
    if user is not None:
        ids[user] += 1
    kernel = stacks.id(reuse=True)
    if kernel is not None:
        counts[kernel] += 1


def test_stacks_by_name() -> None:
    libc = ctypes.CDLL(None)
    with load(walking, me=os.getpid()) as obj, obj.attach():
        libc.getppid()
        (user,), (kernel,) = list(obj[ids]), list(obj[counts])
        prove("map", "STACK_TRACE", "create")
        prove("map", "STACK_TRACE", "in program")
        found = obj[stacks].user(user, os.getpid())
        assert found[0].name.endswith("getppid") and found[0].module.endswith("libc.so.6") and found[0].offset < 64
        assert [frame.address for frame in found] == obj[stacks][user]
        assert str(found).startswith(f"    {found[0].name}+{found[0].offset}")
        assert found.format("perf").startswith(f"\t{found[0].address:x} {found[0].name}+{found[0].offset} (/")
        below = obj[stacks].kernel(kernel)
        assert any("syscall" in frame.name for frame in below)
        prove("map", "STACK_TRACE", "lookup")
        assert sorted(obj[stacks]) == sorted({user, kernel}) and user in obj[stacks]
        prove("map", "STACK_TRACE", "iterate")
        del obj[stacks][user]
        prove("map", "STACK_TRACE", "delete")
        with pytest.raises(KeyError):
            obj[stacks][user]
        with pytest.raises(TypeError, match="takes the number of a stack"):
            obj[stacks]["x"]
        obj[stacks].clear()
        assert len(obj[stacks]) == 0


# ---------------------------------------------------------------------- what user space sends


@tracepoint("syscalls:sys_enter_getppid")
def taking(ctx: TracepointContext) -> None:
    if pid() != me:
        return
    number = 0
    for command in commands.drain():
        number += 1
        kept[command.key] = command
        if command.key == 99:
            break
    else:
        counts[7] += 1
    counts[8] += number
    for value in plain.drain():
        if value == 5:
            continue
        counts[value] += 1


def needs_user_ringbuf() -> None:
    release = tuple([int(part) for part in os.uname().release.split("-")[0].split(".")[:2]])
    if release < (6, 1):
        pytest.skip("this kernel has no user ring buffer")


def test_commands_reach_the_program() -> None:
    needs_user_ringbuf()
    with load(taking, me=os.getpid()) as obj, obj.attach():
        prove("map", "USER_RINGBUF", "create")
        for key in (1, 2, 99, 3):
            obj[commands].send(Command(key=key, name=f"n{key}"))
        prove("map", "USER_RINGBUF", "send")
        obj[plain].send(5)
        obj[plain].send(6)
        assert obj[commands].waiting == 4 * 24
        fire()
        assert dict(obj[counts]) == {8: 3, 6: 1}  # 3 stays, and `else` is left out
        assert {key: value.name for key, value in obj[kept].items()} == {1: "n1", 2: "n2", 99: "n99"}
        assert obj[commands].waiting == 24
        fire()
        assert obj[counts][7] == 1 and obj[counts][8] == 4 and obj[commands].waiting == 0
        prove("map", "USER_RINGBUF", "in program")
        with pytest.raises(OverflowError, match=r"command of 'commands'.*key"):
            obj[commands].send(Command(key=1 << 40, name=""))


def test_a_full_user_ring_waits_and_says_so() -> None:
    needs_user_ringbuf()
    with load(taking, me=os.getpid()) as obj, obj.attach():
        room = 4096 // 24
        for key in range(room):
            obj[commands].send(Command(key=key % 64, name=""), timeout=0)
        with pytest.raises(MapFull, match="'commands' is full: it has 4096 bytes"):
            obj[commands].send(Command(key=0, name=""), timeout=0.02)
        timer = threading.Timer(0.1, fire, [1])
        timer.start()
        obj[commands].send(Command(key=7, name="late"))
        timer.join()
        assert obj[counts][8] == room and obj[commands].waiting == 24
        fire()
        assert obj[kept][7].name == "late"
        for _ in range(3):  # round the end
            for key in range(room):
                obj[commands].send(Command(key=key % 64, name=str(key)), timeout=0)
            fire()
        assert obj[counts][8] == 4 * room + 1


def test_closing_wakes_who_waits_for_room() -> None:
    needs_user_ringbuf()
    obj = load(taking, me=os.getpid())
    ring = obj[plain]
    for value in range(256):
        ring.send(value, timeout=0)
    threading.Timer(0.05, obj.close).start()
    with pytest.raises(ObjectClosed):
        ring.send(1)


# ---------------------------------------------------------------------- without a kernel


def test_simulated() -> None:
    with Simulation(pid=7) as sim:
        sim[me] = 7
        sim.run(emitting)
        sim.run(emitting)
        assert [event.number for event in sim[samples]] == [0, 1] and len(sim[numbers].poll()) == 2
        for key in (1, 99, 3):
            sim[commands].send(Command(key=key, name="x"))
        sim.run(taking)
        assert sorted(sim[kept]) == [1, 99] and sim[commands].waiting == 24
        sim.helper("bpf_get_stackid", lambda context, table, flags: 5 if flags & 256 else -14)
        sim.run(walking, regs=0, number=110)
        assert dict(sim[ids]) == {5: 1}


def test_older_kernels_are_told() -> None:
    from pybpf.compiler.diagnostics.base import CompileError

    with pytest.raises(CompileError, match=r"USER_RINGBUF needs Linux 6.1"):
        build(taking, target=Target(kernel=(5, 15)))
    assert struct.unpack_from("<H", build(emitting).elf, 18)[0] == 247  # EM_BPF


counted = RingBuffer[Sample](4096, count_lost=True)


@tracepoint("syscalls:sys_enter_getppid")
def counting(ctx: TracepointContext) -> None:
    if pid() != me:
        return
    counted.emit(Sample(pid=1, number=2))
    same = counts.get(0, 0)
    with counted.reserve() as sample:
        if sample is not None:
            sample.number = same
            sample.discard()
    event = Sample(pid=3, number=4)
    counted.emit(event)


def test_lost_events_are_counted() -> None:
    room = 4096 // 24
    with load(counting, me=os.getpid()) as obj, obj.attach():
        fire(30)
        assert obj[counted].lost == 0 and len(obj[counted].read()) == 60 and obj[counted].discarded == 30
        fire(100)
        assert obj[counted].lost == 300 - room
        assert len(obj[counted].read()) + obj[counted].discarded - 30 == room
        prove("map", "RINGBUF", "in program")
        prove("map", "RINGBUF", "read")
    with Simulation(pid=7) as sim:
        sim[me] = 7
        for _ in range(100):
            sim.run(counting)
        assert sim[counted].lost > 0 and len(sim[counted]) + sim[counted].lost <= 300


def test_ring_buffers_without_a_counter_say_how() -> None:
    @tracepoint("syscalls:sys_enter_getppid")
    def once(ctx: TracepointContext) -> None:
        opens.emit(Sample(pid=1, number=2))

    with load(once) as obj, pytest.raises(PybpfError, match="count_lost=True"):
        _ = obj[opens].lost


def test_those_of_others_by_path(tmp_path: Path) -> None:
    needs_user_ringbuf()

    def test() -> None:
        with load(counting, taking, walking, me=os.getpid()) as obj, obj.attach():
            for declared, name in ((counted, "ring"), (commands, "commands"), (stacks, "stacks")):
                obj[declared].pin(tmp_path / name)
                prove("map", declared.__bpf__.kind.name, "pin")
            with open_map(tmp_path / "commands", UserRingBuffer[Command]) as ring:
                ring.send(Command(key=33, name="other"))
            fire()
            assert obj[kept][33].name == "other"
            with open_map(tmp_path / "ring", RingBuffer[Sample]) as events:
                assert [event.number for event in events.poll(1)] == [2, 4]
                with pytest.raises(PybpfError, match="count_lost=True"):
                    _ = events.lost
            with pytest.raises(ObjectClosed):
                events.read()
            with open_map(obj[counted].id) as untyped:
                fire()
                assert [len(event) for event in untyped.read()] == [16, 16]
            (number,) = obj[ids]
            with open_map(tmp_path / "stacks", StackTrace) as traces:
                assert traces[number] == obj[stacks][number]

    in_bpffs(tmp_path, test)


class Stacked(Struct):
    pid: u32
    kernel: Array[u64, L[32]]
    user: Array[u64, L[16]]


stacked = RingBuffer[Stacked](1 << 16)


@raw_tp("sys_enter")
def keeping(regs: int, number: int) -> None:
    if pid() == me and number == 110:
        stacked.emit(Stacked(pid=pid(), kernel=kernel_stack(), user=user_stack()))
        innermost()


@subprog
def innermost() -> None:
    frames: Array[u64, L[2]] = user_stack()
    counts[5] = frames[0]


def test_stacks_in_events() -> None:
    libc = ctypes.CDLL(None)
    with load(keeping, me=os.getpid()) as obj, obj.attach():
        libc.getppid()
        libc.getppid()
        one, two = obj[stacked].read()
        assert one.kernel == two.kernel and one.kernel[0] and 0 in one.kernel, "zeroes follow the outermost frame"
        names = [KernelSymbols().find(address).name for address in one.kernel if address]
        assert any("syscall" in name for name in names), names
        assert [frame.name for frame in KernelSymbols().stack(one.kernel)] == names
        assert UserSymbols(os.getpid()).find(one.user[0]).name.endswith("getppid")
        assert "getppid+" in str(UserSymbols(os.getpid()).stack(one.user)).split("\n")[0]
        assert obj[counts][5] == one.user[0]
        prove("helper", "bpf_get_stack", "accepted RAW_TRACEPOINT")
    with Simulation(pid=7) as sim:
        sim[me] = 7
        sim.helper("bpf_get_stack", lambda context, buf, size, flags: buf.write(bytes([flags >> 8]) * size) or size)
        sim.run(keeping, regs=0, number=110)
        (event,) = sim[stacked]
        assert event.kernel == [0] * 32 and event.user == [0x0101_0101_0101_0101] * 16
