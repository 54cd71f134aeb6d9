"""Maps that somebody else made: pinned ones by their path, all by the kernel's id.

with open_map("/sys/fs/bpf/hits") as hits:                       # typed by the map's own BTF
    print(dict(hits))
hits = open_map(217, HashMap[u32, u64])                          # by id, as bpftool lists it; typed by us
"""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import U32, BytesType, size_of
from pybpf.runtime import syscall
from pybpf.runtime.errors import ObjectClosed, PybpfError, errno_name, not_permitted
from pybpf.runtime.kinds import map_kind
from pybpf.runtime.maps.handle import MapHandle, MapInfo, UntypedMap, read_info
from pybpf.runtime.maps.keyed import LoadedMap
from pybpf.runtime.maps.queues import LoadedBloomFilter, LoadedQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.runtime.maps.arenas import LoadedArena
    from pybpf.runtime.maps.percpu import PerCpu
    from pybpf.runtime.ringbuf import LoadedRingBuffer
    from pybpf.runtime.stacks import LoadedStacks
    from pybpf.runtime.userring import LoadedUserRingBuffer
    from pybpf.stdlib.maps import LruPerCpuHash, Map, PerCpuArray, PerCpuHash, RingBuffer
    from pybpf.stdlib.maps.arena import Arena
    from pybpf.stdlib.maps.events import UserRingBuffer
    from pybpf.stdlib.maps.queues import BloomFilter, Queue, Stack
    from pybpf.stdlib.maps.stacks import StackTrace

    K = TypeVar("K")
    V = TypeVar("V")

__all__ = ["by_id", "open_map"]

_MAP_GET_FD_BY_ID, _BTF_GET_FD_BY_ID = 14, 19  # enum bpf_cmd


if TYPE_CHECKING:

    @overload
    def open_map(what: str | os.PathLike[str] | int, kind: type[PerCpuHash[K, V]], /) -> LoadedMap[K, PerCpu[V]]: ...
    @overload
    def open_map(what: str | os.PathLike[str] | int, kind: type[LruPerCpuHash[K, V]], /) -> LoadedMap[K, PerCpu[V]]: ...
    @overload
    def open_map(what: str | os.PathLike[str] | int, kind: type[PerCpuArray[V]], /) -> LoadedMap[int, PerCpu[V]]: ...
    @overload
    def open_map(what: str | os.PathLike[str] | int, kind: type[Queue[V] | Stack[V]], /) -> LoadedQueue[V]: ...
    @overload
    def open_map(what: str | os.PathLike[str] | int, kind: type[BloomFilter[V]], /) -> LoadedBloomFilter[V]: ...
    @overload
    def open_map(what: str | os.PathLike[str] | int, kind: type[RingBuffer[V]], /) -> LoadedRingBuffer[V]: ...
    @overload
    def open_map(what: str | os.PathLike[str] | int, kind: type[UserRingBuffer[V]], /) -> LoadedUserRingBuffer[V]: ...
    @overload
    def open_map(what: str | os.PathLike[str] | int, kind: type[StackTrace], /) -> LoadedStacks: ...
    @overload
    def open_map(what: str | os.PathLike[str] | int, kind: type[Arena], /) -> LoadedArena: ...
    @overload
    def open_map(what: str | os.PathLike[str] | int, kind: type[Map[K, V]], /) -> LoadedMap[K, V]: ...
    @overload
    def open_map(what: str | os.PathLike[str] | int, /) -> LoadedMap[Any, Any]: ...


def open_map(what: str | os.PathLike[str] | int, kind: Any = None, /) -> Any:
    """Open a map by the path that it is pinned at, or by its id; close it with `close()`, or use it as a `with` block.

    Keys and values are what the map's BTF says: ints, texts, structs with attributes, members of an IntEnum; bytes
    where it has none. `kind`, such as `HashMap[u32, u64]`, says it instead. Raises KeyError where there is no such map,
    PybpfError where it is of another type or has other sizes than `kind`, NotPermitted without CAP_SYS_ADMIN for ids.
    """
    fd = by_id(what) if isinstance(what, int) else _by_path(os.fspath(what))
    try:
        info = read_info(fd)
        spec = _declared(info, kind) if kind is not None else _described(fd, info)
        return _opened(fd, spec, info)
    except BaseException:
        os.close(fd)
        raise


def _by_path(path: str) -> int:
    from pybpf.runtime.maps.pinning import get_pinned

    fd = get_pinned(path, "pinned map")
    try:
        read_info(fd)
        kind = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        kind = ""
    if kind != "anon_inode:bpf-map":
        os.close(fd)
        raise PybpfError(f"{path} is no pinned map", "it is a program or a link")
    return fd


