"""Maps without keys: queues, stacks, and filters that say what they have seen.

jobs = Queue[Job](64)
seen = BloomFilter[u32](10_000)
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.types import size_of
from pybpf.stdlib.mapkinds import KINDS, MAX_HASHES, MAX_VALUE
from pybpf.stdlib.maps.base import Declaration
from pybpf.stdlib.opaque import check_opaque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type

    V = TypeVar("V")

    class _Items(Generic[V]):
        """The type variable of these maps: what they hold."""

else:

    class _Items(Declaration):
        pass


__all__ = ["BloomFilter", "Queue", "Stack"]


class _Keyless(_Items["V"], Declaration):
    """What the three have in common."""

    _parameters = ("value",)

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        item = self._one(name, "item", self._types[0])
        check_opaque(f"map {name}", self.kind.name, None, item)
        if size_of(item) > MAX_VALUE:
            raise DeclarationTypeError(
                f"map {name}: an item of {size_of(item)} bytes, but the kernel takes at most {MAX_VALUE}",
                help="spread it over several items",
            )
        return None, item


class _Taken(_Keyless["V"]):
    """Queues and stacks."""

    def push(self, item: V, /, *, drop_oldest: bool = False) -> bool:
        """Add an item; False where there are `max_entries` already. With `drop_oldest` the oldest one makes room."""
        done: bool = self._live().push(item, drop_oldest=drop_oldest)
        return done

    def pop(self) -> V | None:
        """Take the next item out; None where there is none."""
        item: V | None = self._live().pop()
        return item

    def peek(self) -> V | None:
        """A copy of the next item, which stays; None where there is none."""
        item: V | None = self._live().peek()
        return item


class Queue(_Taken["V"]):
    """`Queue[V](max_entries)`: BPF_MAP_TYPE_QUEUE, first in, first out. Of a struct the program gets a copy."""

    kind = KINDS["QUEUE"]
    _example = "Queue[u64](64)"


class Stack(_Taken["V"]):
    """`Stack[V](max_entries)`: BPF_MAP_TYPE_STACK, last in, first out. Of a struct the program gets a copy."""

    kind = KINDS["STACK"]
    _example = "Stack[u64](64)"


class BloomFilter(_Keyless["V"]):
    """`BloomFilter[V](max_entries)`: BPF_MAP_TYPE_BLOOM_FILTER: was this value added?

    `value in seen` is never False for what was added, and sometimes True for what was not: rarely, as long as no more
    than `max_entries` values are added. `hashes`, 1 to 15, is the number of hash functions; the kernel uses 5 where it
    is not given. Nothing can be taken out again.
    """

    kind = KINDS["BLOOM_FILTER"]
    _example = "BloomFilter[u32](10_000)"

    def __init__(
        self, max_entries: int, *, hashes: int = 0, name: str = "", flags: int = 0, pin: bool = False,
        numa_node: int | None = None, rdonly: bool = False, wronly: bool = False, rdonly_prog: bool = False,
        wronly_prog: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            max_entries, name=name, flags=flags, pin=pin, numa_node=numa_node, rdonly=rdonly, wronly=wronly,
            rdonly_prog=rdonly_prog, wronly_prog=wronly_prog,
        )  # fmt: skip
        if isinstance(hashes, bool) or not isinstance(hashes, int) or not 0 <= hashes <= MAX_HASHES:
            raise DeclarationValueError(
                f"BloomFilter: hashes must lie between 1 and {MAX_HASHES}, not {hashes!r}",
                help="leave it out for 5, or write:",
                lines=("BloomFilter[u32](10_000, hashes=3)",),
            )
        self.hashes = hashes

    def spec(self, fallback: str = "") -> MapSpec:
        made = super().spec(fallback)
        made.extra = self.hashes
        return made

    def add(self, item: V, /) -> bool:
        """Remember a value; False only where the kernel is out of memory."""
        done: bool = self._live().add(item)
        return done

    def __contains__(self, item: object) -> bool:
        found: bool = item in self._live()
        return found
