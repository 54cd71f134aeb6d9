"""Which numbers the verifier can follow: whether it knows the bounds of an index from how it was computed.

It forgets what it knew of a number at a division or remainder, and at a shift by a variable count. An index that came
by such a way is bounded once more where it is used (places.py).
"""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.frontend.reach import children
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pybpf.compiler.ir.ops import Value
    from pybpf.compiler.irbuild.builder import Builder

__all__ = ["is_counted", "is_followed", "note_loop"]

_LOST = frozenset(("udiv", "umod", "sdiv", "smod"))  # the verifier knows nothing of their results
_SHIFTS = frozenset(("shl", "lshr", "ashr"))  # nor of these where the count is no constant


def is_followed(b: Builder, value: Value, depth: int = 0, seen: frozenset[ops.Phi] = frozenset()) -> bool:
    """Whether the verifier follows the arithmetic from which a value comes (comparisons it always follows)."""
    if depth > 8 or value in b.unfollowed:
        return False
    if type(value) is ops.Binary:
        if value.op == "and" and (type(value.rhs) is Const or type(value.lhs) is Const):
            return True
        if value.op in _LOST or (value.op in _SHIFTS and type(value.rhs) is not Const):
            return False
        return all(is_followed(b, each, depth + 1, seen) for each in (value.lhs, value.rhs))
    if type(value) is ops.Phi:
        if not value.incoming:  # what a loop carries, while the loop is being built
            return b.variables.awaited(value) not in b.lost
        # one that is seen again goes around a loop, which the verifier follows too
        return value in seen or all(is_followed(b, v, depth + 1, seen | {value}) for _, v in value.incoming)
    return type(value) not in (ops.Swap, ops.Hide)


def is_counted(b: Builder, value: Value, depth: int = 0) -> bool:
    """Whether the verifier knows what a value is, each time that it comes here: it is reckoned from counters of loops
    over constant ranges, which it follows iteration by iteration.
    """
    if type(value) is ops.Binary and depth < 8 and value.op not in _LOST:
        return all([is_counted(b, each, depth + 1) for each in (value.lhs, value.rhs)])
    return type(value) is Const or value in b.counters


def note_loop(b: Builder, loop: tree.While | tree.ForRange | tree.ForEach) -> None:
    """Note the variables that a loop which is about to be built gives values of which the verifier knows nothing."""
    assigned = list(_assignments(loop.body))
    assigned += _assignments([loop.test] if isinstance(loop, tree.While) else [])
    lost: set[tree.Var] = set()
    more = True
    while more:
        found = {var for var, value in assigned if var not in lost and _loses(value, lost)}
        lost |= found
        more = bool(found)
    for var in sorted(lost, key=lambda var: var.name):
        b.lost.update(b.cells(var))


def _assignments(nodes: Any) -> Iterator[tuple[tree.Var, tree.Expr]]:
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if isinstance(node, (tree.Assign, tree.Let)):
            yield node.var, node.value
        if isinstance(node, tree.Node):
            pending += children(node)
        elif isinstance(node, tree.Function):  # a function inside may assign what lies around it
            pending += node.body


def _loses(value: Any, lost: set[tree.Var]) -> bool:
    """Whether a value may come out of arithmetic that the verifier does not follow, or of a variable that does."""
    if isinstance(value, tree.Local):
        return value.var in lost
    if isinstance(value, tree.Binary):
        if value.op == "&" and (isinstance(value.lhs, tree.Const) or isinstance(value.rhs, tree.Const)):
            return False
        if value.op in ("//", "%") or (value.op in ("<<", ">>") and not isinstance(value.rhs, tree.Const)):
            return True
    if isinstance(value, tree.FuncCall):
        return any(_loses(inner, lost) for inner in value.function.body) or any(_loses(a, lost) for a in value.args)
    return isinstance(value, tree.Node) and any(_loses(child, lost) for child in children(value))
