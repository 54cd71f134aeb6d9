"""Buffers of events beside the ring buffer: perf event arrays, and the ring buffer that user space writes to."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.types import size_of
from pybpf.stdlib.mapkinds import KINDS, PAGE
from pybpf.stdlib.maps.base import Declaration
from pybpf.stdlib.opaque import check_opaque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Generic, TypeVar, overload

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.stdlib.dynptrs import Dynptr

    V = TypeVar("V")

    class _Events(Generic[V]):
        """The type variable of the events."""

else:

    class _Events(Declaration):
        pass


__all__ = ["PerfEventArray", "UserRingBuffer"]

_MOST_EVENT = 0xFFFF - 64  # bytes: a record's u16 size, less what stands around the event (perf_event.h)
_MOST_PAGES = 1 << 14
_MOST_COMMAND = 512  # MAX_BPF_STACK: the loop's variable is a copy


class PerfEventArray(_Events["V"], Declaration):
    """`PerfEventArray[Event](pages=64)`: BPF_MAP_TYPE_PERF_EVENT_ARRAY, a ring of so many pages for each CPU.

    A ring buffer is newer (Linux 5.8), keeps the order of events, and needs no copy of them. This one works from
    Linux 4.4 on, and takes bytes of the packet along: `samples.emit(Sample(length=n), packet=64)`.
    """

    kind = KINDS["PERF_EVENT_ARRAY"]
    _parameters = ("value",)
    _example = "PerfEventArray[Event](pages=64)"

    def __init__(self, pages: int = 64, *, name: str = "", pin: bool = False) -> None:
        if isinstance(pages, bool) or not isinstance(pages, int):
            raise DeclarationTypeError(
                f"PerfEventArray: pages must be an int, not {pages!r}", help="write:", lines=(self._example,)
            )
        if not 0 < pages <= _MOST_PAGES or pages & (pages - 1):
            raise DeclarationValueError(
                f"PerfEventArray: {pages} pages; it must be a power of two, and at most {_MOST_PAGES}",
                help=f"a page has {PAGE} bytes, and each CPU gets that many pages:",
                lines=(self._example,),
            )
        super().__init__(1, name=name, pin=pin)
        self.max_entries = 0  # the loader makes it as many as there may be CPUs
        self.pages = int(pages)

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        event = self._one(name, "event", self._types[0])
        check_opaque(f"map {name}", self.kind.name, None, event)
        most = min(_MOST_EVENT, self.pages * PAGE)
        if size_of(event) > most:
            raise DeclarationValueError(
                f"map {name}: an event of {size_of(event)} bytes, but one takes at most {most}",
                help="send less, or more pages" if most < _MOST_EVENT else "send it in parts",
            )
        return None, event

    def spec(self, fallback: str = "") -> MapSpec:
        made = super().spec(fallback)
        if not made.helpers:
            from pybpf.stdlib.helpers import spec_of

            made.pages = self.pages
            made.held = (4, 4)  # the number of a CPU, and the descriptor of a perf event
            made.helpers = {"emit": spec_of("bpf_perf_event_output")}
        return made

    if not TYPE_CHECKING:  # a type checker is to refuse it: events are read from obj[...]

        def __iter__(self):
            return iter(self._live())

    def emit(self, event: V, /, packet: int = 0) -> bool:
        """In the program: copy an event into this CPU's ring. False where it is full, or nobody reads it.

        `packet` is how many bytes from the packet's start to put behind it, in programs that see packets: at most as
        many as the packet has (else nothing is sent, and it is False), and 2^20 - 1.
        """
        done: bool = self._live().emit(event, packet)
        return done


class UserRingBuffer(_Events["V"], Declaration):
    """`UserRingBuffer[Command](bytes)`: BPF_MAP_TYPE_USER_RINGBUF; user space sends, programs take. Linux 6.1.

    for command in commands.drain():      # in the program: once for each that is there, oldest first
        limits[command.pid] = command.limit

    obj[commands].send(Command(pid=7, limit=100))         # in user space
    """

    kind = KINDS["USER_RINGBUF"]
    _parameters = ("value",)
    _example = "UserRingBuffer[Command](64 * 1024)"

    def __init__(self, max_entries: int, *, name: str = "", pin: bool = False) -> None:
        super().__init__(max_entries, name=name, pin=pin)
        size = self.max_entries
        if size < PAGE or size & (size - 1):
            raise DeclarationValueError(
                f"UserRingBuffer: a size of {size} bytes; it must be a power of two and a multiple of the page, {PAGE}",
                help="write:",
                lines=(f"UserRingBuffer[...]({max(PAGE, 1 << (size - 1).bit_length())})",),
            )

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        if self._types[0] is bytes:
            return None, None
        command = self._one(name, "command", self._types[0])
        check_opaque(f"map {name}", self.kind.name, None, command)
        if size_of(command) > _MOST_COMMAND:
            raise DeclarationValueError(
                f"map {name}: a command of {size_of(command)} bytes, but a program's stack has {_MOST_COMMAND}",
                help="send it in parts",
            )
        return None, command

    def spec(self, fallback: str = "") -> MapSpec:
        made = super().spec(fallback)
        if not made.helpers:
            from pybpf.stdlib.helpers import spec_of

            made.helpers = {"drain": spec_of("bpf_user_ringbuf_drain")}
            if made.value is not None:
                made.helpers["read"] = spec_of("bpf_dynptr_read")
            else:
                from pybpf.stdlib.dynptrs import Dynptr

                made.helpers["dynptr"] = Dynptr.__bpf__  # type: ignore[attr-defined]
        return made

    if TYPE_CHECKING:

        @overload
        def drain(self: UserRingBuffer[bytes]) -> Iterator[Dynptr]: ...
        @overload
        def drain(self) -> Iterator[V]: ...
        def drain(self) -> Any:
            """In the program: `for command in commands.drain():` takes what user space has sent, oldest first.

            `break` leaves the rest for the next time. While another CPU drains the same buffer there is nothing. Of a
            `UserRingBuffer[bytes]` it gives a Dynptr of what was sent.
            """

    else:

        def drain(self):
            """In the program: `for command in commands.drain():` takes what user space has sent, oldest first."""
            return self._live().drain()
