"""`if (v := m.get(k)) is not None:` — an assignment expression that is the first thing its statement evaluates.

It becomes an assignment before the statement. Anywhere else it is refused: it would have to happen between two halves
of an expression.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend import tree
    from pybpf.compiler.frontend.function import Checker
else:
    import _ast as ast

__all__ = ["hoisted"]


def hoisted(checker: Checker, node: Any) -> list[tree.Stmt]:
    """The assignment to make before an expression, if there is one; reading the expression then reads the variable."""
    found = _first(node)
    if not isinstance(found, ast.NamedExpr):
        return []
    from pybpf.compiler.frontend.assignment import assign_to

    made = hoisted(checker, found.value)
    name = found.target.id
    slot = checker.slots.get(name)
    wanted = None if slot is None else slot.declared or slot.preset
    made += assign_to(checker, found.target, checker.expr(found.value, wanted), checker.span(found))
    checker.hoisted.add(found)
    return made


def _first(node: Any) -> Any:
    """What an expression evaluates first, down to a leaf or an assignment expression."""
    while True:
        match node:
            case ast.Compare():
                node = node.left
            case ast.BoolOp():
                node = node.values[0]
            case ast.BinOp():
                node = node.left
            case ast.UnaryOp():
                node = node.operand
            case ast.IfExp():
                node = node.test
            case ast.Attribute() | ast.Subscript():
                node = node.value
            case ast.Call() if isinstance(node.func, ast.Name) and node.args:
                node = node.args[0]
            case ast.Call() if isinstance(node.func, ast.Attribute):
                node = node.func.value
            case _:
                return node
