"""TCP sessions when they end: whose, between which addresses, how many bytes and how long.

    python examples/tcplife.py [seconds]
"""

import sys

from pybpf import (
    Bytes,
    HashMap,
    L,
    RingBuffer,
    Struct,
    Text,
    TracepointContext,
    comm,
    ktime,
    load,
    pid,
    tracepoint,
    u16,
    u32,
    u64,
)
from pybpf.kernel import TCP_CLOSE, TCP_FIN_WAIT1, TCP_LAST_ACK, TCP_SYN_SENT, tcp_sock
from pybpf.net import IPPROTO_TCP, ipv6


class Owner(Struct):
    pid: u32
    comm: Text[L[16]]


class Session(Struct):
    pid: u32
    comm: Text[L[16]]
    saddr: Bytes[L[16]]  # IPv4 as ::ffff:10.0.0.1
    daddr: Bytes[L[16]]
    sport: u16
    dport: u16
    received: u64
    sent: u64
    ns: u64


born = HashMap[u64, u64](max_entries=10_240)  # address of the socket -> when
owners = HashMap[u64, Owner](max_entries=10_240)  # the kernel closes it in whatever process comes along
sessions = RingBuffer[Session](256 * 1024)


@tracepoint("sock:inet_sock_set_state")
def state(ctx: TracepointContext) -> None:
    if ctx.protocol != IPPROTO_TCP:
        return
    sk = ctx.skaddr
    if ctx.newstate < TCP_FIN_WAIT1:
        born[sk] = ktime()
    if ctx.newstate == TCP_SYN_SENT or ctx.newstate == TCP_LAST_ACK:
        owners[sk] = Owner(pid=pid(), comm=comm())
    if ctx.newstate != TCP_CLOSE:
        return
    since = born.pop(sk, None)
    owner = owners.pop(sk, Owner(pid=pid(), comm=comm()))
    if since is None:
        return
    tcp = tcp_sock(sk)  # read from the kernel's memory, wherever its members lie there
    sessions.emit(
        Session(
            pid=owner.pid,
            comm=owner.comm,
            saddr=ctx.saddr_v6,
            daddr=ctx.daddr_v6,
            sport=ctx.sport,
            dport=ctx.dport,
            received=tcp.bytes_received,
            sent=tcp.bytes_acked,
            ns=ktime() - since,
        )
    )


def main(seconds: float | None = None) -> None:
    print(f"{'PID':>7} {'COMM':16} {'LOCAL':30} {'REMOTE':30} {'SENT':>9} {'RECEIVED':>9} {'MS':>9}", flush=True)
    with load(state).attach() as obj:
        for s in obj[sessions].poll_for(seconds):
            local, remote = f"{ipv6(s.saddr)} {s.sport}", f"{ipv6(s.daddr)} {s.dport}"
            print(
                f"{s.pid:7} {s.comm:16} {local:30} {remote:30} {s.sent:9} {s.received:9} {s.ns / 1e6:9.2f}", flush=True
            )


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else None)
    except KeyboardInterrupt:
        pass
