"""Maps of interfaces, CPUs and AF_XDP sockets of a loaded object, in user space.

obj[ports][3] = DevEntry("eth1", program=rewrite)     obj[cpus][1] = CpuEntry(192)     obj[socks][0] = sock
obj[ports][3]                                         DevEntry(4, 1234): interface number, program id
del obj[ports][3]
"""

from __future__ import annotations

import errno
import struct
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from pybpf.runtime import mapops
from pybpf.runtime.errors import PybpfError
from pybpf.runtime.links.namespaces import in_network, interface_index
from pybpf.runtime.maps.handle import MapHandle
from pybpf.stdlib.maps.devices import CpuEntry, DevEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.runtime.program import LoadedProgram

__all__ = ["LoadedCpus", "LoadedDevices", "LoadedXsks"]

_NO_PROGRAM = (1 << 32) - 1  # -1: no descriptor


class _Entries(MapHandle, MutableMapping[int, Any]):
    """Entries by number; those that are empty are not there."""

    _hash = False  # whether any number is a key

    def __init__(
        self, fd: int, spec: MapSpec, max_entries: int, check: Callable[[], None],
        find: Callable[[Any], LoadedProgram] | None,
    ) -> None:  # fmt: skip
        """`fd` stays the object's; `find` gives the loaded program of a declaration, where there is an object."""
        super().__init__(fd, spec, max_entries, check)
        self._find = find

    def __getitem__(self, key: int) -> Any:
        try:
            found = mapops.lookup(self.fd, self._key(key), 8)
        except OSError as error:
            raise self._failed("reading", error) from None
        if found is None:
            raise KeyError(key)
        return self._decoded(found)

    def __delitem__(self, key: int) -> None:
        raw = self._key(key)
        if not self._there(raw):
            raise KeyError(key)
        try:
            mapops.delete(self.fd, raw)
        except OSError as error:
            raise self._failed("deleting from", error) from None

    def __contains__(self, key: object) -> bool:
        return self._there(self._key(key))

    def __iter__(self) -> Iterator[int]:
        """An array has keys for its empty entries too, which are left out."""
        for raw in list(mapops.keys(self.fd, 4, self.max_entries)):
            if self._there(raw):
                yield int.from_bytes(raw, "little")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _there(self, raw: bytes) -> bool:
        try:
            return mapops.lookup(self.fd, raw, 8) is not None
        except OSError as error:
            raise self._failed("reading", error) from None

    def _decoded(self, raw: bytes) -> Any:
        raise NotImplementedError

    def _key(self, key: object) -> bytes:
        if isinstance(key, bool) or not isinstance(key, int):
            raise TypeError(f"key of map {self.name!r}: takes an int, not {key!r}")
        most = 1 << 32 if self._hash else self.max_entries
        if not 0 <= key < most:
            what = "is no u32" if self._hash else f"is not there: the map has {most} entries, from 0 on"
            raise IndexError(f"key of map {self.name!r}: {int(key)} {what}")
        return int(key).to_bytes(4, "little")

    def _program(self, given: Any, decorator: str) -> int:
        """The descriptor of an entry's program."""
        from pybpf.runtime.program import LoadedProgram

        if given is None:
            return _NO_PROGRAM
        if not isinstance(given, LoadedProgram):
            if self._find is None:
                raise TypeError(f"value of map {self.name!r}: takes a loaded program, not {given!r}")
            given = self._find(given)
        section = given.section.lstrip("?")
        if section not in (f"xdp/{decorator}", f"xdp.frags/{decorator}"):
            raise TypeError(
                f"value of map {self.name!r}: {given.name!r} is a program of section {section!r}: "
                f"decorate it with @xdp.{decorator}"
            )
        return int(given.fd)

    def _put(self, key: int, value: bytes, helps: dict[int, str]) -> None:
        try:
            mapops.update(self.fd, self._key(key), value)
        except OSError as error:
            help = helps.get(error.errno or 0)
            if help:
                raise PybpfError(f"map {self.name!r} does not take the entry {key}", help) from None
            raise self._failed("writing", error) from None

    __hash__ = MapHandle.__hash__
    __eq__ = MapHandle.__eq__


