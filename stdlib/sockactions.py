"""What programs at sockets and cgroups answer with, where it is more than yes or no (include/uapi/linux/bpf.h)."""

from __future__ import annotations

from enum import IntEnum

from pybpf.stdlib.types import enum_type

__all__ = ["CgroupBind", "CgroupEgress", "SK"]


class SK(IntEnum):
    """What becomes of the packet or message, or of a socket's lookup: `enum sk_action`."""

    DROP = 0
    PASS = 1


class CgroupBind(IntEnum):
    """Whether bind(2) may go on: bit 0, and without CAP_NET_BIND_SERVICE also to ports below 1024: bit 1."""

    DENY = 0
    ALLOW = 1
    ALLOW_ANY_PORT = 3  # bit 1: BPF_RET_BIND_NO_CAP_NET_BIND_SERVICE


class CgroupEgress(IntEnum):
    """What becomes of a packet that a cgroup sends: bit 0 to send it, bit 1 to tell TCP of congestion (NET_XMIT_CN)."""

    DROP = 0
    PASS = 1
    DROP_CN = 2
    PASS_CN = 3


for _enum in (CgroupBind, CgroupEgress, SK):
    _enum.__bpf__ = enum_type(_enum)  # type: ignore[union-attr]
