"""`stages.tail_call(ctx, index)`: another program goes on in place of this one. In: the call. Out: TailCall.

The program in the array's slot replaces this one, on the same context: nothing after the call runs, and the variables
that are kept on the context (the cursor) start anew there. Where the slot is empty, the call does nothing.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import convert, materialize, type_of
from pybpf.compiler.frontend.known import ContextRef, Known
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import NONE, U32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span

__all__ = ["by_helper", "tail_call"]


def tail_call(checker: Checker, spec: MapSpec, context: Any, index: Any, span: Span) -> tree.Expr:
    """The call; `context` and `index` are syntax nodes."""
    what = f"{spec.name}.tail_call()"
    given = checker.expr(context)
    if not isinstance(given, ContextRef):
        checker.fail(errors.WrongType(given.span, kinds.spell(type_of(given)), "the context", f"`ctx` of {what}"))
    slot = checker.expr(index)
    if isinstance(slot, Known) and isinstance(slot.value, int) and not 0 <= slot.value < spec.max_entries:
        checker.fail(errors.TailCallSlot(slot.span, spec.name, int(slot.value), spec.max_entries))
    at = convert(checker, slot, U32, f"`index` of {what}")
    if checker.session.in_subprogram:
        checker.fail(errors.TailCallElsewhere(span, what, checker.session.in_subprogram[-1], False))
    if any(loop.own_frame is not None for loop in checker.loops):
        checker.fail(errors.TailCallElsewhere(span, what, "", True))
    if _holds(checker):
        checker.fail(errors.TailCallHolds(span, what))
    return tree.TailCall(NONE, span, spec, materialize(checker, given), at)


def by_helper(checker: Checker, args: list[Any], span: Span) -> tree.Expr:
    """`helpers.bpf_tail_call(ctx, stages, index)`."""
    table = checker.expr(args[1])
    spec = checker.schema(table)
    if not isinstance(spec, MapSpec) or spec.kind.name != "PROG_ARRAY":
        what = kinds.spell(type_of(table))
        checker.fail(errors.WrongType(table.span, what, "a ProgArray", "`prog_array_map` of bpf_tail_call()"))
    return tail_call(checker, spec, args[0], args[2], span)


def _holds(checker: Checker) -> bool:
    """Whether a ring-buffer record, or another reference that must be given back, is held here."""
    held = checker.state is not None and any(name[0] == "&" for name in checker.state)
    return held or bool(checker.reserved_names) or bool(checker.with_held)
