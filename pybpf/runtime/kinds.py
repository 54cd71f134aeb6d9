"""The kernel's map and program types by number (include/uapi/linux/bpf.h), for objects that come without specs."""

from __future__ import annotations

from pybpf.compiler.schema.specs import MapKind
from pybpf.stdlib.mapkinds import KINDS

__all__ = ["READABLE", "UNKNOWN_TO_OLD_LIBRARIES", "map_kind", "program_type"]

# maps whose elements user space can list, read and write as plain values
READABLE = frozenset([kind.name for kind in KINDS.values() if "lookup" in kind.user])
_BY_NUMBER = {kind.number: kind for kind in KINDS.values()}

_PROGRAMS = [
    "UNSPEC", "SOCKET_FILTER", "KPROBE", "SCHED_CLS", "SCHED_ACT", "TRACEPOINT", "XDP", "PERF_EVENT", "CGROUP_SKB",
    "CGROUP_SOCK", "LWT_IN", "LWT_OUT", "LWT_XMIT", "SOCK_OPS", "SK_SKB", "CGROUP_DEVICE", "SK_MSG", "RAW_TRACEPOINT",
    "CGROUP_SOCK_ADDR", "LWT_SEG6LOCAL", "LIRC_MODE2", "SK_REUSEPORT", "FLOW_DISSECTOR", "CGROUP_SYSCTL",
    "RAW_TRACEPOINT_WRITABLE", "CGROUP_SOCKOPT", "TRACING", "STRUCT_OPS", "EXT", "LSM", "SK_LOOKUP", "SYSCALL",
    "NETFILTER",
]  # fmt: skip

# Section -> program type and attach type, where libbpf 1.1 knows none and we attach without it: TCX.
UNKNOWN_TO_OLD_LIBRARIES = {"tcx/ingress": (3, 46), "tcx/egress": (3, 47)}


def map_kind(number: int) -> MapKind:
    """The kind of a map type number; one that is not in the table is named by its number."""
    return _BY_NUMBER.get(number) or MapKind(f"TYPE_{number}", number)


def program_type(number: int) -> str:
    """`XDP` for BPF_PROG_TYPE_XDP."""
    return _PROGRAMS[number] if number < len(_PROGRAMS) else f"TYPE_{number}"
