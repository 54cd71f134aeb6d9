"""What helpers do to the packet: after some, the verifier takes no address into it that was there before.

References into the packet are refused afterwards, and the variables that are kept on the context (the cursor) start
anew, as they do at the program's entry.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import tree
from pybpf.compiler.frontend.flow import Fact
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import OptionalType, PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span

__all__ = ["MOVES_PACKET", "forget_packet", "move_on", "restart"]

# Helpers after which pointers into the packet are invalid: bpf_helper_changes_pkt_data() in net/core/filter.c.
MOVES_PACKET = frozenset((
    9, 10, 11, 12, 13, 18, 19, 31, 38, 39, 43, 44, 50, 54, 63, 65, 73, 74, 75, 76, 90, 91, 143,
))  # fmt: skip

_PACKET = (Space.PACKET, Space.PACKET_END, Space.SLICE)


def forget_packet(checker: Checker, what: str, span: Span) -> None:
    """Variables that refer to the packet can't be used any more: `what` may have moved it."""
    checker.moves_packet = True
    if checker.state is None:
        return
    kept = {var.name for var in checker.session.state.values()}
    for name, fact in checker.state.items():
        slot = checker.slots.get(name)
        kind = slot.var.type if slot is not None and slot.var is not None else None
        if isinstance(kind, OptionalType):
            kind = kind.inner
        if isinstance(kind, PtrType) and kind.space in _PACKET and name not in kept and fact.stale is None:
            checker.state[name] = replace(fact, stale=(f"{what} may have moved the packet", span))


def move_on(checker: Checker, moved: dict[str, int], span: Span) -> None:
    """A call moves the variables that are kept on the context: by so many bytes at most."""
    assert checker.state is not None
    for name, count in moved.items():
        fact = checker.state.get(name, Fact(range=(0, 0)))
        _, far = fact.range
        if count and far <= 0xFFFF:
            if far + count > 0xFFFF:  # MAX_PACKET_OFF of kernel/bpf/verifier.c
                checker.fail(errors.PacketTooFar(span, f"the {name.rpartition('.')[2]}", far, count))
            checker.state[name] = replace(fact, range=(0, far + count))


def restart(checker: Checker, value: tree.Expr) -> tree.Expr:
    """`value`, after which the variables that are kept on the context have their first values again."""
    from pybpf.compiler.frontend.access import state_variable

    context = checker.session.program.context
    if context is None or not context.state:
        return value
    span = value.span
    result = checker.temporary(value.type, value)
    made: tree.Expr = tree.Local(value.type, span, result)
    for state in context.state:
        var, initial = state_variable(checker, context, state.name), context.field(state.init)
        assert var is not None and initial is not None
        made = tree.Let(value.type, span, var, tree.CtxLoad(var.type, span, initial), made)
        if checker.state is not None:
            checker.state.pop(var.name, None)
    return tree.Let(value.type, span, result, value, made)