def by_id(number: int) -> int:
    """BPF_MAP_GET_FD_BY_ID. Raises KeyError where there is no such map."""
    try:
        return syscall.bpf(_MAP_GET_FD_BY_ID, struct.pack("<III", number, 0, 0))
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise KeyError(f"there is no map with id {number}") from None
        if error.errno == errno.EPERM:
            raise not_permitted(f"opening map {number}") from None
        raise PybpfError(f"opening map {number}: {errno_name(error.errno or 0)}") from None


def _declared(info: MapInfo, kind: Any) -> MapSpec:
    """The spec of a map that is said to be of a class, as `HashMap[u32, u64]`."""
    there = map_kind(info.type)
    if there.family == "arena" and getattr(kind, "kind", None) is there:
        return MapSpec(info.name or "map", there, None, None, info.max_entries, flags=info.flags)
    if not (isinstance(kind, type) and hasattr(kind, "_resolve") and getattr(kind, "_types", None)):
        raise TypeError(f"open_map() takes a type of map with its types, as HashMap[u32, u64], not {kind!r}")
    declared: Any = object.__new__(kind)
    declared.max_entries = info.max_entries
    declared.depth = info.value_size // 8  # of stack traces
    name = info.name or "map"
    key, value = declared._resolve(name)
    if there.name != declared.kind.name:
        raise PybpfError(f"map {name!r} is a {there.name}, not a {declared.kind.name}")
    for role, given, size in (("key", key, info.key_size), ("value", value, info.value_size)):
        if given is not None and size and size_of(given) != size:  # 0: of buffers, which hold what is sent
            raise PybpfError(f"map {name!r} has a {role} of {size} bytes, and {given} has {size_of(given)}")
    held = (info.key_size, info.value_size) if there.family == "stacks" else (0, 0)
    return MapSpec(name, there, key, value, info.max_entries, flags=info.flags, held=held)


def _described(fd: int, info: MapInfo) -> MapSpec:
    """The spec by the map's BTF."""
    kind = map_kind(info.type)
    key: Any = BytesType(info.key_size) if info.key_size else None
    value: Any = BytesType(info.value_size) if info.value_size else None
    if info.btf_id:
        from pybpf.runtime.maps.frombtf import FromBtf

        btf = syscall.bpf(_BTF_GET_FD_BY_ID, struct.pack("<III", info.btf_id, 0, 0))
        try:
            types = FromBtf(syscall.btf_data(btf))
        finally:
            os.close(btf)
        key = types.type(info.key_type, info.key_size) if info.key_size else None
        value = types.type(info.value_type, info.value_size) if info.value_size else None
    if kind.indexed:
        key = U32
    return MapSpec(info.name or f"id {info.id}", kind, key, value, info.max_entries, flags=info.flags)


def _buffer(fd: int, spec: MapSpec, info: MapInfo, check: Callable[[], None]) -> MapHandle | None:
    """What events or stacks are in; None for other maps."""
    if spec.kind.family == "ring":
        from pybpf.runtime.ringbuf import LoadedRingBuffer

        return LoadedRingBuffer(fd, spec, info.max_entries, check)
    if spec.kind.family == "commands" and spec.value is not None:
        from pybpf.runtime.userring import LoadedUserRingBuffer

        return LoadedUserRingBuffer(fd, spec, info.max_entries, check)
    if spec.kind.family == "stacks":
        from pybpf.runtime.stacks import LoadedStacks

        return LoadedStacks(fd, spec, info.max_entries, check)
    if spec.kind.family == "arena":
        from pybpf.runtime.maps.arenas import opened_arena

        return opened_arena(fd, spec, info.max_entries, check)
    return None


class _Alone:
    """A map that is open by itself, not by an object."""

    __slots__ = ("closed", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    def check(self) -> None:
        if self.closed:
            raise ObjectClosed(f"map {self.name!r}")

    def close(self) -> None:
        self.closed = True


def _opened(fd: int, spec: MapSpec, info: MapInfo) -> MapHandle:
    """The map of a descriptor, which is closed: the map has its own."""
    state = _Alone(spec.name)
    made: MapHandle
    if "lookup" in spec.kind.user and spec.key is not None and spec.value is not None:
        made = LoadedMap(fd, spec, info.max_entries, state.check)
    elif spec.kind.family == "queue" and spec.value is not None:
        made = LoadedQueue(fd, spec, info.max_entries, state.check)
    elif spec.kind.family == "bloom" and spec.value is not None:
        made = LoadedBloomFilter(fd, spec, info.max_entries, state.check)
    else:
        made = _buffer(fd, spec, info, state.check) or UntypedMap(fd, spec, state.check)
    made._close = state.close
    os.close(fd)
    return made
