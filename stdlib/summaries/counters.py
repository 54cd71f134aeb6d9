"""Counters by key: `hits = Counter[u32](max_entries=1024)`, `hits[pid()] += 1`, `obj[hits].most_common(10)`."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.maps import Map
from pybpf.stdlib.types import u64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.stdlib.summaries.base import K
    from pybpf.stdlib.summaries.figures import CounterView

__all__ = ["Counter"]


class Counter(Map["K", "int"]):
    """`Counter[K](max_entries=n)`: a PERCPU_HASH map of u64, each CPU counting for itself.

    Where the map is full, new keys are not counted.
    """

    kind = KINDS["PERCPU_HASH"]
    _example = "Counter[u32](max_entries=1024)"

    if not TYPE_CHECKING:

        def __class_getitem__(cls, given):
            if isinstance(given, tuple):
                raise DeclarationTypeError(
                    "Counter takes the type of its key only", help="write:", lines=(cls._example,)
                )
            return super().__class_getitem__((given, u64))

    def __bpf_view__(self, maps: Any) -> CounterView[K]:
        from pybpf.stdlib.summaries.figures import CounterView

        return CounterView(maps[self.spec()], self.spec().name)
