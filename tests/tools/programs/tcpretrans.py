"""TCP segments that are sent again. After tcpretrans of BCC."""

from pybpf import Bytes, L, RingBuffer, Struct, TracepointContext, i32, pid, tracepoint, u16, u32


class Retransmit(Struct):
    pid: u32
    state: i32
    sport: u16
    dport: u16
    saddr: Bytes[L[4]]
    daddr: Bytes[L[4]]


segments = RingBuffer[Retransmit](64 * 1024)


@tracepoint("tcp:tcp_retransmit_skb")
def on_retransmit(ctx: TracepointContext) -> None:
    if ctx.family == 2:
        segments.emit(
            Retransmit(pid=pid(), state=ctx.state, sport=ctx.sport, dport=ctx.dport, saddr=ctx.saddr, daddr=ctx.daddr)
        )