class LoadedDevices(_Entries):
    """A DevMap or a DevMapHash. Values are DevEntries, or the name or number of an interface."""

    @property
    def _hash(self) -> bool:  # type: ignore[override]
        return self.spec.kind.name == "DEVMAP_HASH"

    def __setitem__(self, key: int, value: DevEntry | str | int) -> None:
        entry = value if isinstance(value, DevEntry) else DevEntry(value)
        if isinstance(entry.interface, bool) or not isinstance(entry.interface, (str, int)):
            raise TypeError(f"value of map {self.name!r}: takes an interface or a DevEntry, not {value!r}")
        program = self._program(entry.program, "devmap")

        def put() -> None:
            index = interface_index(entry.interface, entry.netns)
            helps = {
                errno.EINVAL: "there is no such interface in this network namespace, or its program goes elsewhere, "
                "such as one with frags in a map that has been used by programs without",
                errno.ENODEV: "there is no such interface in this network namespace",
            }
            self._put(key, struct.pack("<II", index, program), helps)

        in_network(entry.netns, put)

    def _decoded(self, raw: bytes) -> DevEntry:
        interface, program = struct.unpack("<II", raw)
        return DevEntry(interface, program or None)


class LoadedCpus(_Entries):
    """A CpuMap. Values are CpuEntries, or the length of the queue alone."""

    def __setitem__(self, key: int, value: CpuEntry | int) -> None:
        entry = value if isinstance(value, CpuEntry) else CpuEntry(value)
        if isinstance(entry.queue, bool) or not isinstance(entry.queue, int):
            raise TypeError(f"value of map {self.name!r}: takes a CpuEntry, not {value!r}")
        if not 0 < entry.queue <= 16384:
            raise OverflowError(f"value of map {self.name!r}: a queue of 1 to 16384 frames, not {entry.queue}")
        helps = {
            errno.ENODEV: "there is no such CPU",
            errno.EINVAL: "its program goes elsewhere, such as one with frags in a map that is used by others without",
        }
        self._put(key, struct.pack("<II", entry.queue, self._program(entry.program, "cpumap")), helps)

    def _decoded(self, raw: bytes) -> CpuEntry:
        queue, program = struct.unpack("<II", raw)
        return CpuEntry(queue, program or None)


class LoadedXsks(_Entries):
    """An XskMap. Values are sockets or their descriptors; they can only be set and deleted."""

    def __setitem__(self, key: int, value: Any) -> None:
        if isinstance(value, (bool, str)) or not (isinstance(value, int) or hasattr(value, "fileno")):
            raise TypeError(f"value of map {self.name!r}: takes an AF_XDP socket or its descriptor, not {value!r}")
        number = value if isinstance(value, int) else value.fileno()
        helps = {
            errno.EOPNOTSUPP: "it is no AF_XDP socket",
            errno.ENOTSOCK: "it is no AF_XDP socket",
            errno.EBADF: "it is closed",
        }
        self._put(key, struct.pack("<I", number), helps)

    def __getitem__(self, key: int) -> Any:
        self._key(key)
        raise TypeError(f"map {self.name!r} holds sockets, which can't be read back: keep them yourself")

    def __delitem__(self, key: int) -> None:
        try:
            mapops.delete(self.fd, self._key(key))
        except OSError as error:
            raise self._failed("deleting from", error) from None

    def __contains__(self, key: object) -> bool:
        raise TypeError(f"map {self.name!r} holds sockets: the kernel does not tell which entries have one")

    def __iter__(self) -> Iterator[int]:
        raise TypeError(f"map {self.name!r} holds sockets: the kernel does not tell which entries have one")

    def clear(self) -> None:
        """Take all sockets out."""
        for key in range(self.max_entries):
            del self[key]
