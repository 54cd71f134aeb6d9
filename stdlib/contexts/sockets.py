"""Contexts of programs that sit at sockets.

Sources: include/uapi/linux/bpf.h; net/core/filter.c (sock_ops_, sk_msg_, sk_skb_, sk_lookup_ and
sk_reuseport_is_valid_access). Addresses and ports read in host byte order.
"""

from __future__ import annotations

from pybpf.compiler.schema.types import U32, U64, ArrayType
from pybpf.stdlib.builtins import sizeof
from pybpf.stdlib.contexts.base import PACKET, PACKET_END, Context, Packet
from pybpf.stdlib.contexts.rows import BE16, BE32, Rows, chosen, socket
from pybpf.stdlib.contexts.skb import SkbContext, skb_spec
from pybpf.stdlib.helpers import (
    bpf_load_hdr_opt,
    bpf_msg_apply_bytes,
    bpf_msg_cork_bytes,
    bpf_msg_pop_data,
    bpf_msg_pull_data,
    bpf_msg_push_data,
    bpf_msg_redirect_hash,
    bpf_msg_redirect_map,
    bpf_reserve_hdr_opt,
    bpf_sk_assign,
    bpf_sk_redirect_hash,
    bpf_sk_redirect_map,
    bpf_skb_pull_data,
    bpf_sock_ops_cb_flags_set,
    bpf_store_hdr_opt,
)
from pybpf.stdlib.sockactions import SK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from pybpf.stdlib.maps.sockets import SockHash, SockMap
    from pybpf.stdlib.net.sockets import Socket, SocketCommon
    from pybpf.stdlib.struct import Struct
    from pybpf.stdlib.types import Array, L

    H = TypeVar("H", bound=Struct)

__all__ = ["SkLookupContext", "SkMsgContext", "SkReuseportContext", "SkSkbContext", "SockOpsContext"]


if TYPE_CHECKING:
    from pybpf.stdlib.net.sockets import TcpFigures as _TcpFigures
else:
    _TcpFigures = object


class SockOpsContext(Context, _TcpFigures):
    """Something that happens to a TCP connection: `struct bpf_sock_ops`. `op` says what, as SockOp has it.

    `args` are the event's own; `reply` is what the kernel takes from the program, where the event asks for something.
    `skb_data` to `skb_data_end` is the TCP header that header options are read from.
    """

    if TYPE_CHECKING:
        op: int
        args: Array[int, L[4]]
        reply: int
        family: int
        remote_ip4: int
        local_ip4: int
        remote_ip6: Array[int, L[4]]
        local_ip6: Array[int, L[4]]
        remote_port: int
        local_port: int
        is_fullsock: int
        bpf_sock_ops_cb_flags: int
        state: int
        sk_txhash: int
        sk: Socket | None
        skb_data: int
        skb_data_end: int
        skb_len: int
        skb_tcp_flags: int
        skb_hwtstamp: int

    def set_flags(self, flags: int) -> int:
        """Ask for more events of this connection: bits of SockOpsFlag. 0, or those that the kernel does not know."""
        return bpf_sock_ops_cb_flags_set(self, flags)

    def header(self, kind: type[H]) -> H | None:
        """The start of the packet's TCP header; None where there is no packet, or a shorter one."""
        start = self.skb_data
        if start + sizeof(kind) > self.skb_data_end:
            return None
        return kind.at(start)

    def load_option(self, into: Struct | Array[Any, Any], flags: int = 0) -> int:
        """Find the TCP header option whose kind (and length, and magic) `into` begins with, and read it into that.

        Its length in bytes, or a negative error: -ENOENT (-2) where there is none. Linux 5.10.
        """
        return bpf_load_hdr_opt(self, into, sizeof(into), flags)

    def reserve_option(self, size: int) -> int:
        """In HDR_OPT_LEN_CB: make room for a header option of so many bytes. 0, or a negative error. Linux 5.10."""
        return bpf_reserve_hdr_opt(self, size, 0)

    def store_option(self, option: Struct | Array[Any, Any]) -> int:
        """In WRITE_HDR_OPT_CB: write a header option: its kind, its length, its data. 0, or a negative error."""
        return bpf_store_hdr_opt(self, option, sizeof(option), 0)


