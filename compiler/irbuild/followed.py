"""Which numbers the verifier knows exactly on every way, because they are made of constants alone.

    for i in range(0, 24, 4): place[i + 1]      it walks through the loop, and i + 1 is 1, then 5, then 9, ...

What else is shown to be in bounds is bounded once more where it is used (places.py), in a way that the verifier sees;
where it sees that anyway, by ranges.py and facts.py, the passes take it out again. The frontend knows more than older
verifiers do: of products with negative numbers, of what was compared with another variable, of what is not equal to
something.
"""

from __future__ import annotations

from pybpf.compiler.analysis.ranges import Ranges
from pybpf.compiler.frontend import tree
from pybpf.compiler.frontend.reach import children
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const
from pybpf.compiler.schema.record import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pybpf.compiler.ir.ops import Value
    from pybpf.compiler.irbuild.builder import Builder

__all__ = ["is_counted", "is_followed", "note_loop"]

_FOLLOWED = frozenset(("add", "sub", "mul", "and", "or", "xor", "shl", "lshr", "ashr"))  # of constants
_OPERATORS = frozenset(("+", "-", "*", "&", "|", "^", "<<", ">>"))


def is_followed(b: Builder, value: Value, length: int) -> bool:
    """Whether the verifier sees that a number is below `length`, which it is."""
    return _is_exact(b, value, 8, frozenset()) or Ranges().of(value)[1] < length


def _is_exact(b: Builder, value: Value, depth: int, seen: frozenset[ops.Phi]) -> bool:
    if type(value) is Const:
        return True
    if depth == 0 or value in b.unfollowed:
        return False
    if type(value) is ops.Binary:
        return value.op in _FOLLOWED and all(_is_exact(b, each, depth - 1, seen) for each in (value.lhs, value.rhs))
    if type(value) is ops.Phi:
        if value in seen:  # it goes around a loop, which the verifier follows too
            return True
        given = [v for _, v in value.incoming]
        if not given:  # what a loop carries, while the loop is being built
            awaited = b.variables.awaited(value)
            if awaited is None or awaited[0] in b.lost:
                return False
            given = awaited[1]
        return all(_is_exact(b, v, depth - 1, seen | {value}) for v in given)
    return type(value) is ops.Extend and _is_exact(b, value.value, depth - 1, seen)


def is_counted(b: Builder, value: Value, depth: int = 0) -> bool:
    """Whether the verifier knows what a value is, each time that it comes here: it is reckoned from counters of loops
    over constant ranges, which it follows iteration by iteration.
    """
    if type(value) is ops.Binary and depth < 8 and value.op in _FOLLOWED:
        return all([is_counted(b, each, depth + 1) for each in (value.lhs, value.rhs)])
    return type(value) is Const or value in b.counters


def note_loop(b: Builder, loop: tree.While | tree.ForRange | tree.ForEach) -> None:
    """Note the variables that a loop which is about to be built gives values that are not made of constants alone."""
    values: dict[tree.Var, list[tree.Expr | None]] = {}
    for var, value in _assignments([loop]):
        values.setdefault(var, []).append(value)
    lost: set[tree.Var] = set()
    more = True
    while more:
        found = {var for var, given in values.items() if var not in lost and any(_loses(v, lost) for v in given)}
        lost |= found
        more = bool(found)
    for var in sorted(lost, key=lambda var: var.name):
        b.lost.update(b.cells(var))


def _assignments(nodes: Any) -> Iterator[tuple[tree.Var, tree.Expr | None]]:
    """Variables, and what they are assigned; None for what is no expression."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if isinstance(node, (tree.Assign, tree.Let)):
            yield node.var, node.value
        elif isinstance(node, tree.ForRange):
            yield node.var, node.start
        elif isinstance(node, tree.Stmt):
            yield from [(value, None) for value in _variables(node)]
        if isinstance(node, tree.Node):
            pending += children(node)
        elif isinstance(node, tree.Function):  # a function inside may assign what lies around it
            pending += node.body


def _variables(node: tree.Stmt) -> list[tree.Var]:
    """The variables that a statement names in its fields."""
    return [value for value in [getattr(node, name) for name in fields(type(node))] if isinstance(value, tree.Var)]


def _loses(value: tree.Expr | None, lost: set[tree.Var]) -> bool:
    """Whether a value may come out of anything but constants, and of variables that are made of them."""
    if isinstance(value, tree.Const):
        return False
    if isinstance(value, tree.Local):
        return value.var in lost
    if isinstance(value, tree.Binary) and value.op in _OPERATORS:
        return _loses(value.lhs, lost) or _loses(value.rhs, lost)
    if isinstance(value, (tree.Convert, tree.Wrap, tree.Unwrap)):
        return _loses(value.value, lost)
    if isinstance(value, tree.IfExp):
        return _loses(value.then, lost) or _loses(value.other, lost)
    return True
