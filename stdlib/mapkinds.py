"""The kinds of maps, and what the kernel lets them hold.

Numbers are those of `enum bpf_map_type` in include/uapi/linux/bpf.h.
"""

from __future__ import annotations

from pybpf.compiler.schema.specs import MapKind

__all__ = ["KINDS", "MAX_ENTRIES", "MAX_KEY", "MAX_PERCPU_VALUE", "MAX_VALUE", "PAGE", "RECORD_HEADER"]

KINDS: dict[str, MapKind] = {
    "HASH": MapKind("HASH", 1, since="3.19"),
    "ARRAY": MapKind("ARRAY", 2, indexed=True, since="3.19"),
    "PROG_ARRAY": MapKind("PROG_ARRAY", 3, since="4.2"),
    "PERCPU_HASH": MapKind("PERCPU_HASH", 5, percpu=True, since="4.6"),
    "PERCPU_ARRAY": MapKind("PERCPU_ARRAY", 6, indexed=True, percpu=True, since="4.6"),
    "LRU_HASH": MapKind("LRU_HASH", 9, since="4.10"),
    "RINGBUF": MapKind("RINGBUF", 27, keyed=False, since="5.8"),
}

MAX_ENTRIES = (1 << 32) - 1  # a u32 of union bpf_attr
MAX_KEY = 512  # MAX_BPF_STACK: kernel/bpf/hashtab.c, htab_map_alloc_check
MAX_VALUE = (1 << 22) - 64  # KMALLOC_MAX_SIZE less an element's own words: the same function
MAX_PERCPU_VALUE = 32 << 10  # PCPU_MIN_UNIT_SIZE: the same function
RECORD_HEADER = 8  # bytes in front of a ring buffer's record: BPF_RINGBUF_HDR_SZ, include/uapi/linux/bpf.h
PAGE = 4096  # a ring buffer is made of pages: kernel/bpf/ringbuf.c, ringbuf_map_alloc
