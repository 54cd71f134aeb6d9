"""Maps of maps of a loaded object: other maps are put in, and looked at, as a whole.

    table = obj[tenants].new()                 an empty map of the type that belongs there
    obj[tenants][7] = table                    or obj[other], or a declaration of this object
    obj[tenants][7][key]                       the map that is there now
"""

from __future__ import annotations

import os
import struct
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar

from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import size_of
from pybpf.runtime import mapops, syscall
from pybpf.runtime.codec import codec
from pybpf.runtime.errors import PybpfError, errno_name
from pybpf.runtime.maps.handle import MapHandle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.runtime.object import LoadedObject

__all__ = ["LoadedMaps"]

K = TypeVar("K")
M = TypeVar("M")

_MAP_CREATE = 0  # enum bpf_cmd


class LoadedMaps(MapHandle, MutableMapping[K, M]):
    """Maps by key. What is read is typed like the template, and stays open until the object is closed."""

    def __init__(
        self, fd: int, spec: MapSpec, max_entries: int, check: Callable[[], None], owner: LoadedObject
    ) -> None:
        """`fd` stays the object's."""
        super().__init__(fd, spec, max_entries, check)
        assert spec.key is not None and spec.inner is not None
        self._owner = owner
        self._key = codec(spec.key, f"key of map {spec.name!r}")
        self._known: dict[int, Any] = {}  # by id

    def new(self, max_entries: int = 0) -> M:
        """An empty map as they are in here, which lives while it is in a map of maps, or this object is open.

        `max_entries` may differ from the template's, but for arrays. Raises PybpfError.
        """
        self._check()
        inner = self.spec.inner
        assert inner is not None
        key = size_of(inner.key) if inner.key is not None else 0
        value = size_of(inner.value) if inner.value is not None else 0
        entries = max_entries or inner.max_entries
        name = inner.name.encode()[:15]
        attr = struct.pack(
            "<IIIIIIi16sIIIIIIQ", inner.kind.number, key, value, entries, inner.flags, 0, inner.numa_node or 0, name,
            0, 0, 0, 0, 0, 0, inner.extra,
        )  # fmt: skip
        try:
            fd = syscall.bpf(_MAP_CREATE, attr)
        except OSError as error:
            raise PybpfError(f"making a map for {self.name!r}: {errno_name(error.errno or 0)}") from None
        return self._adopt(fd)  # type: ignore[no-any-return]

    def _adopt(self, fd: int) -> Any:
        """The map of a file descriptor that is ours from now on."""
        from pybpf.runtime.loadedmaps import loaded_map
        from pybpf.runtime.maps.handle import read_info

        info = read_info(fd)
        if info.id in self._known:
            os.close(fd)
            return self._known[info.id]
        assert self.spec.inner is not None
        spec = replace(self.spec.inner, name=info.name or self.spec.inner.name, max_entries=info.max_entries)
        sizes = info.key_size, info.value_size
        made = loaded_map(self._owner, fd, spec.name, info.type, sizes, info.max_entries, spec)
        os.close(fd)
        self._known[info.id] = made
        return made

    def _release(self) -> None:
        known, self._known = self._known, {}
        for map in known.values():
            map._shut()

    def __setitem__(self, key: K, value: M) -> None:
        raw = self._key.encode(key)
        self._check()
        target: Any = value if isinstance(value, MapHandle) else self._owner[value]
        try:
            mapops.update(self._fd, raw, struct.pack("<i", target.fd))
        except OSError as error:
            if error.errno == 22:
                raise PybpfError(
                    f"map {self.name!r} does not take map {target.name!r}: it differs from the template",
                    "type, sizes and flags have to be the same; of arrays the length, too",
                ) from None
            raise self._failed("writing", error) from error

    def __getitem__(self, key: K) -> M:
        from pybpf.runtime.maps.opened import by_id

        raw = self._key.encode(key)
        self._check()
        try:
            found = mapops.lookup(self._fd, raw, 4)
        except OSError as error:
            raise self._failed("reading", error) from error
        if found is None:
            raise KeyError(key)
        number = int.from_bytes(found, "little")
        known = self._known.get(number)
        return known if known is not None else self._adopt(by_id(number))  # type: ignore[no-any-return]

    def __delitem__(self, key: K) -> None:
        raw = self._key.encode(key)
        self._check()
        try:
            if not mapops.delete(self._fd, raw):
                raise KeyError(key)
        except OSError as error:
            raise self._failed("deleting", error) from error

    def __iter__(self) -> Iterator[K]:
        """The keys under which there is a map."""
        self._check()
        for raw in list(mapops.keys(self._fd, self._key.size, self.max_entries)):
            if mapops.lookup(self._fd, raw, 4) is not None:
                yield self._key.decode(raw, 0)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        raw = self._key.encode(key)
        self._check()
        return mapops.lookup(self._fd, raw, 4) is not None

    __hash__ = MapHandle.__hash__
    __eq__ = MapHandle.__eq__

    def __repr__(self) -> str:
        inner = self.spec.inner
        return f"<map {self.name!r}: {self.spec.kind.name} of {inner.kind.name if inner is not None else '?'}>"
