"""Histograms: how many values lie where.

    latency = Histogram()                                  by powers of two
    sizes = LinearHistogram(0, 1500, 100)                  by steps of equal width
    per_disk = HistogramBy[u32](max_entries=10_240)        one for each key

    latency.record(ns // 1000)                             in a program
    obj[latency].print()                                   in user space

Layout of a Histogram's map, which holds u64s. Key n counts the values above 2**(n-1), up to 2**n: that is
ebpf_exporter's "exp2" rule, and Prometheus' (`le`). 0 and 1 are counted at key 0, all that is above 2**bucket_max at
bucket_max. Key bucket_max + 1 is the sum of all values, modulo 2**64. Behind it, key bucket_max + 2 + n counts the
values that are exactly 2**n: with those, buckets that begin at a power of two, as bpftrace shows them, are known too.
The maps are per CPU, so that counting takes no atomic instruction.

A keyed histogram's map has a struct for its key: that of the histogram, then `bucket`, a u32 as above.

Layout of a LinearHistogram's map: key 0 counts the values below `low`, key n those of the n-th step, the last of them
(`bucket_max`) those from `high` on; key bucket_max + 1 is the sum.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationValueError
from pybpf.stdlib.bits import log2_up
from pybpf.stdlib.maps import PerCpuArray, PerCpuHash
from pybpf.stdlib.struct import Struct, StructMeta
from pybpf.stdlib.summaries.base import ByKey, Summary, whole_number
from pybpf.stdlib.types import i64, u32, u64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.stdlib.summaries.base import K
    from pybpf.stdlib.summaries.views import HistogramsView, HistogramView, LinearHistogramView

__all__ = ["Histogram", "HistogramBy", "LinearHistogram"]

_MOST_STEPS = 4096


class Histogram(Summary):
    """`Histogram()`: values by powers of two. `bucket_max` is the highest bucket, 64 for all there are (1 to 64)."""

    what = "histogram"
    __bpf_declares__ = "a histogram"
    _example = "Histogram(bucket_max=27)"

    def __init__(self, bucket_max: int = 64, *, name: str = "") -> None:
        super().__init__(name)
        self.bucket_max = whole_number(self, "bucket_max", bucket_max, 1, 64)

    def _declare(self, name: str) -> Any:
        return PerCpuArray[u64](2 * self.bucket_max + 3, name=name)

    def record(self, value: u64) -> None:
        """In the program: count a value."""
        bucket = log2_up(value)
        if bucket > self.bucket_max:
            bucket = u32(self.bucket_max)
        self.slots[bucket] += 1
        self.slots[self.bucket_max + 1] += value
        if value and value & (value - 1) == 0:
            self.slots[self.bucket_max + 2 + bucket] += 1

    def __bpf_view__(self, maps: Any) -> HistogramView:
        from pybpf.stdlib.summaries.views import HistogramView

        return HistogramView(maps[self.slots], self.slots.spec().name, self.bucket_max)


class HistogramBy(ByKey["K"]):
    """`HistogramBy[K](max_entries=n)`: a histogram by powers of two for each key.

    Each bucket that a key needs is an entry, and so is its sum. Where the map is full, new ones are not counted.
    """

    what = "histogram"
    __bpf_declares__ = "a histogram"
    _example = "HistogramBy[u32](max_entries=10_240)"

    def __init__(self, max_entries: int, bucket_max: int = 64, *, name: str = "") -> None:
        super().__init__(max_entries, name)
        self.bucket_max = whole_number(self, "bucket_max", bucket_max, 1, 64)
        self.Slot: Any = None

    def _declare(self, name: str) -> Any:
        key = self._key_type(name)
        self.Slot = StructMeta("bucket", (Struct,), {"__annotations__": {"key": key, "bucket": u32}})
        types: Any = (self.Slot, u64)
        return PerCpuHash[types](self.max_entries, name=name)  # type: ignore[misc]

    def record(self, key: K, value: u64) -> None:
        """In the program: count a value of a key."""
        bucket = log2_up(value)
        if bucket > self.bucket_max:
            bucket = u32(self.bucket_max)
        slots = self.slots
        slot = self.Slot(key=key, bucket=bucket)
        slots[slot] += 1
        slot.bucket = self.bucket_max + 1
        slots[slot] += value
        if value and value & (value - 1) == 0:
            slot.bucket = self.bucket_max + 2 + bucket
            slots[slot] += 1

    def __bpf_view__(self, maps: Any) -> HistogramsView[K]:
        from pybpf.stdlib.summaries.views import HistogramsView

        return HistogramsView(maps[self.slots], self.slots.spec().name, self.bucket_max)


class LinearHistogram(Summary):
    """`LinearHistogram(low, high, step)`: values by steps of equal width from `low` to `high`, and those outside."""

    what = "histogram"
    __bpf_declares__ = "a histogram"
    _example = "LinearHistogram(0, 1500, 100)"

    def __init__(self, low: int, high: int, step: int, *, name: str = "") -> None:
        super().__init__(name)
        least, most = -(1 << 31), (1 << 31) - 1
        self.low = whole_number(self, "low", low, least, most)
        self.high = whole_number(self, "high", high, self.low + 1, most)
        self.step = whole_number(self, "step", step, 1, most)
        steps, rest = divmod(self.high - self.low, self.step)
        if rest or steps > _MOST_STEPS:
            raise DeclarationValueError(
                f"LinearHistogram: from {low} to {high} there are "
                + (f"{steps} steps of {step}, more than {_MOST_STEPS}" if not rest else f"no whole steps of {step}"),
                help="as in:",
                lines=(self._example,),
            )
        self.bucket_max = steps + 1

    def _declare(self, name: str) -> Any:
        return PerCpuArray[u64](self.bucket_max + 2, name=name)

    def record(self, value: i64) -> None:
        """In the program: count a value."""
        bucket = 0
        if value >= self.high:
            bucket = self.bucket_max
        elif value >= self.low:
            bucket = (value - self.low) // self.step + 1
        self.slots[bucket] += 1
        self.slots[self.bucket_max + 1] += u64(value)

    def __bpf_view__(self, maps: Any) -> LinearHistogramView:
        from pybpf.stdlib.summaries.views import LinearHistogramView

        return LinearHistogramView(maps[self.slots], self.slots.spec().name, self.low, self.step, self.bucket_max)
