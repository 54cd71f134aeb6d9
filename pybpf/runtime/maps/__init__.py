"""Maps of a loaded object, and maps of others.

handle.py   what all have: fd, pin, unpin, freeze, info       percpu.py   one value per CPU
keyed.py    hash maps, arrays, tries: typed mutable mappings  queues.py   queues, stacks, bloom filters
opened.py   maps that somebody else made, by path or id       frombtf.py  their types, from their BTF
pinning.py  the bpf file system                               sockets.py  maps of sockets
"""

from __future__ import annotations

from pybpf.runtime.maps.handle import MapHandle, MapInfo, UntypedMap
from pybpf.runtime.maps.keyed import LoadedMap
from pybpf.runtime.maps.percpu import PerCpu
from pybpf.runtime.maps.queues import LoadedBloomFilter, LoadedQueue

__all__ = ["LoadedBloomFilter", "LoadedMap", "LoadedQueue", "MapHandle", "MapInfo", "PerCpu", "UntypedMap"]
