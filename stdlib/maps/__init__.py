"""Map declarations: `paths = HashMap[u32, u64](max_entries=10_240)`.

A declaration is a value like any other: `__bpf__` is its MapSpec, whose symbol is the name that the declaration is
assigned to in its module, or `name=`. The kernel's map appears when a program that uses it is loaded, and is then
`obj[paths]`; inside a simulation the declaration itself acts as the map. Anywhere else using one is a RuntimeError.

    base.py     what all declarations share        keyed.py    hash maps, arrays, the trie of prefixes
    ring.py     ring buffers                       queues.py   queues, stacks, bloom filters
    nested.py   maps of maps                       cgroups.py  arrays of cgroups
    sockets.py  maps of sockets                    storages.py values of sockets, tasks, cgroups, inodes
    events.py   perf events, the user ring buffer  stacks.py   stack traces

What the kernel has and allows is a row each in `mapkinds.py`.
"""

from __future__ import annotations

from pybpf.stdlib.maps.base import Declaration
from pybpf.stdlib.maps.keyed import (
    ArrayMap,
    HashMap,
    LpmTrie,
    LruHash,
    LruPerCpuHash,
    Map,
    PerCpuArray,
    PerCpuHash,
)
from pybpf.stdlib.maps.ring import RingBuffer

__all__ = [
    "ArrayMap", "Declaration", "HashMap", "LpmTrie", "LruHash", "LruPerCpuHash", "Map", "PerCpuArray", "PerCpuHash",
    "RingBuffer",
]  # fmt: skip
