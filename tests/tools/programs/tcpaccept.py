"""Incoming TCP connections over IPv4. After tcpaccept of BCC."""

from pybpf import L, RingBuffer, Struct, Text, be32, comm, kretprobe, pid, u16, u32
from pybpf.kernel import sock

AF_INET = 2


class Accept(Struct):
    pid: u32
    saddr: be32
    daddr: be32
    lport: u16
    dport: u16
    comm: Text[L[16]]


accepts = RingBuffer[Accept](64 * 1024)


@kretprobe("inet_csk_accept")
def accepted(sk: sock | None) -> None:
    if sk is None:
        return
    common = sk.__sk_common
    if common.skc_family != AF_INET:
        return
    accepts.emit(
        Accept(
            pid=pid(),
            saddr=common.skc_rcv_saddr,
            daddr=common.skc_daddr,
            lport=common.skc_num,
            dport=common.skc_dport,
            comm=comm(),
        )
    )
