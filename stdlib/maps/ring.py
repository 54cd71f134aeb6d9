"""Ring buffers: `opens = RingBuffer[Open](256 * 1024)`."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationValueError
from pybpf.compiler.schema.specs import GlobalSpec
from pybpf.compiler.schema.types import U64, size_of
from pybpf.stdlib.mapkinds import KINDS, PAGE, RECORD_HEADER
from pybpf.stdlib.maps.base import Declaration
from pybpf.stdlib.opaque import check_opaque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Any, Generic, TypeVar, overload

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.stdlib.dynptrs import Dynptr

    V = TypeVar("V")

    class _Events(Generic[V]):
        """The type variable of RingBuffer."""

else:

    class _Events(Declaration):
        pass


__all__ = ["RingBuffer"]


class RingBuffer(_Events["V"], Declaration):
    """`RingBuffer[Event](bytes)`: BPF_MAP_TYPE_RINGBUF; `obj[...]` has the events in the order of submission.

    The records of a `RingBuffer[bytes](...)` are bytes, each as many as the program reserves: `reserve(size)`.

    With `count_lost=True` the program counts what `emit` and `reserve` find no room for, in a variable of its own:
    `obj[opens].lost`.
    """

    kind = KINDS["RINGBUF"]
    _parameters = ("value",)
    _example = "RingBuffer[Event](256 * 1024)"

    def __init__(
        self, max_entries: int, *, name: str = "", flags: int = 0, pin: bool = False, count_lost: bool = False
    ) -> None:
        super().__init__(max_entries, name=name, flags=flags, pin=pin)
        self.count_lost = count_lost
        size = self.max_entries
        if size < PAGE or size & (size - 1):
            below, above = 1 << (size.bit_length() - 1), 1 << size.bit_length()
            raise DeclarationValueError(
                f"RingBuffer: a size of {size} bytes; it must be a power of two and a multiple of the page, {PAGE}",
                help=f"the nearest good size is {PAGE}" if size < PAGE else f"the nearest are {below} and {above}",
            )

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        if self._types[0] is bytes:
            return None, None
        event = self._one(name, "event", self._types[0])
        check_opaque(f"map {name}", self.kind.name, None, event)
        # __bpf_ringbuf_reserve refuses what is larger than the buffer, with its header rounded up to 8 bytes
        record = (size_of(event) + RECORD_HEADER + 7) // 8 * 8
        if record >= self.max_entries:  # one byte always stays free
            raise DeclarationValueError(
                f"map {name}: an event takes {record} bytes, more than fits into a ring buffer of {self.max_entries}",
                help=f"make it larger: at least {1 << record.bit_length()}, and more to hold several",
            )
        return None, event

    def spec(self, fallback: str = "") -> MapSpec:
        made = super().spec(fallback)
        if made.value is None and not made.helpers:
            from pybpf.stdlib.dynptrs import Dynptr
            from pybpf.stdlib.helpers import spec_of

            made.helpers = {
                "dynptr": Dynptr.__bpf__,  # type: ignore[attr-defined]
                "reserve": spec_of("bpf_ringbuf_reserve_dynptr"),
                "submit": spec_of("bpf_ringbuf_submit_dynptr"),
            }
        if self.count_lost and made.lost is None:
            made.lost = GlobalSpec(f"{made.name}_lost", U64, bytes(8), False)
        return made

    if not TYPE_CHECKING:  # a type checker is to refuse it: events are read from obj[...]

        def __iter__(self):
            return iter(self._live())

    def emit(self, event: V, /) -> bool:
        """In the program: submit an event, built in place. False where the buffer is full."""
        done: bool = self._live().emit(event)
        return done

    if TYPE_CHECKING:

        @overload
        def reserve(self: RingBuffer[bytes], size: int, /) -> AbstractContextManager[Dynptr]:
            """In the program: `with events.reserve(size) as d:` gives a record of so many bytes to write to.

            Writing to it fails where the buffer is full. Linux 5.19.
            """

        @overload
        def reserve(self) -> AbstractContextManager[V | None]:
            """In the program: `with events.reserve() as e:` gives a record, None where the buffer is full."""

        def reserve(self, *size: int) -> Any: ...

    else:

        def reserve(self, *size):
            """In the program: `with events.reserve() as e:` gives a record, None where the buffer is full."""
            return self._live().reserve(*size)
