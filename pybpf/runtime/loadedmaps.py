"""Which class stands for a map in the kernel. In: what the kernel says of it, and its declaration. Out: the object.

A type of maps with a class of its own is a function and a row of `_MAKERS`. All else are the typed mappings of maps.py,
where user space can read and write elements, or an UntypedMap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import U32, U64, BytesType, size_of
from pybpf.runtime.errors import LoadError
from pybpf.runtime.kinds import READABLE, map_kind
from pybpf.runtime.maps import LoadedMap, UntypedMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.runtime.object import LoadedObject

__all__ = ["loaded_map"]


def loaded_map(
    owner: LoadedObject, fd: int, name: str, number: int, sizes: tuple[int, int], entries: int, spec: MapSpec | None
) -> Any:
    """`number` is the map's type, `sizes` are those of key and value. `fd` stays the owner's. Raises LoadError."""
    declared = spec is not None
    spec = spec or _without_declaration(name, number, sizes, entries)
    if declared and (spec.held[0] or (spec.key is not None and spec.value is not None)):
        wanted = spec.held if spec.held[0] else (size_of(spec.key), size_of(spec.value))  # type: ignore[arg-type]
        if wanted != sizes:
            raise LoadError(
                f"map {name!r} is declared as {spec.key} -> {spec.value}, which differs from the object's sizes"
            )
    make = _MAKERS.get(spec.kind.name)
    made = make(owner, fd, spec, entries) if make is not None else None
    if made is not None:
        return made
    if spec.kind.name in READABLE:
        return LoadedMap(fd, spec, entries, owner._check)
    return UntypedMap(fd, spec, owner._check)


def _without_declaration(name: str, number: int, sizes: tuple[int, int], entries: int) -> MapSpec:
    """Keys and values are bytes; indexes numbers."""
    kind = map_kind(number)
    key = U32 if kind.indexed else BytesType(sizes[0]) if sizes[0] else None
    return MapSpec(name, kind, key, BytesType(sizes[1]) if sizes[1] else None, entries)


def _ring_buffer(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    from pybpf.runtime.ringbuf import LoadedRingBuffer

    lost = spec.lost
    return LoadedRingBuffer(
        fd, spec, entries, owner._check, None if lost is None else lambda: int(owner.globals[lost.name])
    )


def _programs(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    from pybpf.runtime.programs import LoadedPrograms

    return LoadedPrograms(fd, spec, entries, owner._check, owner._program_of)


def _perf_events(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    """Without a declaration nobody knows whether it is for events, or for counters that the program reads."""
    from pybpf.runtime.perfbuf import LoadedPerfEvents

    return LoadedPerfEvents(fd, spec, spec.pages, owner._check) if spec.pages else None


def _commands(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    from pybpf.runtime.userring import LoadedUserRingBuffer

    return LoadedUserRingBuffer(fd, spec, entries, owner._check)


def _stacks(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    from pybpf.runtime.stacks import LoadedStacks

    return LoadedStacks(fd, spec, entries, owner._check)


def _queue(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    from pybpf.runtime.maps.queues import LoadedQueue

    return LoadedQueue(fd, spec, entries, owner._check) if spec.value is not None else None


def _maps(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    from pybpf.runtime.maps.nested import LoadedMaps

    return LoadedMaps(fd, spec, entries, owner._check, owner) if spec.inner is not None else None


def _cgroups(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    from pybpf.runtime.maps.cgroups import LoadedCgroups

    return LoadedCgroups(fd, spec, entries, owner._check)


def _filter(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    from pybpf.runtime.maps.queues import LoadedBloomFilter

    return LoadedBloomFilter(fd, spec, entries, owner._check) if spec.value is not None else None


def _sockets(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    """Without a declaration the values may be of 4 bytes, which can't be read back."""
    from pybpf.runtime.maps.sockets import LoadedSockets

    return LoadedSockets(fd, spec, entries, owner._check) if spec.value == U64 else None


def _devices(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    from pybpf.runtime.maps import devices

    kinds = {"CPUMAP": devices.LoadedCpus, "XSKMAP": devices.LoadedXsks}
    return kinds.get(spec.kind.name, devices.LoadedDevices)(fd, spec, entries, owner._check, owner._program_of)


def _storage(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    from pybpf.runtime.maps.storages import LoadedStorage

    return LoadedStorage(fd, spec, entries, owner._check) if spec.value is not None else None


def _keyed(owner: LoadedObject, fd: int, spec: MapSpec, entries: int) -> Any:
    return LoadedMap(fd, spec, entries, owner._check) if spec.key is not None and spec.value is not None else None


_MAKERS: dict[str, Callable[[LoadedObject, int, MapSpec, int], Any]] = {
    **dict.fromkeys(("DEVMAP", "DEVMAP_HASH", "CPUMAP", "XSKMAP"), _devices),
    "ARRAY_OF_MAPS": _maps,
    "HASH_OF_MAPS": _maps,
    "CGROUP_ARRAY": _cgroups,
    "QUEUE": _queue,
    "STACK": _queue,
    "BLOOM_FILTER": _filter,
    "RINGBUF": _ring_buffer,
    "PROG_ARRAY": _programs,
    "PERF_EVENT_ARRAY": _perf_events,
    "USER_RINGBUF": _commands,
    "STACK_TRACE": _stacks,
    "SK_STORAGE": _storage,
    "INODE_STORAGE": _storage,
    "TASK_STORAGE": _storage,
    "CGRP_STORAGE": _storage,
    "CGROUP_STORAGE": _keyed,
    "PERCPU_CGROUP_STORAGE": _keyed,
    "SOCKMAP": _sockets,
    "SOCKHASH": _sockets,
    "REUSEPORT_SOCKARRAY": _sockets,
}
