"""What programs answer with: the return enums of the hooks (include/uapi/linux/bpf.h)."""

from __future__ import annotations

from enum import IntEnum

from pybpf.stdlib.types import enum_type

__all__ = ["FLOW", "LWT", "LWT_SEG6LOCAL", "LWT_XMIT", "NETFILTER", "NETKIT", "TC", "TCX", "XDP"]


class XDP(IntEnum):
    """What becomes of the frame: `enum xdp_action`."""

    ABORTED = 0
    DROP = 1
    PASS = 2
    TX = 3
    REDIRECT = 4


class TC(IntEnum):
    """What becomes of the packet at a queueing discipline: TC_ACT_* of include/uapi/linux/pkt_cls.h.

    UNSPEC goes on with the next filter, OK ends the filters and lets the packet on, SHOT drops it.
    """

    UNSPEC = -1
    OK = 0
    RECLASSIFY = 1
    SHOT = 2
    PIPE = 3
    STOLEN = 4
    QUEUED = 5
    REPEAT = 6
    REDIRECT = 7
    TRAP = 8


class TCX(IntEnum):
    """What becomes of the packet at an interface: `enum tcx_action_base`. NEXT goes on with the next program."""

    NEXT = -1
    PASS = 0
    DROP = 2
    REDIRECT = 7


class NETKIT(IntEnum):
    """What becomes of the packet at a netkit device: `enum netkit_action`. NEXT goes on with the next program."""

    NEXT = -1
    PASS = 0
    DROP = 2
    REDIRECT = 7


class LWT(IntEnum):
    """What becomes of a packet that comes in or goes out by a route: `enum bpf_ret_code`.

    REROUTE: look up the route again, after `helpers.bpf_lwt_push_encap()`.
    """

    OK = 0
    DROP = 2
    REROUTE = 128


class LWT_XMIT(IntEnum):
    """What becomes of a packet that leaves by a route: `enum bpf_ret_code`."""

    OK = 0
    DROP = 2
    REDIRECT = 7
    REROUTE = 128


class LWT_SEG6LOCAL(IntEnum):
    """What becomes of a packet with a segment routing header: `enum bpf_ret_code`.

    OK looks up its next hop, REDIRECT takes the one that `helpers.bpf_lwt_seg6_action()` found.
    """

    OK = 0
    DROP = 2
    REDIRECT = 7


class FLOW(IntEnum):
    """Whether the packet's flow was told: `enum bpf_ret_code`. CONTINUE leaves it to the kernel's dissector (6.0)."""

    OK = 0
    DROP = 2
    CONTINUE = 129


class NETFILTER(IntEnum):
    """What becomes of the packet in netfilter: NF_* of include/uapi/linux/netfilter.h. No others are allowed."""

    DROP = 0
    ACCEPT = 1


for _enum in (FLOW, LWT, LWT_SEG6LOCAL, LWT_XMIT, NETFILTER, NETKIT, TC, TCX, XDP):
    _enum.__bpf__ = enum_type(_enum)  # type: ignore[attr-defined]
