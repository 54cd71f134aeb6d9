"""Contexts that are packets.

Source: include/uapi/linux/bpf.h (struct xdp_md).
"""

from __future__ import annotations

from pybpf.compiler.schema.specs import ContextSpec, CtxField, StateSpec
from pybpf.compiler.schema.types import U32
from pybpf.stdlib.contexts.base import PACKET, PACKET_END, Packet

TYPE_CHECKING = False

__all__ = ["XdpContext"]


class XdpContext(Packet):
    """A frame as the driver received it: `struct xdp_md`."""

    if TYPE_CHECKING:
        data_meta: int
        ingress_ifindex: int
        rx_queue_index: int
        egress_ifindex: int


if not TYPE_CHECKING:
    XdpContext.__bpf__ = ContextSpec(
        "xdp_md",
        (
            CtxField("data", PACKET, 0, 4, "packet"),
            CtxField("data_end", PACKET_END, 4, 4, "packet_end"),
            CtxField("data_meta", U32, 8, 4),
            CtxField("ingress_ifindex", U32, 12, 4),
            CtxField("rx_queue_index", U32, 16, 4),
            CtxField("egress_ifindex", U32, 20, 4),
        ),
        (StateSpec("cursor", "data"),),
        XdpContext,
    )
