"""Which types of maps the kernel has: one of each is created, as small as it may be."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

from pybpf.probing import GOOD, LACKS, Finding
from pybpf.probing.load import load_btf
from pybpf.runtime.syscall import bpf
from pybpf.stdlib.mapkinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["create", "map_types"]

# Bytes of key and value, entries and flags where they are not 4, 4, 1 and 0 (the kernel's *_map_alloc_check functions).
_SHAPES: dict[str, tuple[int, int, int, int]] = {
    "STACK_TRACE": (4, 8, 1, 0), "LPM_TRIE": (8, 8, 1, 1), "CGROUP_STORAGE": (16, 8, 0, 0),
    "PERCPU_CGROUP_STORAGE": (16, 8, 0, 0), "QUEUE": (0, 4, 1, 0), "STACK": (0, 4, 1, 0), "RINGBUF": (0, 0, 4096, 0),
    "USER_RINGBUF": (0, 0, 4096, 0), "BLOOM_FILTER": (0, 4, 1, 0), "SK_STORAGE": (4, 4, 0, 1),
    "INODE_STORAGE": (4, 4, 0, 1), "TASK_STORAGE": (4, 4, 0, 1), "CGRP_STORAGE": (4, 4, 0, 1),
    "ARENA": (0, 0, 1, 1 << 10),
}  # fmt: skip
_STORAGE = ("SK_STORAGE", "INODE_STORAGE", "TASK_STORAGE", "CGRP_STORAGE")  # their values must have BTF
_NESTED = ("ARRAY_OF_MAPS", "HASH_OF_MAPS")


def create(name: str) -> int:
    """Create a map of that type and close it: 0, or the errno."""
    key, value, entries, flags = _SHAPES.get(name, (4, 4, 1, 0))
    inner = btf = -1
    try:
        if name in _NESTED:
            inner = bpf(0, struct.pack("<IIIII", 2, 4, 4, 1, 0) + bytes(56))
        if name in _STORAGE:
            btf = load_btf()
        # union bpf_attr of BPF_MAP_CREATE up to btf_vmlinux_value_type_id, which is no struct of functions here: the
        # kernel that would look it up says ENOTSUPP
        attr = struct.pack(
            "<IIIIIII16sIIIII", KINDS[name].number, key, value, entries, flags, max(inner, 0), 0, b"pybpf_probe", 0,
            max(btf, 0), int(btf >= 0), int(btf >= 0), int(name == "STRUCT_OPS"),
        )  # fmt: skip
        os.close(bpf(0, attr + bytes(12)))
    except OSError as error:
        return 0 if name == "STRUCT_OPS" and error.errno == 524 else error.errno or 1
    finally:
        for fd in (inner, btf):
            if fd >= 0:
                os.close(fd)
    return 0


def map_types() -> Iterator[Finding]:
    for name, kind in KINDS.items():
        code = create(name)
        if code == 0:
            yield Finding(name, GOOD, "created")
        elif code in (errno.EPERM, errno.EACCES):
            yield Finding(name, LACKS, "not permitted", "see privileges")
        elif code in (errno.EINVAL, errno.EOPNOTSUPP, 524):
            yield Finding(
                name, LACKS, "not in this kernel", f"it needs Linux {kind.since}, and may be left out of builds"
            )
        else:
            yield Finding(name, LACKS, os.strerror(code))
