"""A map by its file descriptor: what holds for every type of map."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

from pybpf.compiler.schema.record import Record
from pybpf.runtime import syscall
from pybpf.runtime.descriptor import Descriptor
from pybpf.runtime.errors import MapFull, ObjectClosed, PybpfError, errno_name, not_permitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["MapHandle", "MapInfo", "UntypedMap", "read_info"]

# struct bpf_map_info up to map_extra: include/uapi/linux/bpf.h
_INFO = struct.Struct("<6I16sII16xIII4xQ")
_FREEZE = 22  # BPF_MAP_FREEZE


class MapInfo(Record):
    """What the kernel says of a map. Sizes are bytes; the BTF ids are 0 where the map has none."""

    type: int
    id: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    name: str  # at most 15 characters
    btf_id: int
    key_type: int  # id in the map's BTF
    value_type: int
    extra: int  # map_extra: hash functions of a bloom filter, address of an arena


def read_info(fd: int) -> MapInfo:
    """BPF_OBJ_GET_INFO_BY_FD of a map."""
    kind, id, key, value, entries, flags, name, _ifindex, _vmlinux, btf, key_type, value_type, extra = _INFO.unpack(
        syscall.obj_info(fd, _INFO.size)
    )
    return MapInfo(kind, id, key, value, entries, flags, name.split(b"\0")[0].decode(errors="replace"), btf, key_type,
                   value_type, extra)  # fmt: skip


class MapHandle:
    """A map in the kernel. It lives as long as its object is open; after that every use raises `ObjectClosed`."""

    def __init__(self, fd: int, spec: MapSpec, max_entries: int, check: Callable[[], None]) -> None:
        """`fd` stays the caller's: the map has a duplicate. `check` raises when its object is closed."""
        self.name = spec.name
        self.spec = spec
        self.max_entries = max_entries
        self._own = Descriptor(fd)
        self._fd = self._own.number
        self._check = check
        self._close: Callable[[], None] | None = None  # of a map that is open by itself

    @property
    def fd(self) -> int:
        """The map's file descriptor; it belongs to the object."""
        self._check()
        return self._fd

    @property
    def info(self) -> MapInfo:
        """What the kernel says of it: id, sizes, flags."""
        return read_info(self.fd)

    @property
    def id(self) -> int:
        """The kernel's number for it, as `bpftool map` lists it."""
        return self.info.id

    def freeze(self) -> None:
        """Let user space change nothing in it any more, for as long as it exists (BPF_MAP_FREEZE, Linux 5.2)."""
        fd = self.fd
        try:
            syscall.bpf(_FREEZE, struct.pack("<I", fd))
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise PybpfError(
                    f"map {self.name!r} can't be frozen: it is frozen already, or mapped into memory for writing"
                ) from None
            raise self._failed("freezing", error) from error

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Give it a name in a bpf file system, under which it outlives this process: `open_map(path)` finds it."""
        from pybpf.runtime.maps.pinning import pin

        pin(self.fd, os.fspath(path), f"map {self.name!r}")

    def unpin(self, path: str | os.PathLike[str]) -> None:
        """Take away a name that `pin` gave it; KeyError where there is none."""
        from pybpf.runtime.maps.pinning import unpin

        unpin(self.fd, os.fspath(path), f"map {self.name!r}")

    def close(self) -> None:
        """Close a map that `open_map` opened. Those of an object are closed with it, which calls this."""
        self._release()
        self._closed_alone()

    def _closed_alone(self) -> None:
        """The end of `close`: of a map that is open by itself, that is all of it."""
        if self._close is not None:
            self._close()
            self._own.shut()

    def _shut(self) -> None:
        """Close it for good, with its object. May be called twice."""
        self.close()
        self._own.shut()

    def _release(self) -> None:
        """Give back what is mapped; called before the file descriptor is closed. May be called twice."""

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _failed(self, doing: str, error: OSError) -> Exception:
        """The exception for what the kernel refused."""
        if isinstance(error, PybpfError):
            return error
        if error.errno == errno.EBADF:
            return ObjectClosed(f"map {self.name!r}")
        if error.errno in (errno.E2BIG, errno.ENOSPC):
            return MapFull(
                f"map {self.name!r} is full: it holds {self.max_entries} entries",
                "declare it with a larger max_entries, or as an LRU map, which drops the oldest",
            )
        if error.errno == errno.EPERM:
            return not_permitted(
                f"{doing} map {self.name!r}",
                "user space may not: the map is frozen, or was made with BPF_F_RDONLY or BPF_F_WRONLY",
            )
        return PybpfError(f"{doing} map {self.name!r}: {errno_name(error.errno or 0)}")

    def __repr__(self) -> str:
        held = f"{self.spec.key} -> {self.spec.value}" if self.spec.key is not None else str(self.spec.value or "")
        return f"<map {self.name!r}: {self.spec.kind.name}{', ' if held else ''}{held}>"

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class UntypedMap(MapHandle):
    """A map of a kind without plain elements: its name, spec and fd."""

    def __init__(self, fd: int, spec: MapSpec, check: Callable[[], None]) -> None:
        super().__init__(fd, spec, spec.max_entries, check)
