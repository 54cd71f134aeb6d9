"""What XDP programs answer with (include/uapi/linux/bpf.h).

Each family of hooks has a module of its answers: making an enumeration takes a noticeable part of a start.
"""

from __future__ import annotations

from enum import IntEnum

from pybpf.stdlib.types import enum_type

__all__ = ["XDP"]


class XDP(IntEnum):
    """What becomes of the frame: `enum xdp_action`."""

    ABORTED = 0
    DROP = 1
    PASS = 2
    TX = 3
    REDIRECT = 4


XDP.__bpf__ = enum_type(XDP)  # type: ignore[attr-defined]
