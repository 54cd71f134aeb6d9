"""Statements: assignment, branches, return. Loops are in loops.py."""

from __future__ import annotations

from pybpf.compiler.ir.ops import Const, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder

__all__ = ["assign", "expression", "if_", "return_"]


def assign(b: Builder, node: tree.Assign) -> None:
    b.write(b.cells(node.var), b.lower(node.value))


def expression(b: Builder, node: tree.ExprStmt) -> None:
    b.perform(node.value)


def if_(b: Builder, node: tree.If) -> None:
    then, done = b.new_block("then"), b.new_block("endif")
    other = b.new_block("else") if node.orelse else done
    b.branch(node.test, then, other)
    b.start(then)
    b.statements(node.body)
    b.go(done)
    if node.orelse:
        b.start(other)
        b.statements(node.orelse)
        b.go(done)
    b.start(done)


def _allowed(b: Builder, value: Value, low: int, high: int) -> Value:
    """The answer, where the hook allows it; its default otherwise. The verifier wants to see that."""
    if isinstance(value, Const):
        return value  # the frontend looked at it
    for pred, bound in (("sgt", high), ("slt", low)):
        good, bad = b.new_block("allowed"), b.new_block("not_allowed")
        b.test(pred, value, Const(bound & (1 << 64) - 1), bad, good)
        b.start(bad)
        if b.reachable:
            b.leave(Const(b.default_return))
        b.start(good)
    return value


def return_(b: Builder, node: tree.Return) -> None:
    frame = b.inlined
    if frame is None:
        value: Value = Const(b.default_return)
        if node.value is not None:
            lowered = b.lower(node.value)
            value = lowered if isinstance(lowered, Value) else value
        b.release_to(0)
        if b.function.program is not None and b.function.program.allowed is not None:
            value = _allowed(b, value, *b.function.program.allowed)
        b.leave(value)
    elif frame.other is not None:
        assert node.value is not None
        if len(b.reserved) == frame.reserved:
            b.branch(node.value, frame.after, frame.other)
            return
        value = b.value(node.value)
        b.release_to(frame.reserved)
        b.test("ne", value, Const(0), frame.after, frame.other)
    else:
        if node.value is not None:
            b.write(frame.cells, b.lower(node.value))
        b.release_to(frame.reserved)
        b.jump(frame.after)
