"""What programs at an interface answer with: traffic control, TCX, netkit (include/uapi/linux/pkt_cls.h, bpf.h)."""

from __future__ import annotations

from enum import IntEnum

from pybpf.stdlib.types import enum_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["NETKIT", "TC", "TCX"]


class NETKIT(IntEnum):
    """What becomes of the packet at a netkit device: `enum netkit_action`. NEXT goes on with the next program."""

    NEXT = -1
    PASS = 0
    DROP = 2
    REDIRECT = 7


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


_ENUMS: tuple[Any, ...] = (NETKIT, TC, TCX)
for _enum in _ENUMS:
    _enum.__bpf__ = enum_type(_enum)
