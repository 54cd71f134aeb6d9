"""Program arrays of a loaded object: which program is in which slot.

    obj[stages][0] = obj.programs["tcp"]      a program of this or another object, or a declaration of this one
    obj[stages][0]                            the id of the program there, as `bpftool prog` lists it
    del obj[stages][0]                        tail calls of the slot fall through again

The kernel empties the array when nothing in user space holds it any more (its file descriptor, or a pin).
"""

from __future__ import annotations

import errno
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from pybpf.runtime import mapops
from pybpf.runtime.errors import PybpfError
from pybpf.runtime.maps.handle import MapHandle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.runtime.program import LoadedProgram

__all__ = ["LoadedPrograms"]


class LoadedPrograms(MapHandle, MutableMapping[int, Any]):
    """Slots by number; those that are empty are not there. Values that are read are ids of programs."""

    def __init__(
        self, fd: int, spec: MapSpec, max_entries: int, check: Callable[[], None],
        find: Callable[[Any], LoadedProgram],
    ) -> None:  # fmt: skip
        """`fd` stays the object's; `find` gives the loaded program of a declaration."""
        super().__init__(fd, spec, max_entries, check)
        self._find = find

    def __setitem__(self, index: int, program: Any) -> None:
        """Put a program into a slot. Raises IndexError for a slot that there is not, PybpfError for one of another
        type than those that the array has been used with.
        """
        from pybpf.runtime.program import LoadedProgram

        fd = self.fd
        loaded = program if isinstance(program, LoadedProgram) else self._find(program)
        try:
            mapops.update(fd, self._key(index), loaded.fd.to_bytes(4, "little"))
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise PybpfError(
                    f"map {self.name!r} takes no program of type {loaded.type}",
                    "all programs of an array have one type and one context; what the first one is decides",
                ) from None
            raise self._failed("using", error) from None

    def __getitem__(self, index: int) -> int:
        try:
            found = mapops.lookup(self.fd, self._key(index), 4)
        except OSError as error:
            raise self._failed("using", error) from None
        if found is None:
            raise KeyError(index)
        return int.from_bytes(found, "little")

    def __delitem__(self, index: int) -> None:
        try:
            gone = mapops.delete(self.fd, self._key(index))
        except OSError as error:
            raise self._failed("using", error) from None
        if not gone:
            raise KeyError(index)

    def __iter__(self) -> Iterator[int]:
        for index in range(self.max_entries):
            if index in self:
                yield index

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _key(self, index: int) -> bytes:
        if isinstance(index, bool) or not isinstance(index, int):
            raise TypeError(f"key of map {self.name!r}: takes an int, not {index!r}")
        if not 0 <= index < self.max_entries:
            raise IndexError(f"map {self.name!r} has no slot {int(index)}: it has {self.max_entries}, from 0 on")
        return int(index).to_bytes(4, "little")

    def __repr__(self) -> str:
        return f"<programs {self.name!r}: {self.max_entries} slots>"

    __hash__ = MapHandle.__hash__
    __eq__ = MapHandle.__eq__
