"""What programs of routes, flow dissectors and netfilter answer with (include/uapi/linux/bpf.h, netfilter.h)."""

from __future__ import annotations

from enum import IntEnum

from pybpf.stdlib.types import enum_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["FLOW", "LWT", "LWT_SEG6LOCAL", "LWT_XMIT", "NETFILTER"]


class FLOW(IntEnum):
    """Whether the packet's flow was told: `enum bpf_ret_code`. CONTINUE leaves it to the kernel's dissector (6.0)."""

    OK = 0
    DROP = 2
    CONTINUE = 129


class LWT(IntEnum):
    """What becomes of a packet that comes in or goes out by a route: `enum bpf_ret_code`.

    REROUTE: look up the route again, after `helpers.bpf_lwt_push_encap()`.
    """

    OK = 0
    DROP = 2
    REROUTE = 128


class LWT_SEG6LOCAL(IntEnum):
    """What becomes of a packet with a segment routing header: `enum bpf_ret_code`.

    OK looks up its next hop, REDIRECT takes the one that `helpers.bpf_lwt_seg6_action()` found.
    """

    OK = 0
    DROP = 2
    REDIRECT = 7


class LWT_XMIT(IntEnum):
    """What becomes of a packet that leaves by a route: `enum bpf_ret_code`."""

    OK = 0
    DROP = 2
    REDIRECT = 7
    REROUTE = 128


class NETFILTER(IntEnum):
    """What becomes of the packet in netfilter: NF_* of include/uapi/linux/netfilter.h. No others are allowed."""

    DROP = 0
    ACCEPT = 1


_ENUMS: tuple[Any, ...] = (FLOW, LWT, LWT_SEG6LOCAL, LWT_XMIT, NETFILTER)
for _enum in _ENUMS:
    _enum.__bpf__ = enum_type(_enum)
