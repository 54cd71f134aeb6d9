"""The context of XDP programs: a frame as the driver has it.

Source: include/uapi/linux/bpf.h (struct xdp_md); net/core/filter.c, xdp_is_valid_access().
"""

from __future__ import annotations

from pybpf.compiler.schema.specs import ContextSpec, CtxField, StateSpec
from pybpf.compiler.schema.types import U32
from pybpf.stdlib.builtins import sizeof
from pybpf.stdlib.contexts.base import PACKET, PACKET_END, MetaPacket
from pybpf.stdlib.helpers import (
    bpf_redirect,
    bpf_xdp_adjust_head,
    bpf_xdp_adjust_meta,
    bpf_xdp_adjust_tail,
    bpf_xdp_get_buff_len,
    bpf_xdp_load_bytes,
    bpf_xdp_store_bytes,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.stdlib.actions import XDP
    from pybpf.stdlib.struct import Struct
    from pybpf.stdlib.types import Array, Bytes

__all__ = ["XdpContext", "XdpDevmapContext"]


class XdpContext(MetaPacket):
    """A frame as the driver received it: `struct xdp_md`.

    After `adjust_head`, `adjust_tail` and `adjust_meta` headers must be parsed anew, from the frame's start.
    """

    if TYPE_CHECKING:
        ingress_ifindex: int
        rx_queue_index: int

    def adjust_head(self, delta: int) -> bool:
        """Move the frame's start by `delta` bytes: negative ones make room in front. False if it can't. 4.10."""
        return bpf_xdp_adjust_head(self, delta) == 0

    def adjust_tail(self, delta: int) -> bool:
        """Move the frame's end by `delta` bytes, negative ones cut it. False if it can't. Linux 4.18; to grow 5.8."""
        return bpf_xdp_adjust_tail(self, delta) == 0

    def adjust_meta(self, delta: int) -> bool:
        """Make room for metadata in front of the frame, which `meta()` then gives: `delta` is minus its size.

        That is a multiple of 4 up to 32 bytes, 252 from Linux 6.5 on. False where the driver has none. Linux 4.15.
        """
        return bpf_xdp_adjust_meta(self, delta) == 0

    def length(self) -> int:
        """The whole frame's length in bytes, with all of its buffers. Linux 5.18."""
        return bpf_xdp_get_buff_len(self)

    def load_bytes(self, offset: int, into: Struct | Array[Any, Any] | Bytes[Any]) -> bool:
        """Copy the frame's bytes from `offset` on into `into`, also from further buffers; False if there are too few.

        Linux 5.18.
        """
        return bpf_xdp_load_bytes(self, offset, into, sizeof(into)) == 0

    def store_bytes(self, offset: int, value: Struct | Array[Any, Any] | Bytes[Any]) -> bool:
        """Overwrite the frame from `offset` on with `value`, also in further buffers; False if it is too short.

        Linux 5.18.
        """
        return bpf_xdp_store_bytes(self, offset, value, sizeof(value)) == 0

    def redirect(self, ifindex: int) -> XDP:
        """Send the frame out of another interface: what to return. Linux 4.14; a `DevMap` is faster, and names more."""
        return bpf_redirect(ifindex, 0)  # type: ignore[return-value]


class XdpDevmapContext(XdpContext):
    """A frame that a device map sends out: `egress_ifindex` is the interface that it leaves by."""

    if TYPE_CHECKING:
        egress_ifindex: int


def _spec(owner: type, *more: CtxField) -> ContextSpec:
    return ContextSpec(
        "xdp_md",
        (
            CtxField("data", PACKET, 0, 4, "packet"),
            CtxField("data_end", PACKET_END, 4, 4, "packet_end"),
            CtxField("data_meta", PACKET, 8, 4, "packet_meta"),
            CtxField("ingress_ifindex", U32, 12, 4),
            CtxField("rx_queue_index", U32, 16, 4),
            *more,
        ),
        (StateSpec("cursor", "data"),),
        owner,
    )


if not TYPE_CHECKING:
    XdpContext.__bpf__ = _spec(XdpContext)
    XdpDevmapContext.__bpf__ = _spec(XdpDevmapContext, CtxField("egress_ifindex", U32, 20, 4))
