"""Outgoing TCP connections over IPv4. After tcpconnect of BCC."""

from pybpf import HashMap, L, RingBuffer, Struct, Text, be32, comm, i32, kprobe, kretprobe, pid, tid, u16, u32, u64
from pybpf.kernel import sock


class Connect(Struct):
    pid: u32
    saddr: be32
    daddr: be32
    sport: u16
    dport: u16
    comm: Text[L[16]]


sockets = HashMap[u32, u64](max_entries=8192)
connects = RingBuffer[Connect](64 * 1024)


@kprobe("tcp_v4_connect")
def enter(sk: sock) -> None:
    sockets[tid()] = u64(sk)


@kretprobe("tcp_v4_connect")
def leave(ret: i32) -> None:
    address = sockets.pop(tid(), None)
    if address is None or ret != 0:
        return
    common = sock(address).__sk_common
    connects.emit(
        Connect(
            pid=pid(),
            saddr=common.skc_rcv_saddr,
            daddr=common.skc_daddr,
            sport=common.skc_num,
            dport=common.skc_dport,
            comm=comm(),
        )
    )
