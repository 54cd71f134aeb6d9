"""The kinds of maps, a row each: what the kernel calls them, lets them hold, and does with them.

Numbers are those of `enum bpf_map_type` in include/uapi/linux/bpf.h; flags and operations those of the kinds' own
functions (kernel/bpf/hashtab.c, arraymap.c, lpm_trie.c, queue_stack_maps.c, bloom_filter.c, ...) of Linux 6.18.
"""

from __future__ import annotations

from pybpf.compiler.schema.specs import MapKind

__all__ = [
    "FLAGS", "KINDS", "MAX_ENTRIES", "MAX_HASHES", "MAX_KEY", "MAX_PERCPU_VALUE", "MAX_PREFIX", "MAX_VALUE", "PAGE",
    "RECORD_HEADER",
]  # fmt: skip

# Flags of BPF_MAP_CREATE by name: the bit, and the first release that has it.
FLAGS: dict[str, tuple[int, str]] = {
    "no_prealloc": (1, "4.6"), "no_common_lru": (2, "4.10"), "numa_node": (4, "4.14"), "rdonly": (8, "4.15"),
    "wronly": (16, "4.15"), "rdonly_prog": (1 << 7, "5.2"), "wronly_prog": (1 << 8, "5.2"),
    "mmapable": (1 << 10, "5.5"), "inner_map": (1 << 12, "5.10"),
}  # fmt: skip

_ACCESS = "rdonly wronly rdonly_prog wronly_prog"
_ALL = "lookup update delete next batch"

KINDS: dict[str, MapKind] = {
    kind.name: kind
    for kind in (
        # flags: of BPF_MAP_CREATE; user: what bpf(2) does with its elements
        MapKind("HASH", 1, sleepable="6.1", since="3.19", family="hash", flags=f"no_prealloc numa_node {_ACCESS}",
                user=f"{_ALL} pop drain lock"),
        MapKind("ARRAY", 2, sleepable="6.1", indexed=True, since="3.19", family="array",
                flags=f"mmapable inner_map numa_node {_ACCESS}", user="lookup update next batch lock"),
        MapKind("PROG_ARRAY", 3, since="4.2", family="programs"),
        MapKind("PERF_EVENT_ARRAY", 4, keyed=False, since="4.3", family="perf"),
        MapKind("PERCPU_HASH", 5, sleepable="6.1", percpu=True, since="4.6", family="hash",
                flags=f"no_prealloc {_ACCESS}", user=f"{_ALL} pop drain"),
        MapKind("PERCPU_ARRAY", 6, sleepable="6.1", indexed=True, percpu=True, since="4.6", family="array",
                flags=_ACCESS, user="lookup update next batch"),
        MapKind("STACK_TRACE", 7, keyed=False, since="4.6", family="stacks"),
        MapKind("CGROUP_ARRAY", 8, since="4.8", family="slots", flags=_ACCESS.partition(" rdonly_prog")[0]),
        MapKind("LRU_HASH", 9, sleepable="6.1", since="4.10", family="hash", flags=f"no_common_lru numa_node {_ACCESS}",
                user=f"{_ALL} pop drain"),
        MapKind("LRU_PERCPU_HASH", 10, sleepable="6.1", percpu=True, since="4.10", family="hash",
                flags=f"no_common_lru {_ACCESS}", user=f"{_ALL} pop drain"),
        MapKind("LPM_TRIE", 11, since="4.11", family="trie", flags=f"no_prealloc numa_node {_ACCESS}", user=_ALL),
        MapKind("ARRAY_OF_MAPS", 12, sleepable="6.1", indexed=True, since="4.12", family="maps", flags="numa_node"),
        MapKind("HASH_OF_MAPS", 13, sleepable="6.1", since="4.12", family="maps", flags="no_prealloc numa_node"),
        MapKind("DEVMAP", 14, since="4.14", family="devices", flags="numa_node rdonly wronly"),
        MapKind("SOCKMAP", 15, since="4.14", flags="numa_node"),
        MapKind("CPUMAP", 16, since="4.15", family="devices", flags="numa_node"),
        MapKind("XSKMAP", 17, since="4.18", family="devices", flags="numa_node rdonly wronly"),
        MapKind("SOCKHASH", 18, since="4.18", flags="numa_node"),
        MapKind("CGROUP_STORAGE", 19, since="5.9", family="local"),
        MapKind("REUSEPORT_SOCKARRAY", 20, since="4.19", flags="numa_node"),
        MapKind("PERCPU_CGROUP_STORAGE", 21, percpu=True, since="5.9", family="local"),
        MapKind("QUEUE", 22, sleepable="6.9", keyed=False, since="4.20", family="queue", flags=f"numa_node {_ACCESS}",
                user="push pop peek"),
        MapKind("STACK", 23, sleepable="6.9", keyed=False, since="4.20", family="queue", flags=f"numa_node {_ACCESS}",
                user="push pop peek"),
        MapKind("SK_STORAGE", 24, sleepable="6.1", since="5.2", family="storage"),
        MapKind("DEVMAP_HASH", 25, since="5.4", family="devices", flags="numa_node rdonly wronly"),
        MapKind("STRUCT_OPS", 26, since="5.6"),
        MapKind("RINGBUF", 27, sleepable="6.1", keyed=False, since="5.8", family="ring"),
        MapKind("INODE_STORAGE", 28, sleepable="6.1", since="5.10", family="storage"),
        MapKind("TASK_STORAGE", 29, sleepable="6.1", since="5.11", family="storage"),
        MapKind("BLOOM_FILTER", 30, keyed=False, since="5.16", family="bloom", flags=f"numa_node {_ACCESS}",
                user="push peek"),
        MapKind("USER_RINGBUF", 31, sleepable="6.1", keyed=False, since="6.1", family="commands"),
        MapKind("CGRP_STORAGE", 32, sleepable="6.2", since="6.2", family="storage"),
        MapKind("ARENA", 33, sleepable="6.9", keyed=False, since="6.9", family="arena", flags="mmapable"),
    )
}  # fmt: skip

MAX_ENTRIES = (1 << 32) - 1  # a u32 of union bpf_attr
MAX_KEY = 512  # MAX_BPF_STACK: kernel/bpf/hashtab.c, htab_map_alloc_check
MAX_VALUE = (1 << 22) - 64  # KMALLOC_MAX_SIZE less an element's own words: the same function
MAX_PERCPU_VALUE = 32 << 10  # PCPU_MIN_UNIT_SIZE: the same function
MAX_PREFIX = 256  # bytes of an address: LPM_DATA_SIZE_MAX, kernel/bpf/lpm_trie.c
MAX_HASHES = 15  # the low four bits of map_extra: kernel/bpf/bloom_filter.c
RECORD_HEADER = 8  # bytes in front of a ring buffer's record: BPF_RINGBUF_HDR_SZ, include/uapi/linux/bpf.h
PAGE = 4096  # a ring buffer is made of pages: kernel/bpf/ringbuf.c, ringbuf_map_alloc
