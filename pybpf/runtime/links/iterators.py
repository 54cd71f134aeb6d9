"""Iterators: a link says what to go over, and each file opened from it goes over it once."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, Any, TypeVar

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError, RunError, errno_name
from pybpf.runtime.links.base import Link, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.runtime.program import LoadedProgram

__all__ = ["IteratorLink", "attach_iterator", "records"]

T = TypeVar("T")

_ITER = 28  # BPF_TRACE_ITER
_ITER_CREATE = 33
_ORDERS = {"self": 1, "descendants_pre": 2, "descendants_post": 3, "ancestors_up": 4, "children": 5}
_OF_MAPS = ("bpf_map_elem", "bpf_sk_storage_map", "sockmap")
_OF_TASKS = ("task", "task_file", "task_vma")


class IteratorLink(Link):
    """What an iterator goes over. Nothing runs until it is read."""

    def chunks(self, size: int = 1 << 16) -> Iterator[bytes]:
        """Go over it once; the bytes that the program wrote, in pieces as the kernel has them ready.

        Raises RunError where the program failed: what it wrote for one object did not fit, for one.
        """
        if not self.attached:
            raise AttachError(f"{self.program.name!r} is not attached any more")
        fd = syscall.bpf(_ITER_CREATE, struct.pack("<II", self.fd, 0))
        try:
            while True:
                try:
                    piece = os.read(fd, size)
                except OSError as error:
                    if error.errno == errno.EAGAIN:  # the program asks for the object again, or it took too long
                        continue
                    help = "the program wrote more for one object than a buffer holds" if error.errno == 7 else ""
                    raise RunError(f"reading {self.program.name!r}: {errno_name(error.errno or 0)}", help) from None
                if not piece:
                    return
                yield piece
        finally:
            os.close(fd)

    def read(self) -> bytes:
        """Go over it once; all that the program wrote."""
        return b"".join(self.chunks())

    def lines(self) -> Iterator[str]:
        """Go over it once; the lines that the program wrote, without their ends."""
        rest = b""
        for piece in self.chunks():
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace")
        if rest:
            yield rest.decode(errors="replace")


def records(link: IteratorLink, kind: type[T]) -> Iterator[T]:
    """The Structs that a program wrote, one after the other. Raises RunError for bytes at the end that make none."""
    from pybpf.runtime.codec import codec
    from pybpf.stdlib.types import type_of

    known = type_of(kind)
    if known is None:
        raise TypeError(f"records() takes a Struct's class, not {kind!r}")
    coder = codec(known, kind.__name__)
    rest = b""
    for piece in link.chunks():
        rest += piece
        whole = len(rest) // coder.size * coder.size
        for at in range(0, whole, coder.size):
            yield coder.decode(rest, at)
        rest = rest[whole:]
    if rest:
        raise RunError(f"{link.program.name!r} wrote {len(rest)} bytes after the last whole {kind.__name__}")


def attach_iterator(program: LoadedProgram, section: str, options: dict[str, Any]) -> IteratorLink:
    """Options: map; pid or tid; cgroup (its directory, or an fd) and order."""
    head, _, target = section.partition("/")
    wanted = {"map": _OF_MAPS, "pid": _OF_TASKS, "tid": _OF_TASKS, "cgroup": ("cgroup",), "order": ("cgroup",)}
    for option in options:
        if target not in wanted[option]:
            raise AttachError(f"attaching {program.name!r}: iterators over {target!r} take no {option!r}")
    opened = -1
    rest = b""
    try:
        if target in _OF_MAPS:
            rest = struct.pack("<IIQ", _descriptor(program, options.get("map")), 0, 0)
        elif target == "cgroup":
            opened, order = _cgroup(program, options)
            rest = struct.pack("<IIQ", order, opened, 0)
        elif options:
            rest = struct.pack("<IIII", int(options.get("tid", 0)), int(options.get("pid", 0)), 0, 0)
        fd = _create(program, target, rest)
    finally:
        if opened >= 0:
            os.close(opened)
    return IteratorLink(program, head, target, fd, lambda: os.close(fd))


def _create(program: LoadedProgram, target: str, rest: bytes) -> int:
    import ctypes

    info = ctypes.create_string_buffer(rest, len(rest)) if rest else None
    more = struct.pack("<QI", ctypes.addressof(info), len(rest)) if info is not None else b""
    try:
        return syscall.link_create(program.fd, 0, _ITER, 0, more)
    except OSError as error:
        if error.errno == errno.EACCES and target in _OF_MAPS:
            raise AttachError(
                f"attaching {program.name!r}: it reads more of a key or a value than the map has",
                "its context's types have to be those of the map",
            ) from None
        helps = {
            errno.EINVAL: f"this kernel's iterator over {target!r} does not take these options",
            errno.ESRCH: "there is no such process",
            errno.EBADF: "that is no cgroup of version 2, or no map",
        }
        refused(program, f"iterator {target}", error, helps.get(error.errno or 0, ""))


def _descriptor(program: LoadedProgram, map: Any) -> int:
    found = getattr(map, "fd", map)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    raise AttachError(
        f"attaching {program.name!r}: over which map?", f"name it: obj.programs[{program.name!r}].read(map=obj[counts])"
    )


def _cgroup(program: LoadedProgram, options: dict[str, Any]) -> tuple[int, int]:
    """An open directory, and the number of the order; all cgroups by default."""
    order = options.get("order", "descendants_pre")
    if order not in _ORDERS:
        raise AttachError(f"attaching {program.name!r}: no order {order!r}", f"there are: {', '.join(_ORDERS)}")
    group = options.get("cgroup")
    if group is None:
        raise AttachError(
            f"attaching {program.name!r}: which cgroup to begin with?",
            f'name it: obj.programs[{program.name!r}].read(cgroup="/sys/fs/cgroup")',
        )
    if isinstance(group, int):
        return os.dup(group), _ORDERS[order]
    try:
        return os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), _ORDERS[order]
    except OSError as error:
        raise AttachError(f"cgroup {group!r}: {error.strerror}", "mount cgroup2, or mkdir it") from None
