"""Contexts that are socket buffers: what programs see of `struct __sk_buff`, by the place that they run at.

SkbContext has what all of them may read; a class below it adds what its place gives. `skb_spec` makes the spec of
such a class from the names of fields.

Sources: include/uapi/linux/bpf.h (struct __sk_buff); net/core/filter.c, bpf_skb_is_valid_access() and the functions
of the program types that call it: sk_filter_, tc_cls_act_, lwt_, cg_skb_, sk_skb_ and flow_dissector_is_valid_access().
"""

from __future__ import annotations

from pybpf.compiler.schema.specs import ContextSpec, CtxField, StateSpec
from pybpf.compiler.schema.types import (
    U8,
    U16,
    U32,
    U64,
    ArrayType,
    Field,
    IntType,
    OptionalType,
    PtrType,
    Space,
    StructType,
)
from pybpf.stdlib.builtins import sizeof
from pybpf.stdlib.contexts.base import PACKET, PACKET_END, Context, MetaPacket, Packet
from pybpf.stdlib.helpers import (
    bpf_clone_redirect,
    bpf_get_hash_recalc,
    bpf_redirect,
    bpf_redirect_peer,
    bpf_skb_adjust_room,
    bpf_skb_change_head,
    bpf_skb_change_tail,
    bpf_skb_load_bytes,
    bpf_skb_pull_data,
    bpf_skb_store_bytes,
    bpf_skb_vlan_pop,
    bpf_skb_vlan_push,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pybpf.stdlib.net.sockets import SocketCommon
    from pybpf.stdlib.routeactions import LWT_XMIT
    from pybpf.stdlib.struct import Struct
    from pybpf.stdlib.tcactions import TC
    from pybpf.stdlib.types import Array, Bytes, L, be32

__all__ = [
    "FlowDissectorContext",
    "FlowKeys",
    "LwtContext",
    "LwtXmitContext",
    "SkbContext",
    "SocketFilterContext",
    "TcContext",
    "skb_spec",
]


class SkbContext(Context):
    """A packet in the network stack: `struct __sk_buff`. Numbers are in host byte order.

    `len` is the whole packet's, in bytes; `pkt_type` one of PACKET_* of linux/if_packet.h; `ingress_ifindex` the
    interface that it came in by, `ifindex` that where it is now; `cb` five words for programs that run one after
    the other; `sk` the socket that it belongs to, if there is one, of which only some fields may be read before
    `helpers.bpf_sk_fullsock()` gave the full one.
    """

    if TYPE_CHECKING:
        len: int
        pkt_type: int
        mark: int
        queue_mapping: int
        protocol: int
        vlan_present: int
        vlan_tci: int
        vlan_proto: int
        priority: int
        ingress_ifindex: int
        ifindex: int
        tc_index: int
        cb: Array[int, L[5]]
        hash: int
        napi_id: int
        gso_segs: int
        gso_size: int
        sk: SocketCommon | None

    def load_bytes(self, offset: int, into: Struct | Array[Any, Any] | Bytes[Any]) -> bool:
        """Copy the packet's bytes from `offset` on into `into`, as many as it holds; False where there are too few.

        Also of a packet that does not lie in one piece. Offset 0 is where `data` begins: the Ethernet header, or the
        network header at hooks that see none. Linux 4.5.
        """
        return bpf_skb_load_bytes(self, offset, into, sizeof(into)) == 0


class _Changing(SkbContext):
    """What places that may change the packet have. After most of these, headers must be parsed anew."""

    def store_bytes(self, offset: int, value: Struct | Array[Any, Any] | Bytes[Any], flags: int = 0) -> bool:
        """Overwrite the packet from `offset` on with `value`; False where it is too short.

        `flags`: BPF_F_RECOMPUTE_CSUM 1, BPF_F_INVALIDATE_HASH 2. Linux 4.1.
        """
        return bpf_skb_store_bytes(self, offset, value, sizeof(value), flags) == 0

    def pull_data(self, count: int = 0) -> bool:
        """Make the first `count` bytes (0: all that lie in one piece) readable and writable in place. Linux 4.9."""
        return bpf_skb_pull_data(self, count) == 0

    def change_tail(self, length: int) -> bool:
        """Cut or grow the packet to `length` bytes; False where it can't be. Linux 4.9."""
        return bpf_skb_change_tail(self, length, 0) == 0

    def change_head(self, count: int) -> bool:
        """Make room for `count` bytes in front of the packet, filled with zeros; False where there is none."""
        return bpf_skb_change_head(self, count, 0) == 0


class TcContext(_Changing, MetaPacket):
    """A packet at a network interface, on its way in or out: what `@tc`, `@tcx` and `@netkit` programs are given.

    `tstamp` is in nanoseconds, of the clock that `tstamp_type` says; `hwtstamp` the network card's; `wire_len` the
    length that shapers count; `tc_classid` the class that a queueing discipline takes.
    """

    if TYPE_CHECKING:
        tc_classid: int
        tstamp: int
        tstamp_type: int
        wire_len: int
        hwtstamp: int

    def adjust_room(self, count: int, mode: int = 0, flags: int = 0) -> bool:
        """Grow (or, negative, shrink) the room for headers by `count` bytes, behind the network header (`mode` 0) or
        the link header (1). `flags`: BPF_F_ADJ_ROOM_*. Linux 4.13."""
        return bpf_skb_adjust_room(self, count, mode, flags) == 0

    def vlan_push(self, proto: int, tci: int) -> bool:
        """Put a VLAN tag on; `proto` is ETH_P_8021Q or ETH_P_8021AD. Linux 4.3."""
        return bpf_skb_vlan_push(self, proto, tci) == 0

    def vlan_pop(self) -> bool:
        """Take a VLAN tag off. Linux 4.3."""
        return bpf_skb_vlan_pop(self) == 0

    def flow_hash(self) -> int:
        """The hash of the packet's flow, worked out where the card gave none. Linux 4.8."""
        return bpf_get_hash_recalc(self)

    def redirect(self, ifindex: int, flags: int = 0) -> TC:
        """Send the packet out of another interface, or with BPF_F_INGRESS (1) let it come in there: what to return."""
        return bpf_redirect(ifindex, flags)  # type: ignore[return-value]

    def redirect_peer(self, ifindex: int) -> TC:
        """Let the packet come in at the other end of a veth or netkit pair; at ingress only. Linux 5.10."""
        return bpf_redirect_peer(ifindex, 0)  # type: ignore[return-value]

    def clone_redirect(self, ifindex: int, flags: int = 0) -> bool:
        """Send a copy out of another interface (BPF_F_INGRESS, 1: let it come in there), and go on. Linux 4.2."""
        return bpf_clone_redirect(self, ifindex, flags) == 0


class SocketFilterContext(SkbContext):
    """A packet on its way to a socket. It is read by `load_bytes`; for a TCP or UDP socket offset 0 is the transport
    header, for a packet socket the link header."""


class LwtContext(SkbContext, Packet):
    """A packet that takes a route, from its network header on: what `@lwt` programs are given. They may not change it
    in place."""

    def pull_data(self, count: int = 0) -> bool:
        """Make the first `count` bytes (0: all that lie in one piece) readable in place. Linux 4.9."""
        return bpf_skb_pull_data(self, count) == 0


class LwtXmitContext(_Changing, LwtContext):
    """A packet that leaves by a route, from its network header on: what `@lwt.xmit` programs are given."""

    def redirect(self, ifindex: int, flags: int = 0) -> LWT_XMIT:
        """Send the packet out of another interface, or with BPF_F_INGRESS (1) let it come in there: what to return."""
        return bpf_redirect(ifindex, flags)  # type: ignore[return-value]


class FlowKeys:
    """What a flow dissector finds out: `struct bpf_flow_keys`. Offsets are in bytes from the packet's start.

    Addresses are in `ipv4_src` and `ipv4_dst`, or in `ipv6_src` and `ipv6_dst`, at the same place.
    """

    if TYPE_CHECKING:
        nhoff: int
        thoff: int
        addr_proto: int
        is_frag: int
        is_first_frag: int
        is_encap: int
        ip_proto: int
        n_proto: int
        sport: int
        dport: int
        ipv4_src: int
        ipv4_dst: int
        ipv6_src: Array[be32, L[4]]
        ipv6_dst: Array[be32, L[4]]
        flags: int
        flow_label: int


class FlowDissectorContext(Packet):
    """A packet whose flow is to be told, and `flow_keys`, where to write that."""

    if TYPE_CHECKING:
        flow_keys: FlowKeys


# --- specs

_BE16, _BE32 = IntType(16, big=True), IntType(32, big=True)
_FIELDS: dict[str, CtxField] = {}


def _fields() -> dict[str, CtxField]:
    """All of `struct __sk_buff`, by name."""
    if not _FIELDS:
        from pybpf.stdlib.net.sockets import socket_struct

        sock = socket_struct("bpf_sock_common")
        rows: dict[str, tuple[Any, ...]] = {
            "len": (U32, 0), "pkt_type": (U32, 4), "mark": (U32, 8), "queue_mapping": (U32, 12),
            "protocol": (_BE16, 16), "vlan_present": (U32, 20), "vlan_tci": (U32, 24), "vlan_proto": (_BE16, 28),
            "priority": (U32, 32), "ingress_ifindex": (U32, 36), "ifindex": (U32, 40), "tc_index": (U32, 44),
            "cb": (ArrayType(U32, 5), 48, 20, "array"), "hash": (U32, 68), "tc_classid": (U32, 72),
            "data": (PACKET, 76, 4, "packet"), "data_end": (PACKET_END, 80, 4, "packet_end"), "napi_id": (U32, 84),
            "family": (U32, 88), "remote_ip4": (_BE32, 92), "local_ip4": (_BE32, 96),
            "remote_ip6": (ArrayType(_BE32, 4), 100, 16, "array"),
            "local_ip6": (ArrayType(_BE32, 4), 116, 16, "array"),
            "remote_port": (_BE32, 132), "local_port": (U32, 136), "data_meta": (PACKET, 140, 4, "packet_meta"),
            "flow_keys": (PtrType(_flow_keys(), Space.LENT), 144, 8), "tstamp": (U64, 152, 8), "wire_len": (U32, 160),
            "gso_segs": (U32, 164), "sk": (OptionalType(PtrType(sock, Space.TRUSTED)), 168, 8), "gso_size": (U32, 176),
            "tstamp_type": (U8, 180), "hwtstamp": (U64, 184, 8),
        }  # fmt: skip
        for name, (kind, offset, *more) in rows.items():
            size, role = (*more, "", "")[:2] if more else (0, "")
            _FIELDS[name] = CtxField(name, kind, offset, size or (kind.bits // 8), role)
    return _FIELDS


def _flow_keys() -> StructType:
    rows = {
        "nhoff": (U16, 0), "thoff": (U16, 2), "addr_proto": (U16, 4), "is_frag": (U8, 6), "is_first_frag": (U8, 7),
        "is_encap": (U8, 8), "ip_proto": (U8, 9), "n_proto": (_BE16, 10), "sport": (_BE16, 12), "dport": (_BE16, 14),
        "ipv4_src": (_BE32, 16), "ipv4_dst": (_BE32, 20), "ipv6_src": (ArrayType(_BE32, 4), 16),
        "ipv6_dst": (ArrayType(_BE32, 4), 32), "flags": (U32, 48), "flow_label": (_BE32, 52),
    }  # fmt: skip
    fields = tuple([Field(name, kind, offset) for name, (kind, offset) in rows.items()])
    return StructType("bpf_flow_keys", fields, 56, 4, owner=FlowKeys)


_COMMON = (
    "len pkt_type mark queue_mapping protocol vlan_present vlan_tci vlan_proto priority ingress_ifindex ifindex "
    "tc_index cb hash napi_id gso_segs gso_size sk"
)


def skb_spec(
    owner: type, more: str = "", writable: str = "", *, packet: str = "", common: str = _COMMON
) -> ContextSpec:
    """The spec of a class below SkbContext: the common fields and `more`, of which `writable` may be changed.

    `packet`: "" where the packet can't be read in place, "r" where it can be, "rw" where it may be changed there too.
    """
    known, changed = _fields(), writable.split()
    names = [*common.split(), *more.split(), *(("data", "data_end") if packet else ())]
    fields = [known[name] for name in names]
    made: Iterable[CtxField] = [
        CtxField(f.name, f.type, f.offset, f.size, f.role, True) if f.name in changed else f for f in fields
    ]
    state = (StateSpec("cursor", "data"),) if packet else ()
    return ContextSpec("__sk_buff", tuple(made), state, owner, packet_writable=packet == "rw")


if not TYPE_CHECKING:
    SkbContext.__bpf__ = skb_spec(SkbContext)
    SocketFilterContext.__bpf__ = skb_spec(SocketFilterContext, writable="cb")
    TcContext.__bpf__ = skb_spec(
        TcContext, "tc_classid data_meta tstamp tstamp_type wire_len hwtstamp",
        "mark tc_index priority tc_classid cb tstamp queue_mapping", packet="rw",
    )  # fmt: skip
    LwtContext.__bpf__ = skb_spec(LwtContext, writable="mark priority cb", packet="r")
    LwtXmitContext.__bpf__ = skb_spec(LwtXmitContext, writable="mark priority cb", packet="rw")
    FlowDissectorContext.__bpf__ = skb_spec(FlowDissectorContext, "flow_keys", packet="r", common="")
