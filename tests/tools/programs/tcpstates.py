"""Changes of the state of TCP sockets, with the time spent in each. After tcpstates of libbpf-tools."""

from pybpf import (
    Bytes,
    HashMap,
    L,
    RingBuffer,
    Struct,
    Text,
    TracepointContext,
    comm,
    const,
    i32,
    ktime,
    pid,
    tracepoint,
    u16,
    u32,
    u64,
)

IPPROTO_TCP, AF_INET, TCP_CLOSE = 6, 2, 7


class Change(Struct):
    sk: u64
    delta_us: u64
    pid: u32
    old: i32
    new: i32
    sport: u16
    dport: u16
    family: u16
    saddr: Bytes[L[4]]
    daddr: Bytes[L[4]]
    comm: Text[L[16]]


only_dport = const(u16, 0)
times = HashMap[u64, u64](max_entries=10_240)
changes = RingBuffer[Change](256 * 1024)


@tracepoint("sock:inet_sock_set_state")
def on_change(ctx: TracepointContext) -> None:
    if ctx.protocol != IPPROTO_TCP or ctx.family != AF_INET:
        return
    if only_dport and ctx.dport != only_dport:
        return
    now = ktime()
    before = times.get(ctx.skaddr)
    changes.emit(
        Change(
            sk=ctx.skaddr,
            delta_us=(now - before) // 1000 if before is not None else 0,
            pid=pid(),
            old=ctx.oldstate,
            new=ctx.newstate,
            sport=ctx.sport,
            dport=ctx.dport,
            family=ctx.family,
            saddr=ctx.saddr,
            daddr=ctx.daddr,
            comm=comm(),
        )
    )
    if ctx.newstate == TCP_CLOSE:
        del times[ctx.skaddr]
    else:
        times[ctx.skaddr] = now
