"""Program arrays, and tail calls through them: one program goes on in place of another.

    stages = ProgArray[XdpContext, XDP](4)

    @xdp
    def entry(pkt: XdpContext) -> XDP:
        ...
        stages.tail_call(pkt, Stage.TCP)      # goes on in the slot's program; falls through where the slot is empty
        return XDP.PASS

    stages[Stage.TCP] = tcp                   # at module level: filled when the object is loaded

A program in a slot from the start is part of the object, and its maps are too. At run time slots are changed through
the loaded object: `obj[stages][Stage.TCP] = other`.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.types import U32
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.maps import Declaration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Generic, TypeVar

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type

    C = TypeVar("C")
    R = TypeVar("R")

    class _Slots(Generic[C, R]):
        """The type variables of ProgArray: the programs' context, and what they return."""

else:

    class _Slots(Declaration):
        pass


__all__ = ["ProgArray"]


class ProgArray(_Slots["C", "R"], Declaration):
    """`ProgArray[XdpContext, XDP](n)`: BPF_MAP_TYPE_PROG_ARRAY, n slots for programs of that context and result."""

    kind = KINDS["PROG_ARRAY"]
    _parameters = ("context", "result")
    _example = "ProgArray[XdpContext, XDP](4)"

    def __init__(self, max_entries: int, *, name: str = "", flags: int = 0, pin: bool = False) -> None:
        super().__init__(max_entries, name=name, flags=flags, pin=pin)
        self._programs: dict[int, Callable[[C], R]] = {}

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        return U32, U32

    def spec(self, fallback: str = "") -> MapSpec:
        made = super().spec(fallback)
        made.programs = self._programs
        return made

    def __setitem__(self, index: int, program: Callable[[C], R], /) -> None:
        """What the slot holds when the object is loaded. In a simulation: what it holds from now on."""
        if isinstance(index, bool) or not isinstance(index, int):
            raise DeclarationTypeError(f"{self!r}: a slot is an int, not {index!r}")
        if not 0 <= index < self.max_entries:
            raise DeclarationValueError(
                f"{self!r}: there is no slot {int(index)}; it has {self.max_entries}, from 0 on",
                help="declare it with more slots:",
                lines=(f"ProgArray[...]({int(index) + 1})",) if index >= 0 else (),
            )
        if type(program).__name__ != "Program" or not hasattr(type(program), "__bpf__"):
            raise DeclarationTypeError(
                f"{self!r}: slot {int(index)} takes a program, not {program!r}",
                help="decorate it with its hook, as @xdp",
            )
        from pybpf.stdlib.simulation import active

        if active() is not None:
            self._live()[int(index)] = program
        else:
            self._programs[int(index)] = program

    def tail_call(self, ctx: C, index: int, /) -> None:
        """In the program: go on in the program of the slot, on the same context, and never come back.

        Where the slot is empty, or there is none of that number, nothing happens and the next statement runs; so too
        after 33 tail calls in a row (MAX_TAIL_CALL_CNT). The packet's cursor starts at the packet's start again.
        """
        self._live().tail_call(ctx, index)
