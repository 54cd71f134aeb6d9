"""Count, total, least and greatest of values, as bpftrace's stats(), avg(), min() and max() in one; by key too.

    sizes = Stats()                          sizes.record(ctx.size)          obj[sizes].mean
    by_comm = StatsBy[u32](max_entries=100)  by_comm.record(pid(), ctx.ret)  obj[by_comm][pid].max
"""

from __future__ import annotations

from pybpf.stdlib.maps import PerCpuArray, PerCpuHash
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.summaries.base import ByKey, Summary
from pybpf.stdlib.types import i64, u64  # noqa: TC001 - fields are read at run time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.stdlib.summaries.base import K
    from pybpf.stdlib.summaries.figures import StatsByView, StatsView

__all__ = ["Stats", "StatsBy"]


class stats(Struct):
    """One CPU's figures. `least` and `greatest` mean something once `count` is not 0."""

    count: u64
    total: i64
    least: i64
    greatest: i64


def _add(entry: stats, value: i64) -> None:
    if entry.count == 0 or value < entry.least:
        entry.least = value
    if entry.count == 0 or value > entry.greatest:
        entry.greatest = value
    entry.count += 1
    entry.total += value


class Stats(Summary):
    """`Stats()`: figures of all values that are recorded."""

    what = "stats"
    __bpf_declares__ = "figures"
    _example = "Stats()"

    def __init__(self, *, name: str = "") -> None:
        super().__init__(name)

    def _declare(self, name: str) -> Any:
        return PerCpuArray[stats](1, name=name)

    def record(self, value: i64) -> None:
        """In the program: take a value into account."""
        _add(self.slots[0], value)

    def __bpf_view__(self, maps: Any) -> StatsView:
        from pybpf.stdlib.summaries.figures import StatsView

        return StatsView(maps[self.slots], self.slots.spec().name)


class StatsBy(ByKey["K"]):
    """`StatsBy[K](max_entries=n)`: figures for each key. Where the map is full, new keys are left out."""

    what = "stats"
    __bpf_declares__ = "figures"
    _example = "StatsBy[u32](max_entries=1024)"

    def __init__(self, max_entries: int, *, name: str = "") -> None:
        super().__init__(max_entries, name)

    def _declare(self, name: str) -> Any:
        types: Any = (self._key_type(name), stats)
        return PerCpuHash[types](self.max_entries, name=name)  # type: ignore[misc]

    def record(self, key: K, value: i64) -> None:
        """In the program: take a value of a key into account."""
        entry = self.slots.setdefault(key, stats(count=0, total=0, least=0, greatest=0))
        if entry is not None:
            _add(entry, value)

    def __bpf_view__(self, maps: Any) -> StatsByView[K]:
        from pybpf.stdlib.summaries.figures import StatsByView

        return StatsByView(maps[self.slots], self.slots.spec().name)
