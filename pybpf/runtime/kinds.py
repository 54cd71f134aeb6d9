"""The kernel's map and program types by number (include/uapi/linux/bpf.h), for objects that come without specs."""

from __future__ import annotations

from pybpf.compiler.schema.specs import MapKind
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.sections import SECTIONS

__all__ = ["READABLE", "map_kind", "program_type", "unknown_to_libraries"]

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

# Attach types that libbpf 1.1 has no sections for (enum bpf_attach_type); "0": of sections that newer ones lack too.
_ATTACH_TYPES = {
    "0": 0, "BPF_SK_SKB_VERDICT": 38,
    "BPF_NETFILTER": 45, "BPF_TCX_INGRESS": 46, "BPF_TCX_EGRESS": 47, "BPF_TRACE_UPROBE_MULTI": 48,
    "BPF_CGROUP_UNIX_CONNECT": 49, "BPF_CGROUP_UNIX_SENDMSG": 50, "BPF_CGROUP_UNIX_RECVMSG": 51,
    "BPF_CGROUP_UNIX_GETPEERNAME": 52, "BPF_CGROUP_UNIX_GETSOCKNAME": 53, "BPF_NETKIT_PRIMARY": 54,
    "BPF_NETKIT_PEER": 55, "BPF_TRACE_KPROBE_SESSION": 56, "BPF_TRACE_UPROBE_SESSION": 57,
}  # fmt: skip
_SLEEPABLE = 1 << 4  # BPF_F_SLEEPABLE


def unknown_to_libraries(section: str) -> tuple[int, int, int] | None:
    """Program type, attach type and load flags of a section that the libbpf in use does not know; None if nor do we."""
    row = SECTIONS.get(section) or SECTIONS.get(f"{section.partition('/')[0]}+")
    if row is None or row[1] not in _ATTACH_TYPES:
        return None
    return _PROGRAMS.index(row[0]), _ATTACH_TYPES[row[1]], _SLEEPABLE if "SLEEPABLE" in row[2] else 0


def map_kind(number: int) -> MapKind:
    """The kind of a map type number; one that is not in the table is named by its number."""
    return _BY_NUMBER.get(number) or MapKind(f"TYPE_{number}", number)


def program_type(number: int) -> str:
    """`XDP` for BPF_PROG_TYPE_XDP."""
    return _PROGRAMS[number] if number < len(_PROGRAMS) else f"TYPE_{number}"
