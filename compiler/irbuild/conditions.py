"""Truth: comparisons, and/or/not, tests for None. As branches where control depends on them, else as 0 or 1."""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.arith import MASK64, compare
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild.arithmetic import int_type, swap
from pybpf.compiler.irbuild.builder import is_pair
from pybpf.compiler.schema.types import OptionalType, PtrType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.ir.function import Block
    from pybpf.compiler.irbuild.builder import Builder, Lowered

__all__ = [
    "branch_and", "branch_compare", "branch_const", "branch_ifexp", "branch_is_none", "branch_let", "branch_not",
    "branch_or", "branch_truth", "by_branches", "compare_value", "if_exp", "is_none", "let", "negation", "truth",
]  # fmt: skip

_EQUALITY = {"==": "eq", "!=": "ne"}
_UNSIGNED = {"<": "ult", "<=": "ule", ">": "ugt", ">=": "uge", **_EQUALITY}
_SIGNED = {"<": "slt", "<=": "sle", ">": "sgt", ">=": "sge", **_EQUALITY}


def _operands(b: Builder, node: tree.Compare) -> tuple[str, Value, Value]:
    lhs = b.value(node.lhs)
    rhs = b.value(node.rhs)
    signed = not isinstance(node.lhs.type, (PtrType, OptionalType)) and int_type(node.lhs.type).signed
    pred = (_SIGNED if signed else _UNSIGNED)[node.op]
    if node.op in _EQUALITY:
        lhs, rhs = _unswapped(b, lhs, rhs)
    return pred, lhs, rhs


def _unswapped(b: Builder, lhs: Value, rhs: Value) -> tuple[Value, Value]:
    """Operands of == and !=. A number just read from network order is compared as it lies in memory, with the constant
    swapped instead, or with the other number as it lies in memory."""
    if type(lhs) is Const and type(rhs) is not Const:
        rhs, lhs = _unswapped(b, rhs, lhs)
        return lhs, rhs
    if type(lhs) is ops.Swap and _is_raw(lhs):
        if type(rhs) is Const and 0 <= rhs.value & MASK64 < 1 << lhs.bits:
            return lhs.value, swap(b, rhs, lhs.bits)
        if type(rhs) is ops.Swap and rhs.bits == lhs.bits and _is_raw(rhs):
            return lhs.value, rhs.value
    return lhs, rhs


def _is_raw(value: ops.Swap) -> bool:
    """Whether the swapped value has nothing above its low bits, as memory of that width has."""
    return type(value.value) is ops.Load and value.value.bits == value.bits and not value.value.signed


def compare_value(b: Builder, node: tree.Compare) -> Value:
    pred, lhs, rhs = _operands(b, node)
    if type(lhs) is Const and type(rhs) is Const:
        return Const(int(compare(pred, lhs.value & MASK64, rhs.value & MASK64, 64)))
    return b.emit(ops.Cmp(pred, lhs, rhs, 64, "", b.span))


def branch_compare(b: Builder, node: tree.Compare, then: Block, other: Block) -> None:
    pred, lhs, rhs = _operands(b, node)
    b.test(pred, lhs, rhs, then, other)


def branch_const(b: Builder, node: tree.Const, then: Block, other: Block) -> None:
    b.jump(then if node.value else other)


def negation(b: Builder, node: tree.Not) -> Value:
    value = b.value(node.value)
    if type(value) is Const:
        return Const(int(not value.value))
    return b.emit(ops.Binary("xor", value, Const(1), 64, "", b.span))


def branch_not(b: Builder, node: tree.Not, then: Block, other: Block) -> None:
    b.branch(node.value, other, then)


def branch_and(b: Builder, node: tree.And, then: Block, other: Block) -> None:
    rest = b.new_block("and")
    b.branch(node.lhs, rest, other)
    b.start(rest)
    b.branch(node.rhs, then, other)


def branch_or(b: Builder, node: tree.Or, then: Block, other: Block) -> None:
    rest = b.new_block("or")
    b.branch(node.lhs, then, rest)
    b.start(rest)
    b.branch(node.rhs, then, other)


def by_branches(b: Builder, node: tree.Expr) -> Value:
    """0 or 1 of a condition that is lowered to branches."""
    true, false, done = b.new_block("true"), b.new_block("false"), b.new_block("bool")
    b.branch(node, true, false)
    incoming: list[tuple[Block, Value]] = []
    for block, value in ((true, 1), (false, 0)):
        b.start(block)
        incoming.append((b.block, Const(value)))
        b.jump(done)
    b.start(done)
    return b.phi(incoming)


def is_none(b: Builder, node: tree.IsNone) -> Value:
    present = _present(b, node.value)
    if type(present) is Const:
        return Const(int(present.value == 0))
    return b.emit(ops.Cmp("eq", present, Const(0), 64, "", b.span))


def branch_is_none(b: Builder, node: tree.IsNone, then: Block, other: Block) -> None:
    b.test("eq", _present(b, node.value), Const(0), then, other)


def _present(b: Builder, node: tree.Expr) -> Value:
    """A value that is zero exactly if the Optional is None."""
    return b.optional(node)[0] if is_pair(node.type) else b.value(node)


def truth(b: Builder, node: tree.Truth) -> Value:
    type = node.value.type
    if is_pair(type):
        return by_branches(b, node)
    value = b.value(node.value)
    if isinstance(type, PtrType):
        return Const(1)
    return b.emit(ops.Cmp("ne", value, Const(0), 64, "", b.span))


def branch_truth(b: Builder, node: tree.Truth, then: Block, other: Block) -> None:
    type = node.value.type
    if isinstance(type, PtrType):
        b.perform(node.value)
        b.jump(then)
    elif is_pair(type):
        present, value = b.optional(node.value)
        some = b.new_block("present")
        b.test("ne", present, Const(0), some, other)
        b.start(some)
        b.test("ne", value, Const(0), then, other)
    else:
        b.test("ne", b.value(node.value), Const(0), then, other)


def if_exp(b: Builder, node: tree.IfExp) -> Lowered:
    then, other, done = b.new_block("then"), b.new_block("else"), b.new_block("ifexp")
    b.branch(node.test, then, other)
    cells = b.new_cells(node.type)
    for block, side in ((then, node.then), (other, node.other)):
        b.start(block)
        b.write(cells, b.lower(side))
        b.jump(done)
    b.start(done)
    return b.read(cells)


def branch_ifexp(b: Builder, node: tree.IfExp, then: Block, other: Block) -> None:
    yes, no = b.new_block("then"), b.new_block("else")
    b.branch(node.test, yes, no)
    b.start(yes)
    b.branch(node.then, then, other)
    b.start(no)
    b.branch(node.other, then, other)


def let(b: Builder, node: tree.Let) -> Lowered:
    b.write(b.cells(node.var), b.lower(node.value))
    return b.lower(node.body)


def branch_let(b: Builder, node: tree.Let, then: Block, other: Block) -> None:
    b.write(b.cells(node.var), b.lower(node.value))
    b.branch(node.body, then, other)
