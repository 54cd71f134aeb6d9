"""Stack traces: `stacks = StackTrace(max_entries=4096)`."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.types import U32, U64, ArrayType
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.maps.base import Declaration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type

__all__ = ["StackTrace"]

_DEEPEST = 127  # PERF_MAX_STACK_DEPTH, what sysctl kernel.perf_event_max_stack starts with


class StackTrace(Declaration):
    """`StackTrace(max_entries=4096)`: BPF_MAP_TYPE_STACK_TRACE, stacks of addresses by number.

    counts = HashMap[u32, u64](max_entries=4096)

    number = stacks.id(user=True)         # in the program
    if number is not None:
        counts[number] += 1

    for number, count in obj[counts].items():
        print(obj[stacks].user(number, pid), count)
    """

    kind = KINDS["STACK_TRACE"]
    _parameters = ()
    _example = "StackTrace(max_entries=4096)"
    _types = ("stack",)

    def __init__(self, max_entries: int, *, depth: int = _DEEPEST, name: str = "", pin: bool = False) -> None:
        super().__init__(max_entries, name=name, pin=pin)
        if isinstance(depth, bool) or not isinstance(depth, int):
            raise DeclarationTypeError(f"StackTrace: depth must be an int, not {depth!r}", help="leave it out")
        if not 0 < depth <= _DEEPEST:
            raise DeclarationValueError(
                f"StackTrace: a depth of {depth}; the kernel walks at most {_DEEPEST} frames",
                help=f"give 1 to {_DEEPEST}, or leave it out",
            )
        self.depth = int(depth)

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        return U32, ArrayType(U64, self.depth)

    def spec(self, fallback: str = "") -> MapSpec:
        made = super().spec(fallback)
        if not made.helpers:
            from pybpf.stdlib.helpers import spec_of

            made.held = (4, 8 * self.depth)
            made.helpers = {"id": spec_of("bpf_get_stackid")}
        return made

    def id(self, user: bool = False, skip: int = 0, reuse: bool = False) -> int | None:
        """In the program: the number of the current stack, the kernel's or (`user`) the process's.

        Equal stacks have equal numbers. `skip` leaves out so many frames, 0 to 255, at the innermost end. None where
        the stack can't be walked, or another one has the place that its hash leads to; with `reuse` it takes that.
        """
        found: int | None = self._live().id(user, skip, reuse)
        return found