class SkMsgContext(Packet):
    """Data that a program hands to a socket of a SockMap to send: `struct sk_msg_md`. `size` is all of it, in bytes.

    `data` to `data_end` may be only a part of it: see `pull_data`. It can be changed in place.
    """

    if TYPE_CHECKING:
        family: int
        remote_ip4: int
        local_ip4: int
        remote_ip6: Array[int, L[4]]
        local_ip6: Array[int, L[4]]
        remote_port: int
        local_port: int
        size: int
        sk: Socket

    def apply_bytes(self, count: int) -> int:
        """The answer counts for the next `count` bytes, also of later calls."""
        return bpf_msg_apply_bytes(self, count)

    def cork_bytes(self, count: int) -> int:
        """Run the program again when so many bytes have come together, and not before."""
        return bpf_msg_cork_bytes(self, count)

    def redirect_map(self, socks: SockMap, key: int, flags: int = 0) -> SK:
        """Send the data on to a socket of a SockMap: `socks.redirect(msg, key)`."""
        return SK.PASS if bpf_msg_redirect_map(self, socks, key, flags) else SK.DROP

    def redirect_hash(self, socks: SockHash[Any], key: Any, flags: int = 0) -> SK:
        """Send the data on to a socket of a SockHash: `socks.redirect(msg, key)`."""
        return SK.PASS if bpf_msg_redirect_hash(self, socks, key, flags) else SK.DROP

    def pull_data(self, start: int, end: int) -> bool:
        """Make the bytes from `start` to `end` readable in place; they begin at `data`. What was parsed is gone."""
        return bpf_msg_pull_data(self, start, end, 0) == 0

    def push_data(self, start: int, count: int) -> bool:
        """Make room for `count` bytes at `start`. What was parsed is gone. Linux 4.20."""
        return bpf_msg_push_data(self, start, count, 0) == 0

    def pop_data(self, start: int, count: int) -> bool:
        """Take `count` bytes out at `start`. What was parsed is gone. Linux 5.0."""
        return bpf_msg_pop_data(self, start, count, 0) == 0


class SkSkbContext(SkbContext, Packet):
    """Data that came in for a socket of a SockMap. It begins where the application's data do, and can be changed.

    Addresses and ports are the socket's.
    """

    if TYPE_CHECKING:
        family: int
        remote_ip4: int
        local_ip4: int
        remote_ip6: Array[int, L[4]]
        local_ip6: Array[int, L[4]]
        remote_port: int
        local_port: int

    def redirect_map(self, socks: SockMap, key: int, flags: int = 0) -> SK:
        """Send the data on to a socket of a SockMap: `socks.redirect(skb, key)`."""
        return SK.PASS if bpf_sk_redirect_map(self, socks, key, flags) else SK.DROP

    def redirect_hash(self, socks: SockHash[Any], key: Any, flags: int = 0) -> SK:
        """Send the data on to a socket of a SockHash: `socks.redirect(skb, key)`."""
        return SK.PASS if bpf_sk_redirect_hash(self, socks, key, flags) else SK.DROP

    def pull_data(self, count: int = 0) -> bool:
        """Make the first `count` bytes (0: all that lie in one piece) readable and writable in place."""
        return bpf_skb_pull_data(self, count) == 0


class SkLookupContext(Context):
    """A new connection, or a datagram, that looks for its listening socket: `struct bpf_sk_lookup`.

    `sk` is the socket that an earlier program chose, if one did.
    """

    if TYPE_CHECKING:
        sk: Socket | None
        family: int
        protocol: int
        remote_ip4: int
        remote_ip6: Array[int, L[4]]
        remote_port: int
        local_ip4: int
        local_ip6: Array[int, L[4]]
        local_port: int
        ingress_ifindex: int

    def assign(self, sk: Socket, flags: int = 0) -> int:
        """Choose a socket; the program still releases its reference, and answers SK.PASS. 0, or a negative error.

        `flags`: BPF_SK_LOOKUP_F_REPLACE 1 (another was chosen), BPF_SK_LOOKUP_F_NO_REUSEPORT 2.
        """
        return bpf_sk_assign(self, sk, flags)


class SkReuseportContext(Packet):
    """A packet for one of the sockets that share a port by SO_REUSEPORT: `struct sk_reuseport_md`.

    It begins with the TCP or UDP header. `hash` is that of its addresses and ports; `eth_protocol` ETH_P_*,
    `ip_protocol` IPPROTO_*; `bind_inany` is 1 where the sockets are bound to any address; `sk` is one of them.
    `migrating_sk` is the socket whose connection is moved, in programs of `@sk_reuseport.migrate`.
    """

    if TYPE_CHECKING:
        len: int
        eth_protocol: int
        ip_protocol: int
        bind_inany: int
        hash: int
        sk: Socket
        migrating_sk: SocketCommon | None


