"""Local storages of a loaded object, by what their values belong to.

    obj[talks][sock]               a socket object, or its file descriptor
    obj[usage][os.getpid()]        a process's number, or an object that has a pidfd as fileno()
    obj[limits]["/sys/fs/cgroup/app"]   a cgroup's directory, by path or file descriptor
    obj[labels]["/etc/passwd"]     an inode, by path, open file or file descriptor

Values are copies. Which objects have a value can't be listed: the kernel has no such list.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from pybpf.runtime import mapops
from pybpf.runtime.codec import codec
from pybpf.runtime.errors import PybpfError
from pybpf.runtime.maps.handle import MapHandle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["LoadedStorage"]

V = TypeVar("V")
_UNSET: Any = object()
# What a key may be, in words; whether text is a path and a number a process.
_OWNERS = {
    "SK_STORAGE": ("a socket or its file descriptor", False, False),
    "TASK_STORAGE": ("the number of a process or an object with a pidfd", False, True),
    "CGRP_STORAGE": ("a cgroup's directory or its file descriptor", True, False),
    "INODE_STORAGE": ("a path, an open file or its file descriptor", True, False),
}


class LoadedStorage(MapHandle, Generic[V]):
    """Values by what they belong to."""

    def __init__(self, fd: int, spec: MapSpec, max_entries: int, check: Callable[[], None]) -> None:
        """`fd` stays the object's; `check` raises when that is closed."""
        super().__init__(fd, spec, max_entries, check)
        assert spec.value is not None
        self._value = codec(spec.value, f"value of map {spec.name!r}")

    def __getitem__(self, owner: Any) -> V:
        found: V = self.get(owner, _UNSET)
        if found is _UNSET:
            raise KeyError(owner)
        return found

    def get(self, owner: Any, default: Any = None) -> Any:
        """The value that belongs to it, or the default."""
        with self._opened(owner) as raw:
            try:
                found = mapops.lookup(self.fd, raw, self._value.size)
            except OSError as error:
                self._refused(owner, "reading", error)
        return default if found is None else self._value.decode(found, 0)

    def __contains__(self, owner: object) -> bool:
        return self.get(owner, _UNSET) is not _UNSET

    def __setitem__(self, owner: Any, value: V) -> None:
        encoded = self._value.encode(value)
        with self._opened(owner) as raw:
            try:
                mapops.update(self.fd, raw, encoded)
            except OSError as error:
                self._refused(owner, "writing", error)

    def __delitem__(self, owner: Any) -> None:
        with self._opened(owner) as raw:
            try:
                gone = mapops.delete(self.fd, raw)
            except OSError as error:
                self._refused(owner, "deleting", error)
        if not gone:
            raise KeyError(owner)

    def __iter__(self) -> NoReturn:
        raise TypeError(f"map {self.name!r} can't be listed: the kernel keeps its values with what they belong to")

    @contextmanager
    def _opened(self, owner: Any) -> Iterator[bytes]:
        """The key: the file descriptor of what the value belongs to."""
        words, paths, processes = _OWNERS[self.spec.kind.name]
        self._check()
        if paths and isinstance(owner, (str, os.PathLike)):
            kept = os.O_PATH if self.spec.kind.name == "INODE_STORAGE" else os.O_RDONLY | os.O_DIRECTORY
            shut = number = os.open(owner, kept | os.O_CLOEXEC)
        elif type(owner) is int:
            shut, number = -1, owner
            if processes:
                shut = number = os.pidfd_open(number)
        elif hasattr(owner, "fileno"):
            shut, number = -1, owner.fileno()
        else:
            raise TypeError(f"key of map {self.name!r}: takes {words}, not {owner!r}")
        if number < 0:
            raise ValueError(f"key of map {self.name!r}: {owner!r} is closed")
        try:
            yield number.to_bytes(4, "little")
        finally:
            if shut >= 0:
                os.close(shut)

    def _refused(self, owner: Any, doing: str, error: OSError) -> NoReturn:
        if error.errno in (errno.EBADF, errno.ENOTSOCK, errno.EINVAL):
            self._check()
            raise PybpfError(
                f"map {self.name!r}: {owner!r} names nothing that has such values",
                f"it takes {_OWNERS[self.spec.kind.name][0]}",
            ) from None
        raise self._failed(doing, error) from error
