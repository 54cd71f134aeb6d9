"""TCP sessions: who, where, how many bytes, how long. After tcplife of libbpf-tools."""

from pybpf import (
    HashMap,
    L,
    RingBuffer,
    Struct,
    Text,
    TracepointContext,
    be32,
    comm,
    ktime,
    pid,
    tracepoint,
    u16,
    u32,
    u64,
)
from pybpf.kernel import sock, tcp_sock

TCP_ESTABLISHED, TCP_SYN_SENT, TCP_LAST_ACK, TCP_CLOSE, TCP_FIN_WAIT1 = 1, 2, 9, 7, 4
AF_INET, IPPROTO_TCP = 2, 6


class Who(Struct):
    pid: u32
    comm: Text[L[16]]


class Session(Struct):
    saddr: be32
    daddr: be32
    us: u64
    received: u64
    acked: u64
    pid: u32
    sport: u16
    dport: u16
    comm: Text[L[16]]


born = HashMap[u64, u64](max_entries=10_240)
who = HashMap[u64, Who](max_entries=10_240)
sessions = RingBuffer[Session](256 * 1024)


@tracepoint("sock:inet_sock_set_state")
def on_change(ctx: TracepointContext) -> None:
    if ctx.protocol != IPPROTO_TCP or ctx.family != AF_INET:
        return
    key = u64(ctx.skaddr)
    if ctx.newstate < TCP_FIN_WAIT1:
        born[key] = ktime()
    if ctx.newstate in (TCP_SYN_SENT, TCP_LAST_ACK):
        who[key] = Who(pid=pid(), comm=comm())
    if ctx.newstate != TCP_CLOSE:
        return
    start = born.pop(key, None)
    if start is None:
        del who[key]
        return
    tcp = tcp_sock(key)
    common = sock(key).__sk_common
    known = who.get(key)
    with sessions.reserve() as s:
        if s is not None:
            s.us = (ktime() - start) // 1000
            s.saddr = common.skc_rcv_saddr
            s.daddr = common.skc_daddr
            s.sport = ctx.sport
            s.dport = ctx.dport
            s.received = tcp.bytes_received
            s.acked = tcp.bytes_acked
            s.pid = known.pid if known is not None else pid()
            if known is not None:
                s.comm = known.comm
            else:
                s.comm = comm()
    del who[key]
