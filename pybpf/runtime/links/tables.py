"""Tables of operations (struct_ops) of a loaded object: registered with the kernel while they are attached."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError, errno_name, not_permitted
from pybpf.runtime.libbpf import library, messages
from pybpf.runtime.links.base import Link

if TYPE_CHECKING:
    from pybpf.runtime.object import LoadedObject

__all__ = ["LoadedTable", "is_table", "prepare"]

_MAP_TYPE = 26  # BPF_MAP_TYPE_STRUCT_OPS
_LINKED = 1 << 13  # BPF_F_LINK, Linux 6.4: a link registers the table, not an update of the map
_ATTACH_TYPE = 44  # BPF_STRUCT_OPS


def is_table(map: int) -> bool:
    """Whether libbpf's map is a table of operations."""
    return bool(library().bpf_map__type(map) == _MAP_TYPE)


def prepare(map: int) -> None:
    """Before it is loaded: let a link register it, where the kernel can."""
    release = os.uname().release.split(".")
    if (int(release[0]), int(release[1].split("-")[0])) >= (6, 4):
        library().bpf_map__set_map_flags(map, _LINKED)


class LoadedTable:
    """A table in the kernel; it belongs to its object and ends with it. What it registers stays where it is in use."""

    def __init__(self, owner: LoadedObject, handle: int, fd: int, name: str) -> None:
        self.owner = owner
        self.name = name
        self._handle = handle
        self._fd = fd

    @property
    def fd(self) -> int:
        """The file descriptor of its map; it belongs to the object."""
        self.owner._check()
        return self._fd

    def attach(self) -> Link:
        """Register it, until the link is detached or the object closed. Raises `AttachError` or `NotPermitted`."""
        with self.owner._lock:
            self.owner._check()
            link = self._register()
            self.owner._add_link(link)
        return link

    def _register(self) -> Link:
        lib = library()
        with messages():
            pointer = lib.bpf_map__attach_struct_ops(self._handle)
        if not pointer:
            code = ctypes.get_errno()
            raise self._refused(code)
        fd, own = lib.bpf_link__fd(pointer), -1
        if lib.bpf_map__map_flags(self._handle) & _LINKED and fd == self._fd:  # a library that knows no such links
            try:
                fd = own = syscall.bpf(
                    syscall.LINK_CREATE, struct.pack("<IIII", self._fd, 0, _ATTACH_TYPE, 0).ljust(64, b"\0")
                )
            except OSError as error:
                raise self._refused(error.errno or 0) from None

        def close() -> None:
            if own >= 0:
                os.close(own)
            with messages(), suppress(OSError):
                lib.bpf_link__destroy(pointer)

        return Link(self, "struct_ops", self.name, fd, close)  # type: ignore[arg-type]

    def _refused(self, code: int) -> Exception:
        what = f"registering table {self.name!r}"
        if code in (errno.EPERM, errno.EACCES):
            return not_permitted(what)
        helps = {
            errno.EEXIST: "one of that name is registered already",
            errno.EBUSY: "it was registered before, and can't be again: load the object anew",
            errno.EINVAL: "the kernel wants more operations of it, or other values",
        }
        return AttachError(f"{what}: {errno_name(code)}", helps.get(code, ""))

    def __repr__(self) -> str:
        return f"<table {self.name!r}>"
