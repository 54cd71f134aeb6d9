"""At most so many a second, and one in so many: what keeps a program from doing too much.

    loud = RateLimit(per_second=100, burst=20)
    if loud.allow():
        events.emit(...)

    by_source = RateLimitBy[be32](per_second=10, burst=5, max_entries=10_240)
    if not by_source.allow(ip.saddr):
        return XDP.DROP

    if one_in(1000): ...

A limit is a token bucket: it holds up to `burst` tokens, `per_second` of them come back in a second, and each call of
`allow` takes one. It is kept as one u64, the time at which the bucket will be full again (the "generic cell rate
algorithm" of ITU-T I.371, Annex A), which all CPUs share and change by compare and exchange.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationValueError
from pybpf.stdlib.atomics import compare_exchange
from pybpf.stdlib.everyday import ktime, random
from pybpf.stdlib.maps import ArrayMap, LruHash
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.summaries.base import ByKey, Summary, whole_number
from pybpf.stdlib.types import u32, u64  # noqa: TC001 - read at run time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.stdlib.summaries.base import K

__all__ = ["RateLimit", "RateLimitBy", "one_in"]

_SECOND = 1_000_000_000
_TRIES = 4  # CPUs that meet at the same moment; who loses each time is refused


class bucket(Struct):
    """`full` is when the bucket is full again, in ns since boot."""

    full: u64


def _take(entry: bucket, period: u64, room: u64) -> bool:
    """Take a token: the bucket is full one period later than before, but no later than `room` from now."""
    now = ktime()
    for _ in range(_TRIES):
        before = entry.full
        start = before if before > now else now
        after = start + period
        if after - now > room:
            return False
        if compare_exchange(entry.full, before, after) == before:
            return True
    return False


def one_in(n: u32) -> bool:
    """True for about one call in n, at random."""
    return random() % n == 0


def _period(owner: Summary, per_second: int, burst: int) -> tuple[int, int]:
    """ns for a token, and ns for all tokens of a full bucket."""
    rate = whole_number(owner, "per_second", per_second, 1, _SECOND)
    period = _SECOND // rate
    room = whole_number(owner, "burst", burst, 1, 1 << 32) * period
    if room >= 1 << 62:
        raise DeclarationValueError(f"{type(owner).__name__}: a burst of {burst} takes centuries to come back")
    return period, room


class RateLimit(Summary):
    """`RateLimit(per_second=100, burst=20)`: one limit for all that asks."""

    what = "limit"
    __bpf_declares__ = "a limit"
    _example = "RateLimit(per_second=100, burst=20)"

    def __init__(self, per_second: int, burst: int, *, name: str = "") -> None:
        super().__init__(name)
        self.period, self.room = _period(self, per_second, burst)

    def _declare(self, name: str) -> Any:
        return ArrayMap[bucket](1, name=name)

    def allow(self) -> bool:
        """In the program: take a token. False where there is none."""
        return _take(self.slots[0], self.period, self.room)


class RateLimitBy(ByKey["K"]):
    """`RateLimitBy[K](per_second=10, burst=5, max_entries=n)`: a limit for each key, for the n keys last seen."""

    what = "limit"
    __bpf_declares__ = "a limit"
    _example = "RateLimitBy[u32](per_second=10, burst=5, max_entries=10_240)"

    def __init__(self, per_second: int, burst: int, max_entries: int, *, name: str = "") -> None:
        super().__init__(max_entries, name)
        self.period, self.room = _period(self, per_second, burst)

    def _declare(self, name: str) -> Any:
        types: Any = (self._key_type(name), bucket)
        return LruHash[types](self.max_entries, name=name)  # type: ignore[misc]

    def allow(self, key: K) -> bool:
        """In the program: take a token of a key. False where there is none."""
        entry = self.slots.setdefault(key, bucket(full=0))
        if entry is None:  # no room for another key, which a least-recently-used map always makes
            return False
        return _take(entry, self.period, self.room)
