"""Programs that the simulator's tests run."""

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    HashMap,
    L,
    LruHash,
    PerCpuHash,
    PtRegs,
    RawTracepointContext,
    RingBuffer,
    Struct,
    Text,
    XdpContext,
    const,
    cpu,
    helpers,
    i32,
    ktime,
    pid,
    printk,
    random,
    raw_tp,
    u8,
    u16,
    u32,
    u64,
    uprobe,
    user_str,
    var,
    xdp,
)
from pybpf.net import ethhdr, iphdr


class Point(Struct):
    x: u32
    y: u16


class Note(Struct):
    who: u32
    name: Text[L[8]]
    values: Array[u8, L[4]]


small = HashMap[u32, u64](max_entries=2)
recent = LruHash[u32, u64](max_entries=2)
percpu = PerCpuHash[u32, u64](max_entries=4)
points = HashMap[Point, Point](max_entries=8)
slots = ArrayMap[Point](4)
notes = RingBuffer[Note](4096)
threshold = const(u32, 10)
total = var(u64, 5)


@uprobe("c", "malloc")
def fill_maps(ctx: PtRegs, key: u64) -> None:
    small[u32(key)] = key
    recent[u32(key)] = key
    percpu[u32(key)] += 1


@uprobe("c", "malloc")
def walk(ctx: PtRegs, key: u64) -> None:
    here = points.get(Point(x=u32(key), y=1))
    if here is None:
        points[Point(x=u32(key), y=1)] = Point(x=1, y=2)
        return
    here.x += 1
    here.y = u16(here.x * 1000)
    slots[key & 3].x = here.x


@uprobe("c", "malloc")
def note(ctx: PtRegs, address: u64) -> None:
    with notes.reserve() as n:
        if n is None:
            printk("full")
            return
        n.who = pid()
        n.name = user_str(address)
        if n.name == "skip":
            n.discard()
            return
        for i in range(4):
            n.values[i] = u8(i * 100)


@raw_tp("sys_enter")
def globals_and_args(ctx: RawTracepointContext) -> None:
    global total
    if ctx.args[1] > threshold:
        total += ctx.args[1]
        printk(f"{ctx.args[1]:5} {i32(ctx.args[0]):d} {ctx.args[0]:x}%")


@uprobe("c", "malloc")
def clock(ctx: PtRegs, address: u64) -> None:
    start = ktime()
    printk(f"{ktime() - start} {cpu()} {random()}")


@uprobe("c", "malloc")
def stack(ctx: PtRegs, address: u64) -> None:
    helpers.bpf_send_signal(9)


def fail_inside(value: u64) -> u64:
    return helpers.bpf_get_current_ancestor_cgroup_id(2) + value


@uprobe("c", "malloc")
def traced(ctx: PtRegs, address: u64) -> None:
    local = address * 2
    printk(f"{fail_inside(local)}")


@xdp
def shorten(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.ABORTED
    ip = pkt.parse(iphdr)
    if ip is None:
        return XDP.DROP
    ip.ttl -= 1
    ip.daddr = 0x0A000001
    if not pkt.skip(ip.tos):
        return XDP.TX
    return XDP.PASS
