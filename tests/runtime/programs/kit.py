"""What the runtime's tests load: a map of each kind, and programs that fire on this process's own events only."""

from __future__ import annotations

from pybpf import (
    XDP,
    ArrayMap,
    Bytes,
    HashMap,
    L,
    LruHash,
    PerCpuArray,
    PerCpuHash,
    PtRegs,
    RingBuffer,
    Struct,
    Text,
    TracepointContext,
    XdpContext,
    comm,
    const,
    i32,
    pid,
    raw_tp,
    tracepoint,
    u8,
    u32,
    u64,
    uprobe,
    uretprobe,
    var,
    xdp,
)  # fmt: skip


class Event(Struct):
    pid: u32
    value: i32
    number: u64
    comm: Text[L[16]]


class Flow(Struct):
    addr: u32
    port: u32


table = HashMap[u32, u64](max_entries=64, name="hash")
array = ArrayMap[i32](8)
lru = LruHash[u32, u64](max_entries=16)
percpu = PerCpuHash[u32, u64](max_entries=64)
slots = PerCpuArray[u32](4)
flows = HashMap[Flow, Event](max_entries=32)
events = RingBuffer[Event](65536)

only_pid = const(u32, 0)
total = var(u64, 0)
limit = var(i32, 5)


@tracepoint("syscalls:sys_enter_getppid")
def enter(ctx: TracepointContext) -> None:
    global total
    if pid() != only_pid:
        return
    number = total
    total += 1
    with events.reserve() as e:
        if e is None:
            return
        e.pid = pid()
        e.value = -number
        e.number = number
        e.comm = comm()
        if number % 16 == 7:
            e.discard()
    flow = Flow(addr=1, port=2)
    seen = flows.get(flow)
    if seen is not None:
        seen.number += 1
    if 5 in lru:
        lru[5] += 1
    if 5 in percpu:
        percpu[5] += 1


@raw_tp("sys_enter")
def raw(regs: int, number: int) -> None:
    if pid() == only_pid and number == 110:
        table[1] += 1
        slots[0] += 1


@uprobe("libc", "labs")
def on_labs(regs: PtRegs, number: int) -> None:
    if pid() == only_pid:
        table[2] = u64(number)


@uretprobe("libc", "labs")
def on_labs_return(regs: PtRegs, result: int) -> None:
    if pid() == only_pid:
        table[3] = u64(result)


class Head(Struct):
    first: u8
    rest: Bytes[L[13]]


class Body(Struct):
    rest: Bytes[L[86]]


@xdp
def ingress(pkt: XdpContext) -> XDP:
    array[0] += 1
    array[1] = limit
    head = pkt.parse(Head)
    if head is None:
        return XDP.ABORTED
    head.first = 0x42
    if pkt.parse(Body) is None:  # shorter than 100 bytes
        return XDP.DROP
    return XDP.PASS
