"""Maps of sockets of a loaded object: which socket is in which slot, or under which key.

    obj[socks][0] = sock       a socket object, or a file descriptor
    obj[socks][0]              its cookie: sock.getsockopt(SOL_SOCKET, SO_COOKIE), a number that no other socket gets
    del obj[socks][0]

The map holds no reference that keeps a socket open: a socket that is closed is gone from the map.
"""

from __future__ import annotations

import errno
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar

from pybpf.runtime import mapops
from pybpf.runtime.codec import codec
from pybpf.runtime.errors import MapFull, PybpfError
from pybpf.runtime.maps.handle import MapHandle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["LoadedSockets"]

K = TypeVar("K")


class LoadedSockets(MapHandle, MutableMapping[K, Any]):
    """Sockets by slot or key; empty slots are not there."""

    def __init__(self, fd: int, spec: MapSpec, max_entries: int, check: Callable[[], None]) -> None:
        """`fd` stays the object's; `check` raises when that is closed."""
        super().__init__(fd, spec, max_entries, check)
        assert spec.key is not None
        self._key = codec(spec.key, f"key of map {spec.name!r}")
        self._slots = spec.kind.name != "SOCKHASH"

    __hash__ = MapHandle.__hash__
    __eq__ = MapHandle.__eq__

    def __setitem__(self, key: K, sock: Any) -> None:
        """Put a socket in. Raises IndexError for a slot that there is not, TypeError for what is no socket."""
        if isinstance(sock, bool) or not (isinstance(sock, int) or hasattr(sock, "fileno")):
            raise TypeError(f"value of map {self.name!r}: takes a socket or its file descriptor, not {sock!r}")
        number = sock if isinstance(sock, int) else sock.fileno()
        raw = self._encoded(key)
        if number < 0:
            raise TypeError(f"value of map {self.name!r}: the socket is closed")
        self._check()
        try:
            mapops.update(self._fd, raw, number.to_bytes(8, "little"))
        except OSError as error:
            raise self._refused(error) from None

    def __getitem__(self, key: K) -> int:
        found = self._lookup(self._encoded(key))
        if found is None:
            raise KeyError(key)
        return int.from_bytes(found, "little")

    def __delitem__(self, key: K) -> None:
        raw = self._encoded(key)
        self._check()
        try:
            gone = mapops.delete(self._fd, raw)
        except OSError as error:
            if error.errno != errno.EINVAL:  # an empty slot
                raise self._failed("deleting", error) from error
            gone = False
        if not gone:
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self._lookup(self._encoded(key)) is not None

    def __iter__(self) -> Iterator[K]:
        self._check()
        for raw in list(mapops.keys(self._fd, self._key.size, self.max_entries)):
            if self._lookup(raw) is not None:
                yield self._key.decode(raw, 0)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _encoded(self, key: Any) -> bytes:
        if self._slots and isinstance(key, int) and not 0 <= key < self.max_entries:
            raise IndexError(f"map {self.name!r} has no slot {int(key)}: it has {self.max_entries}, from 0 on")
        raw: bytes = self._key.encode(key)
        return raw

    def _lookup(self, raw: bytes) -> bytes | None:
        self._check()
        try:
            return mapops.lookup(self._fd, raw, 8)
        except OSError as error:
            raise self._failed("reading", error) from error

    def _refused(self, error: OSError) -> Exception:
        """Why a socket was not put in."""
        what, shared = f"map {self.name!r} does not take this socket", self.spec.kind.name == "REUSEPORT_SOCKARRAY"
        if error.errno == errno.E2BIG:
            return MapFull(f"map {self.name!r} is full: it holds {self.max_entries} sockets", "declare it larger")
        if error.errno == errno.EBADF:
            self._check()
            return PybpfError(f"{what}: its file descriptor is not open", "keep the socket object while it is used")
        if error.errno == errno.ENOTSOCK:
            return PybpfError(f"{what}: its file descriptor is no socket's", "give a socket")
        if error.errno == errno.EBUSY and shared:
            return PybpfError(f"{what}: it is in such a map already", "a socket is in one of them at most")
        if shared and error.errno in (errno.EINVAL, errno.ENOENT, errno.EOPNOTSUPP, 524):
            return PybpfError(
                f"{what}", "it takes TCP and UDP sockets with SO_REUSEPORT that are bound, and listen if they are TCP"
            )
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return PybpfError(
                what, "it takes connected TCP sockets, listening ones too, bound UDP sockets and connected Unix ones"
            )
        return self._failed("writing", error)
