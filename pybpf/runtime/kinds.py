"""The kernel's map and program types by number (include/uapi/linux/bpf.h), for objects that come without specs."""

from __future__ import annotations

from pybpf.compiler.schema.specs import MapKind

__all__ = ["READABLE", "UNKNOWN_TO_OLD_LIBRARIES", "map_kind", "program_type"]

_MAPS = [
    "UNSPEC", "HASH", "ARRAY", "PROG_ARRAY", "PERF_EVENT_ARRAY", "PERCPU_HASH", "PERCPU_ARRAY", "STACK_TRACE",
    "CGROUP_ARRAY", "LRU_HASH", "LRU_PERCPU_HASH", "LPM_TRIE", "ARRAY_OF_MAPS", "HASH_OF_MAPS", "DEVMAP", "SOCKMAP",
    "CPUMAP", "XSKMAP", "SOCKHASH", "CGROUP_STORAGE", "REUSEPORT_SOCKARRAY", "PERCPU_CGROUP_STORAGE", "QUEUE",
    "STACK", "SK_STORAGE", "DEVMAP_HASH", "STRUCT_OPS", "RINGBUF", "INODE_STORAGE", "TASK_STORAGE", "BLOOM_FILTER",
    "USER_RINGBUF", "CGRP_STORAGE", "ARENA", "INSN_ARRAY",
]  # fmt: skip

_KEYLESS = {"QUEUE", "STACK", "RINGBUF", "BLOOM_FILTER", "USER_RINGBUF", "ARENA"}
_INDEXED = {"ARRAY", "PERCPU_ARRAY"}
_PERCPU = {"PERCPU_HASH", "PERCPU_ARRAY", "LRU_PERCPU_HASH", "PERCPU_CGROUP_STORAGE"}
# maps whose elements user space can list, read and write as plain values
READABLE = {"HASH", "ARRAY", "PERCPU_HASH", "PERCPU_ARRAY", "LRU_HASH", "LRU_PERCPU_HASH", "LPM_TRIE"}

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
    """The kind of a map type number; unknown ones are named by their number."""
    name = _MAPS[number] if number < len(_MAPS) else f"TYPE_{number}"
    return MapKind(name, number, name not in _KEYLESS, name in _INDEXED, name in _PERCPU)


def program_type(number: int) -> str:
    """`XDP` for BPF_PROG_TYPE_XDP."""
    return _PROGRAMS[number] if number < len(_PROGRAMS) else f"TYPE_{number}"
