"""Sockets as helpers give them: `struct bpf_sock`, `bpf_tcp_sock`, and the addresses that a lookup takes.

Sources: include/uapi/linux/bpf.h; what may be read of each is in net/core/filter.c (bpf_sock_is_valid_access,
bpf_sock_common_is_valid_access, bpf_tcp_sock_is_valid_access). The structs are read in place, and not written.
"""

from __future__ import annotations

from pybpf.compiler.schema.types import I32, U32, U64, ArrayType, Field, IntType, StructType, size_of
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import Array, L, be16, be32, u8, u16, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.schema.types import Type

__all__ = [
    "SockTuple4", "SockTuple6", "Socket", "SocketCommon", "TcpFigures", "TcpSocket", "sockaddr_in", "sockaddr_in6",
    "socket_struct",
]  # fmt: skip


class SockTuple4(Struct):
    """The `ipv4` member of `struct bpf_sock_tuple`: whose connection is looked up."""

    saddr: be32
    daddr: be32
    sport: be16
    dport: be16


class SockTuple6(Struct):
    """The `ipv6` member of `struct bpf_sock_tuple`."""

    saddr: Array[u8, L[16]]
    daddr: Array[u8, L[16]]
    sport: be16
    dport: be16


class sockaddr_in(Struct):
    """An IPv4 address and port: include/uapi/linux/in.h. `sin_family` is AF_INET, 2."""

    sin_family: u16
    sin_port: be16
    sin_addr: be32
    sin_zero: Array[u8, L[8]] = Array[u8, L[8]]()


class sockaddr_in6(Struct):
    """An IPv6 address and port: include/uapi/linux/in6.h. `sin6_family` is AF_INET6, 10."""

    sin6_family: u16
    sin6_port: be16
    sin6_flowinfo: be32
    sin6_addr: Array[be32, L[4]]
    sin6_scope_id: u32


class SocketCommon:
    """A socket that may be no full one: a request, or one in TIME_WAIT. Numbers are in host byte order.

    `state` is one of TcpState, `family` one of AF_*, `bound_dev_if` the number of an interface or 0.
    """

    if TYPE_CHECKING:
        bound_dev_if: int
        family: int
        src_ip4: int
        src_ip6: Array[int, L[4]]
        src_port: int
        dst_port: int
        dst_ip4: int
        dst_ip6: Array[int, L[4]]
        state: int
        rx_queue_mapping: int


class Socket(SocketCommon):
    """A full socket: `struct bpf_sock`."""

    if TYPE_CHECKING:
        type: int
        protocol: int
        mark: int
        priority: int


if TYPE_CHECKING:

    class TcpFigures:
        """What is known of a TCP connection, for type checkers: here, and in the context of sockops programs."""

        snd_cwnd: int
        srtt_us: int
        rtt_min: int
        snd_ssthresh: int
        rcv_nxt: int
        snd_nxt: int
        snd_una: int
        mss_cache: int
        ecn_flags: int
        rate_delivered: int
        rate_interval_us: int
        packets_out: int
        retrans_out: int
        total_retrans: int
        segs_in: int
        data_segs_in: int
        segs_out: int
        data_segs_out: int
        lost_out: int
        sacked_out: int
        bytes_received: int
        bytes_acked: int

else:
    TcpFigures = object


class TcpSocket(TcpFigures):
    """What is known of a TCP connection, `struct bpf_tcp_sock`, as `helpers.bpf_tcp_sock(sk)` gives it."""

    if TYPE_CHECKING:
        dsack_dups: int
        delivered: int
        delivered_ce: int
        icsk_retransmits: int


_BE16, _BE32 = IntType(16, big=True), IntType(32, big=True)
_SOCK: dict[str, tuple[int, Type]] = {
    "bound_dev_if": (0, U32), "family": (4, U32), "type": (8, U32), "protocol": (12, U32), "mark": (16, U32),
    "priority": (20, U32), "src_ip4": (24, _BE32), "src_ip6": (28, ArrayType(_BE32, 4)), "src_port": (44, U32),
    "dst_port": (48, _BE16), "dst_ip4": (52, _BE32), "dst_ip6": (56, ArrayType(_BE32, 4)), "state": (72, U32),
    "rx_queue_mapping": (76, I32),
}  # fmt: skip
# Of a socket that may be a request or in TIME_WAIT, not yet or no longer a full one.
_ONLY_FULL = ("type", "protocol", "mark", "priority")
_TCP = (
    "snd_cwnd", "srtt_us", "rtt_min", "snd_ssthresh", "rcv_nxt", "snd_nxt", "snd_una", "mss_cache", "ecn_flags",
    "rate_delivered", "rate_interval_us", "packets_out", "retrans_out", "total_retrans", "segs_in", "data_segs_in",
    "segs_out", "data_segs_out", "lost_out", "sacked_out", "bytes_received", "bytes_acked", "dsack_dups", "delivered",
    "delivered_ce", "icsk_retransmits",
)  # fmt: skip
_WIDE = ("bytes_received", "bytes_acked")

_made: dict[str, StructType] = {}


def socket_struct(name: str) -> StructType | None:
    """`bpf_sock`, `bpf_sock_common` (one that may be no full socket), `bpf_tcp_sock`; None for any other name."""
    if name not in _made:
        if name in ("bpf_sock", "bpf_sock_common"):
            kept = [n for n in _SOCK if name == "bpf_sock" or n not in _ONLY_FULL]
            fields = tuple([Field(n, _SOCK[n][1], _SOCK[n][0]) for n in kept])
            _made[name] = StructType(name, fields, 80, 4, owner=Socket if name == "bpf_sock" else SocketCommon)
        elif name == "bpf_tcp_sock":
            _made[name] = _tcp()
        else:
            return None
    return _made[name]


def _tcp() -> StructType:
    fields, at = [], 0
    for name in _TCP:
        kind = U64 if name in _WIDE else U32
        at += -at % size_of(kind)
        fields.append(Field(name, kind, at))
        at += size_of(kind)
    return StructType("bpf_tcp_sock", tuple(fields), at + -at % 8, 8, owner=TcpSocket)


if not TYPE_CHECKING:
    SocketCommon.__bpf__ = socket_struct("bpf_sock_common")
    Socket.__bpf__ = socket_struct("bpf_sock")
    TcpSocket.__bpf__ = socket_struct("bpf_tcp_sock")