# --- specs

if not TYPE_CHECKING:
    _IP6 = ArrayType(BE32, 4)
    _SOCK_OPS: Rows = {
        "op": (U32, 0), "args": (ArrayType(U32, 4), 4, 16, "array"), "reply": (U32, 4), "family": (U32, 20),
        "remote_ip4": (BE32, 24), "local_ip4": (BE32, 28), "remote_ip6": (_IP6, 32, 16, "array"),
        "local_ip6": (_IP6, 48, 16, "array"), "remote_port": (BE32, 64), "local_port": (U32, 68),
    }  # fmt: skip
    _WORDS = (
        "is_fullsock snd_cwnd srtt_us bpf_sock_ops_cb_flags state rtt_min snd_ssthresh rcv_nxt snd_nxt snd_una "
        "mss_cache ecn_flags rate_delivered rate_interval_us packets_out retrans_out total_retrans segs_in "
        "data_segs_in segs_out data_segs_out lost_out sacked_out sk_txhash"
    )
    _SOCK_OPS.update({name: (U32, 72 + 4 * at) for at, name in enumerate(_WORDS.split())})
    _SOCK_OPS.update({
        "bytes_received": (U64, 168), "bytes_acked": (U64, 176),
        "sk": (socket("bpf_sock", nullable=True), 184, 8, "", "5.3"),
        "skb_data": (PACKET, 192, 8, "packet", "5.10"), "skb_data_end": (PACKET_END, 200, 8, "packet_end", "5.10"),
        "skb_len": (U32, 208, 4, "", "5.10"), "skb_tcp_flags": (U32, 212, 4, "", "5.10"),
        "skb_hwtstamp": (U64, 216, 8, "", "6.2"),
    })  # fmt: skip
    SockOpsContext.__bpf__ = chosen("bpf_sock_ops", _SOCK_OPS, SockOpsContext, writable="reply sk_txhash")

    # The port lies in the upper half of its word.
    SkMsgContext.__bpf__ = chosen(
        "sk_msg_md",
        {
            "data": (PACKET, 0, 8, "packet"), "data_end": (PACKET_END, 8, 8, "packet_end"), "family": (U32, 16),
            "remote_ip4": (BE32, 20), "local_ip4": (BE32, 24), "remote_ip6": (_IP6, 28, 16, "array"),
            "local_ip6": (_IP6, 44, 16, "array"), "remote_port": (BE32, 60), "local_port": (U32, 64),
            "size": (U32, 68), "sk": (socket("bpf_sock", nullable=False), 72, 8, "", "5.7"),
        },
        SkMsgContext, cursor="data", changes=True,
    )  # fmt: skip

    SkSkbContext.__bpf__ = skb_spec(
        SkSkbContext, "family remote_ip4 local_ip4 remote_ip6 local_ip6 remote_port local_port",
        "tc_index priority", packet="rw",
        common="len pkt_type queue_mapping protocol vlan_present vlan_tci vlan_proto priority ingress_ifindex ifindex "
        "tc_index cb hash napi_id gso_segs gso_size sk",
    )  # fmt: skip

    SkLookupContext.__bpf__ = chosen(
        "bpf_sk_lookup",
        {
            "sk": (socket("bpf_sock", nullable=True), 0, 8), "family": (U32, 8),
            "protocol": (U32, 12), "remote_ip4": (BE32, 16), "remote_ip6": (_IP6, 20, 16, "array"),
            "remote_port": (BE16, 36), "local_ip4": (BE32, 40), "local_ip6": (_IP6, 44, 16, "array"),
            "local_port": (U32, 60), "ingress_ifindex": (U32, 64, 4, "", "5.17"),
        },
        SkLookupContext,
    )  # fmt: skip

    SkReuseportContext.__bpf__ = chosen(
        "sk_reuseport_md",
        {
            "data": (PACKET, 0, 8, "packet"), "data_end": (PACKET_END, 8, 8, "packet_end"), "len": (U32, 16),
            "eth_protocol": (BE16, 20, 4), "ip_protocol": (U32, 24), "bind_inany": (U32, 28), "hash": (U32, 32),
            "sk": (socket("bpf_sock", nullable=False), 40, 8, "", "5.14"),
            "migrating_sk": (socket("bpf_sock_common", nullable=True), 48, 8, "", "5.14"),
        },
        SkReuseportContext, cursor="data",
    )  # fmt: skip
