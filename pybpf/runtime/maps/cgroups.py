"""Arrays of cgroups of a loaded object: `obj[groups][0] = "/sys/fs/cgroup/web"`.

The kernel lets nobody read what is in a slot.
"""

from __future__ import annotations

import errno
import os
import struct

from pybpf.runtime import mapops
from pybpf.runtime.errors import PybpfError
from pybpf.runtime.maps.handle import MapHandle

__all__ = ["LoadedCgroups"]


class LoadedCgroups(MapHandle):
    """Slots that are set and emptied."""

    def _key(self, index: int) -> bytes:
        if isinstance(index, bool) or not isinstance(index, int):
            raise TypeError(f"key of map {self.name!r}: takes an int, not {index!r}")
        if not 0 <= index < self.max_entries:
            raise IndexError(f"map {self.name!r} has no slot {int(index)}: it has {self.max_entries}, from 0 on")
        return int(index).to_bytes(4, "little")

    def __setitem__(self, index: int, cgroup: str | os.PathLike[str] | int) -> None:
        """Put in a cgroup: its directory, or a file descriptor of that. PybpfError where it is none of version 2."""
        key, own = self._key(index), -1
        self._check()
        if not isinstance(cgroup, int):
            cgroup = own = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            mapops.update(self._fd, key, struct.pack("<i", cgroup))
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EINVAL):
                self._check()
                raise PybpfError(
                    f"map {self.name!r}: that is no directory of cgroup2", "`mount -t cgroup2` shows where they are"
                ) from None
            raise self._failed("writing", error) from error
        finally:
            if own >= 0:
                os.close(own)

    def __delitem__(self, index: int) -> None:
        """Empty a slot. KeyError where it is empty."""
        key = self._key(index)
        self._check()
        try:
            if not mapops.delete(self._fd, key):
                raise KeyError(index)
        except OSError as error:
            raise self._failed("deleting", error) from error

    def __len__(self) -> int:
        """How many slots there are."""
        return self.max_entries
