"""Everything that a checker must accept, in one file."""

from __future__ import annotations

from typing import Literal

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    Bytes,
    HashMap,
    L,
    LruHash,
    PerCpuArray,
    PerCpuHash,
    Program,
    PtRegs,
    RawTracepointContext,
    RingBuffer,
    Struct,
    Text,
    TracepointContext,
    XdpContext,
    be16,
    be32,
    comm,
    const,
    cpu,
    gid,
    helpers,
    i32,
    kernel_str,
    ktime,
    pid,
    printk,
    raw_tp,
    sizeof,
    tid,
    tracepoint,
    u8,
    u16,
    u32,
    u64,
    uid,
    uprobe,
    uretprobe,
    user_str,
    var,
    xdp,
)
from pybpf.helpers import bpf_probe_read_user
from pybpf.net import ETH_P_IP, IPPROTO_TCP, TCP_SYN, ethhdr, iphdr, ipv4, tcphdr


class Inner(Struct):
    a: u8
    b: be32


class Open(Struct):
    pid: u32
    ret: i32
    comm: Text[L[16]]
    path: Text[Literal[64]]
    mac: Array[u8, L[6]]
    raw: Bytes[L[8]]
    inner: Inner
    seen: bool
    hits: u64 = 0


class Flow(Struct, packed=True):
    src: be32
    port: be16


class SysEnterOpenat(TracepointContext):
    filename: u64
    flags: i32


only_pid = const(u32, 0)
verbose = const(bool, False)
origin = const(Inner, Inner(a=1, b=2))
first = var(Array[u8, L[4]], Array[u8, L[4]]([1, 2, 3, 4]))
action = const(XDP, XDP.DROP)
threshold = var(u64, 10, name="limit")
paths = HashMap[u32, u64](max_entries=10_240)
names = HashMap[Text[L[16]], u64](1024)
flows = LruHash[Flow, Open](max_entries=16)
per_cpu = PerCpuHash[u32, u64](max_entries=16, name="per_cpu_counts")
slots = PerCpuArray[u64](4)
table = ArrayMap[Inner](8)
opens = RingBuffer[Open](256 * 1024)
BLOCKED = ipv4("10.0.0.1")


def double(n: u32) -> u64:
    return u64(n) * 2


@tracepoint("syscalls:sys_enter_openat")
def enter(ctx: SysEnterOpenat) -> None:
    if verbose or first[1] == origin.a:
        return
    if only_pid and pid() != only_pid:
        return
    paths[tid()] = ctx.filename
    paths[1] += 1
    del paths[2]
    if 3 in paths and ctx.flags & 1:
        printk(f"{comm()} {u32(ctx.flags):x} {double(uid() + gid() + cpu())}")
    entry = table.get(1)
    if entry is not None:
        entry.a += 1
        entry.b = u32(ktime())


@tracepoint("syscalls:sys_exit_openat")
def leave(ctx: TracepointContext) -> None:
    path = paths.pop(tid(), None)
    if path is None:
        return
    names["total"] += 1
    seen = flows.setdefault(Flow(src=1, port=2), blank(path))
    if seen is not None:
        seen.hits += 1
    opens.emit(blank(path))
    with opens.reserve() as event:
        if event is not None:
            event.ret = ctx.ret
            event.path = kernel_str(ctx.ret)
            event.mac[0] = u8(ctx.ret)
    helpers.bpf_send_signal(9)


def blank(path: u64) -> Open:
    return Open(
        pid=pid(),
        ret=0,
        comm=comm(),
        path=user_str(path),
        mac=Array[u8, L[6]](),
        raw=b"12345678",
        inner=Inner(a=1, b=2),
        seen=True,
    )


@xdp
def count(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XDP.PASS
    ip = pkt.parse(iphdr)
    if ip is None or ip.saddr == BLOCKED or not pkt.skip(ip.header_len() - sizeof(iphdr)):
        return action
    slots[ip.protocol & 3] += 1
    if ip.protocol == IPPROTO_TCP:
        tcp = pkt.parse(tcphdr)
        if tcp is not None and tcp.flags() & TCP_SYN:
            return XDP.TX
    return XDP.ABORTED if ip.protocol == 1 else XDP.PASS


@xdp(frags=True)
def frags(pkt: XdpContext) -> XDP:
    return XDP.PASS


@uprobe("libc", "malloc")
def on_malloc(ctx: PtRegs, size: u64) -> None:
    per_cpu[u32(ctx.di)] += size


@uprobe("libc", "free")
def on_free(address: u64) -> None:
    buffer = Array[u8, L[64]]()
    if bpf_probe_read_user(buffer, sizeof(buffer), address) == 0:
        printk(f"{buffer[0]}")


@uretprobe("libc", "malloc")
def on_return(ctx: PtRegs, address: u64) -> int:
    return 0


@raw_tp("sys_enter")
def raw(regs: u64, number: u64) -> None:
    per_cpu[u16(number)] += 1


@raw_tp("sys_exit")
def raw_ctx(ctx: RawTracepointContext) -> None:
    per_cpu[u32(ctx.args[1])] += 1


programs: list[Program[..., int | None]] = [enter, leave, count, frags, on_malloc, on_free, on_return, raw, raw_ctx]
sections: list[str] = [program.section for program in programs]
keys: dict[Flow, int] = {Flow(src=1, port=2): 3}
