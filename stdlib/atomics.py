"""Atomic instructions by name: `before = fetch_add(entry.hits, 1)`.

Each reads a number in memory that other CPUs may change meanwhile (a field, an element, an array's slot, a `var()`, of
32 or 64 bits), changes it in one step and gives what it was. They need instruction set v3 (Linux 5.12).
"""

from __future__ import annotations

from pybpf.stdlib.builtins import Builtin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    def fetch_add(place: int, value: int, /) -> int:
        """place += value; the old value."""
        ...

    def fetch_and(place: int, value: int, /) -> int:
        """place &= value; the old value."""
        ...

    def fetch_or(place: int, value: int, /) -> int:
        """place |= value; the old value."""
        ...

    def fetch_xor(place: int, value: int, /) -> int:
        """place ^= value; the old value."""
        ...

    def exchange(place: int, value: int, /) -> int:
        """place = value; the old value."""
        ...

    def compare_exchange(place: int, expected: int, value: int, /) -> int:
        """place = value if place == expected; the old value, which equals `expected` where that was so."""
        ...


__all__ = ["compare_exchange", "exchange", "fetch_add", "fetch_and", "fetch_or", "fetch_xor"]

if not TYPE_CHECKING:

    def _outside(name: str):
        def call(*_: Any) -> Any:
            raise RuntimeError(f"{name}() changes memory of a program: load() or simulate() one that calls it")

        return call

    fetch_add = Builtin("fetch_add", _outside("fetch_add"), "place += value; the old value.")
    fetch_and = Builtin("fetch_and", _outside("fetch_and"), "place &= value; the old value.")
    fetch_or = Builtin("fetch_or", _outside("fetch_or"), "place |= value; the old value.")
    fetch_xor = Builtin("fetch_xor", _outside("fetch_xor"), "place ^= value; the old value.")
    exchange = Builtin("exchange", _outside("exchange"), "place = value; the old value.")
    compare_exchange = Builtin(
        "compare_exchange", _outside("compare_exchange"), "place = value if place == expected; the old value."
    )
