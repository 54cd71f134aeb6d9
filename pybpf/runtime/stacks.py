"""Stack traces that a program kept: by number as addresses, as names, as text.

obj[stacks][number]                 the addresses, the innermost frame first
obj[stacks].kernel(number)          the kernel's functions there: print() shows them as bpftrace does
obj[stacks].user(number, pid)       those of a process, which has to be running still
del obj[stacks][number], obj[stacks].clear()
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pybpf.runtime import mapops
from pybpf.runtime.maps.handle import MapHandle
from pybpf.runtime.symbols import Stack, UserSymbols, kernel_symbols

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["LoadedStacks"]


class LoadedStacks(MapHandle, Mapping[int, "list[int]"]):
    """Addresses by the number of a stack."""

    def __init__(self, fd: int, spec: MapSpec, max_entries: int, check: Callable[[], None]) -> None:
        """`fd` stays the object's; `check` raises when that is closed."""
        super().__init__(fd, spec, max_entries, check)
        self._size = spec.held[1] or 8 * 127

    def __getitem__(self, number: int) -> list[int]:
        raw = self._key(number)
        self._check()
        try:
            found = mapops.lookup(self._fd, raw, self._size)
        except OSError as error:
            raise self._failed("reading", error) from None
        if found is None:
            raise KeyError(number)
        return [address for (address,) in struct.iter_unpack("<Q", found) if address]

    def kernel(self, number: int) -> Stack:
        """A stack of the kernel. KeyError where there is none of that number (any more)."""
        symbols = kernel_symbols()
        return Stack([symbols.find(address) for address in self[number]])

    def user(self, number: int, pid: int | UserSymbols) -> Stack:
        """A stack of a process, by its id or by symbols that were read while it ran. KeyError as above.

        The frames of a process that has ended have no names.
        """
        symbols = UserSymbols(pid) if isinstance(pid, int) else pid
        return Stack([symbols.find(address) for address in self[number]])

    def __delitem__(self, number: int) -> None:
        raw = self._key(number)
        self._check()
        try:
            gone = mapops.delete(self._fd, raw)
        except OSError as error:
            raise self._failed("deleting", error) from None
        if not gone:
            raise KeyError(number)

    def clear(self) -> None:
        """Forget all stacks; programs number those that they meet anew."""
        for number in list(self):
            mapops.delete(self._fd, self._key(number))

    def __iter__(self) -> Iterator[int]:
        self._check()
        for raw in mapops.keys(self._fd, 4, self.max_entries):
            yield int.from_bytes(raw, "little")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _key(self, number: int) -> bytes:
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"key of map {self.name!r}: takes the number of a stack, not {number!r}")
        if not 0 <= number < 1 << 32:
            raise KeyError(number)
        return int(number).to_bytes(4, "little")

    def __repr__(self) -> str:
        return f"<stack traces {self.name!r}>"
