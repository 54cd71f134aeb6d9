"""What user space sees of counters and statistics: numbers as data, and text as bpftrace's count() and stats()."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pybpf.compiler.schema.record import Record
from pybpf.stdlib.summaries.views import key_text, signed, total

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

__all__ = ["CounterView", "StatsByView", "StatsSummary", "StatsView"]

K = TypeVar("K")


class CounterView(Generic[K]):
    """Counts by key: a mapping of keys to ints in which a key that was never counted is 0, as in a Counter."""

    def __init__(self, entries: Any, name: str) -> None:
        self._entries = entries
        self.name = name

    def __getitem__(self, key: K) -> int:
        found = self._entries.get(key)
        return 0 if found is None else total(found)

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def items(self) -> list[tuple[K, int]]:
        """Keys and counts, in the kernel's order."""
        return [(key, total(values)) for key, values in self._entries.items()]

    def most_common(self, n: int | None = None) -> list[tuple[K, int]]:
        """The n keys with the highest counts (all of them without n), the highest first."""
        ordered = sorted(self.items(), key=lambda item: -item[1])
        return ordered if n is None else ordered[:n]

    def total(self) -> int:
        """The sum of all counts."""
        return sum([count for _, count in self.items()])

    def clear(self) -> None:
        """Forget all counts."""
        self._entries.clear()

    def print(self, top: int = 0, *, file: TextIO | None = None) -> None:
        """Print all counts, or the `top` highest, as bpftrace prints a map: the highest last."""
        ordered = self.most_common()[::-1]
        for key, count in ordered[-top:] if top else ordered:
            print(f"@{self.name}[{key_text(key)}]: {count}", file=file or sys.stdout)

    def __repr__(self) -> str:
        return f"<counter {self.name!r}: {len(self)} keys>"


class StatsSummary(Record):
    """How many values there were, their sum, the least and the greatest (None where there were none)."""

    count: int
    total: int
    min: int | None
    max: int | None

    @property
    def mean(self) -> float:
        """The mean; 0.0 where there are no values."""
        return self.total / self.count if self.count else 0.0

    def __str__(self) -> str:
        # The average is an int that was cut towards zero, as C divides.
        average = abs(self.total) // self.count * (-1 if self.total < 0 else 1) if self.count else 0
        return f"count {self.count}, average {average}, total {self.total}"


def summed(values: Any) -> StatsSummary:
    """The summary of all CPUs' values, which are `Numbers` of stats.py."""
    used = [value for value in (values if isinstance(values, list) else [values]) if value.count]
    if not used:
        return StatsSummary(0, 0, None, None)
    whole = signed(sum([value.total for value in used]) & (1 << 64) - 1)
    return StatsSummary(
        sum([value.count for value in used]), whole, min(value.least for value in used),
        max(value.greatest for value in used),
    )  # fmt: skip


class StatsView:
    """Count, total, mean, least and greatest of the values so far."""

    def __init__(self, slots: Any, name: str) -> None:
        self._slots = slots
        self.name = name

    def summary(self) -> StatsSummary:
        """All of it at one moment."""
        return summed(self._slots[0])

    @property
    def count(self) -> int:
        """How many values were recorded."""
        return self.summary().count

    @property
    def total(self) -> int:
        """Their sum, modulo 2**64 and as a signed number."""
        return self.summary().total

    @property
    def mean(self) -> float:
        """Their mean; 0.0 where there are none."""
        return self.summary().mean

    @property
    def min(self) -> int | None:
        """The least of them."""
        return self.summary().min

    @property
    def max(self) -> int | None:
        """The greatest of them."""
        return self.summary().max

    def clear(self) -> None:
        """Forget all values."""
        self._slots.clear()

    def print(self, *, file: TextIO | None = None) -> None:
        """Print it as bpftrace's stats()."""
        print(f"@{self.name}: {self.summary()}", file=file or sys.stdout)

    def __repr__(self) -> str:
        return f"<stats {self.name!r}: {self.summary()}>"


class StatsByView(Generic[K]):
    """Such figures by key: a mapping of keys to StatsSummary."""

    def __init__(self, entries: Mapping[K, Any], name: str) -> None:
        self._entries = entries
        self.name = name

    def __getitem__(self, key: K) -> StatsSummary:
        return summed(self._entries[key])

    def get(self, key: K) -> StatsSummary | None:
        """The figures of a key; None where nothing was recorded for it."""
        found = self._entries.get(key)
        return None if found is None else summed(found)

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def items(self) -> list[tuple[K, StatsSummary]]:
        """Keys and figures, in the kernel's order."""
        return [(key, summed(values)) for key, values in self._entries.items()]

    def clear(self) -> None:
        """Forget all values of all keys."""
        self._entries.clear()  # type: ignore[attr-defined]

    def print(self, top: int = 0, *, file: TextIO | None = None) -> None:
        """Print all of them, or those with the `top` highest totals, the highest last."""
        ordered = sorted(self.items(), key=lambda item: item[1].total)
        for key, figures in ordered[-top:] if top else ordered:
            print(f"@{self.name}[{key_text(key)}]: {figures}", file=file or sys.stdout)

    def __repr__(self) -> str:
        return f"<stats {self.name!r}: {len(self)} keys>"
