"""What user space sees of histograms: numbers as data, and text laid out as bpftrace's.

Each view looks at the map when it is asked, so what it says is what there is now. A map of one value per CPU is summed.
Text: bpftrace, src/output.cpp (hist_to_str, lhist_to_str, map_stats_to_str), which computes the width of a bar in
single precision.
"""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

__all__ = [
    "Bucket", "HistogramView", "HistogramsView", "LinearHistogramView", "key_text", "render_buckets", "signed", "total",
]  # fmt: skip

K = TypeVar("K")

_WIDTH = 52  # columns of the largest bar
_SUFFIXES = ((40, "T"), (30, "G"), (20, "M"), (10, "K"))


class Bucket(NamedTuple):
    """How many values were at least `low` and below `high`; None where there is no such end."""

    low: int | None
    high: int | None
    count: int  # type: ignore[assignment]  # tuples have a method of that name


def total(values: Any) -> int:
    return sum(values) if isinstance(values, list) else int(values)


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _bar(count: int, most: int) -> str:
    """A bar as long as single precision makes it."""
    share = ctypes.c_float(ctypes.c_float(count).value / ctypes.c_float(most).value).value
    return "@" * int(ctypes.c_float(share * _WIDTH).value)


def _power(n: int) -> str:
    """2**n as bpftrace writes it: 512, 1K, 2M."""
    for least, suffix in _SUFFIXES:
        if n >= least:
            return f"{1 << (n - least)}{suffix}"
    return str(1 << n)


def _number(n: int) -> str:
    """A bound of a linear histogram: 1048576 is 1M, 2048 is 2K."""
    if n and n % (1 << 20) == 0:
        return f"{_quotient(n, 1 << 20)}M"
    if n and n % 1024 == 0:
        return f"{_quotient(n, 1024)}K"
    return str(n)


def _quotient(n: int, by: int) -> int:
    return n // by


def _power_label(bucket: Bucket) -> str:
    low, high = bucket.low, bucket.high
    if low is not None and high is not None and high - low == 1 and low < 2:
        return f"[{low}]"
    if low is None or high is None:
        return _step_label(bucket)
    return f"[{_power(low.bit_length() - 1)}, {_power(high.bit_length() - 1)})"


def _step_label(bucket: Bucket) -> str:
    low = "(..." if bucket.low is None else f"[{_number(bucket.low)}"
    high = "..." if bucket.high is None else _number(bucket.high)
    return f"{low}, {high})"


def render_buckets(buckets: Iterable[Bucket], *, powers: bool) -> str:
    """The lines from the first bucket that is not empty to the last, each ended by a newline; "" where all are."""
    rows = list(buckets)
    used = [number for number, bucket in enumerate(rows) if bucket.count]
    if not used:
        return ""
    rows = rows[used[0] : used[-1] + 1]
    most = max(bucket.count for bucket in rows)
    label = _power_label if powers else _step_label
    return "".join(
        [f"{label(bucket):<16}{bucket.count:>8} |{_bar(bucket.count, most):<{_WIDTH}}|\n" for bucket in rows]
    )


