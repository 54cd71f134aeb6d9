"""The bases of all nodes, and variables."""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type

__all__ = ["Expr", "Node", "Var"]


class Var(Record, eq=False):
    """A local variable, parameter, or temporary of one function. It keeps one type for its whole life."""

    name: str
    type: Type
    span: Span | None = None


class Node(Record, eq=False):
    """Base of expressions and statements."""


class Expr(Node):
    """Base of expressions."""

    type: Type
    span: Span
