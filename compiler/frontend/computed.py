"""Arguments of a program that functions of the language compute from its context (ProgramSpec.arg_values).

In: the checked function, whose parameters are these arguments. Out: assignments for the beginning of its body; they are
variables of the function then, and no longer parameters.
"""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.frontend.convert import materialize
from pybpf.compiler.frontend.inline import inline
from pybpf.compiler.frontend.known import ContextRef, Refused
from pybpf.compiler.frontend.reach import uses
from pybpf.compiler.schema.types import BOOL, U8, BoolType, PtrType, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import ProgramSpec

__all__ = ["compute"]


def compute(checker: Checker, spec: ProgramSpec, function: tree.Function) -> tuple[tree.Computed, list[Diagnostic]]:
    """The assignments of all arguments that the function uses, and what is wrong with them."""
    inner = checker.enter(checker.module, checker.node, checker.function)
    variables = function.params
    function.params = ()
    assert spec.values_from is not None
    statements: list[Any] = []
    used = uses(function, variables)
    for var, given in zip(variables, spec.arg_values):
        if var not in used:
            continue
        span = function.span
        try:
            number = materialize(inner, inline(inner, given, [ContextRef(spec.values_from, span)], {}, span))
            statements.append(tree.Assign(span, var, _as(var.type, number, span)))
        except Refused:
            break
    return tree.Computed(variables, statements), inner.diagnostics


def _as(kind: Type, number: tree.Expr, span: Span) -> tree.Expr:
    """A u64 as the argument's type: an address, a flag, or its lowest bits."""
    if isinstance(kind, PtrType):
        return tree.Cast(kind, span, number)
    if isinstance(kind, BoolType):
        low = tree.Convert(U8, span, number)
        return tree.Compare(BOOL, span, "!=", low, tree.Const(U8, span, 0))
    return number if kind == number.type else tree.Convert(kind, span, number)