class _View:
    """What the views of one histogram have in common. `_slot(n)` is the number at a key of the map."""

    name: str
    bucket_max: int
    _powers = True

    def _slot(self, key: int) -> int:
        raise NotImplementedError

    def buckets(self) -> list[Bucket]:
        """All buckets in order, empty ones too; they meet, and each value lies in one of them."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """How many values were recorded."""
        return sum([self._slot(key) for key in range(self.bucket_max + 1)])

    @property
    def total(self) -> int:
        """Their sum, modulo 2**64."""
        return self._slot(self.bucket_max + 1) & (1 << 64) - 1

    @property
    def mean(self) -> float:
        """Their mean; 0.0 where there are none."""
        count = self.count
        return self.total / count if count else 0.0

    def __str__(self) -> str:
        return render_buckets(self.buckets(), powers=self._powers)

    def print(self, title: str | None = None, *, file: TextIO | None = None) -> None:
        """Print it as bpftrace does: a line with the title (its name, "" for none), then a line a bucket."""
        _print(self.name if title is None else title, str(self), file)

    def __repr__(self) -> str:
        return f"<histogram {self.name!r}: {self.count} values>"


def _print(title: str, text: str, file: TextIO | None) -> None:
    head = f"@{title}: \n" if title else ""
    print(head + text, file=file or sys.stdout, flush=True)


class HistogramView(_View):
    """A histogram by powers of two."""

    def __init__(self, slots: Any, name: str, bucket_max: int) -> None:
        self._slots = slots
        self.name = name
        self.bucket_max = bucket_max

    def _slot(self, key: int) -> int:
        return total(self._slots[key])

    def buckets(self) -> list[Bucket]:
        """`[0, 1)`, `[1, 2)`, `[2, 4)`, `[4, 8)` and so on, as bpftrace counts; the last is open at its end."""
        return _by_powers([self._slot(key) for key in range(2 * self.bucket_max + 3)], self.bucket_max)

    def upper_bounds(self) -> list[tuple[int, int]]:
        """(bound, how many values were at most that), for Prometheus: the bounds are 1, 2, 4, 8 and so on.

        The last one, 2**bucket_max, counts all values.
        """
        return _up_to([self._slot(key) for key in range(self.bucket_max + 1)])

    def clear(self) -> None:
        """Forget all values."""
        self._slots.clear()


def _by_powers(slots: list[int], bucket_max: int) -> list[Bucket]:
    """Buckets that begin at powers of two, from those that end there and how many values are exact powers."""
    rounded, exact = slots[: bucket_max + 1], [*slots[bucket_max + 2 :], 0]
    found = [Bucket(0, 1, rounded[0] - exact[0])]
    for n in range(bucket_max):
        count = exact[n] + rounded[n + 1] - exact[n + 1]
        if n < bucket_max - 1:
            found.append(Bucket(1 << n, 2 << n, count))
    low = 1 << bucket_max - 1
    last = exact[bucket_max - 1] + rounded[bucket_max]
    if bucket_max == 64:
        found.append(Bucket(low, 1 << 64, last))
    else:
        found.append(Bucket(low, None, last))
    return found


def _up_to(slots: list[int]) -> list[tuple[int, int]]:
    found, count = [], 0
    for n, more in enumerate(slots):
        count += more
        found.append((1 << n, count))
    return found


class LinearHistogramView(_View):
    """A histogram by steps of equal width."""

    _powers = False

    def __init__(self, slots: Any, name: str, low: int, step: int, bucket_max: int) -> None:
        self._slots = slots
        self.name = name
        self.low = low
        self.step = step
        self.bucket_max = bucket_max

    def _slot(self, key: int) -> int:
        return total(self._slots[key])

    @property
    def total(self) -> int:
        """Their sum, modulo 2**64 and as a signed number."""
        return signed(self._slot(self.bucket_max + 1) & (1 << 64) - 1)

    def buckets(self) -> list[Bucket]:
        """What is below the first step (`low` is None), the steps, and what is behind the last (`high` is None)."""
        ends = [self.low + n * self.step for n in range(self.bucket_max)]
        counts = [self._slot(key) for key in range(self.bucket_max + 1)]
        lows: list[int | None] = [None, *ends]
        highs: list[int | None] = [*ends, None]
        return [Bucket(*each) for each in zip(lows, highs, counts)]

    def clear(self) -> None:
        """Forget all values."""
        self._slots.clear()


class _OfKey(HistogramView):
    """One of the histograms by key: its slots were copied from the map."""

    def _slot(self, key: int) -> int:
        return int(self._slots.get(key, 0))


class HistogramsView(Generic[K]):
    """Histograms by key: a mapping of keys to histograms, each as it was when it was asked for."""

    def __init__(self, entries: Any, name: str, bucket_max: int) -> None:
        self._entries = entries
        self.name = name
        self.bucket_max = bucket_max

    def _all(self) -> dict[K, HistogramView]:
        found: dict[K, dict[int, int]] = {}
        for slot, values in self._entries.items():
            found.setdefault(slot.key, {})[slot.bucket] = total(values)
        return {key: _OfKey(slots, str(key), self.bucket_max) for key, slots in found.items()}

    def __getitem__(self, key: K) -> HistogramView:
        return self._all()[key]

    def get(self, key: K) -> HistogramView | None:
        """The histogram of a key; None where nothing was recorded for it."""
        return self._all().get(key)

    def __iter__(self) -> Iterator[K]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __contains__(self, key: object) -> bool:
        return key in self._all()

    def items(self) -> list[tuple[K, HistogramView]]:
        """All of them, those with the fewest values first, as bpftrace prints them."""
        return sorted(self._all().items(), key=lambda item: item[1].count)

    def print(self, top: int = 0, *, file: TextIO | None = None) -> None:
        """Print all of them, or the `top` ones with the most values, those with the most last."""
        for key, histogram in self.items()[-top:] if top else self.items():
            _print(f"{self.name}[{key_text(key)}]", str(histogram), file)

    def clear(self) -> None:
        """Forget all values of all keys."""
        self._entries.clear()

    def __repr__(self) -> str:
        return f"<histograms {self.name!r}: {len(self)} keys>"


def key_text(key: Any) -> str:
    """A key as bpftrace shows it: the fields of a struct with commas between."""
    fields = getattr(type(key), "__bpf_fields__", None)
    return ", ".join([key_text(getattr(key, field)) for field in fields]) if fields else str(key)
