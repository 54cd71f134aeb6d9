"""`with ring.reserve() as record:` — a ring-buffer record filled in place.

In: the statement. Out: WithReserve. Inside, the record is Optional; after the block, or after `record.discard()`,
nothing may refer to it any more, which flow facts keep track of.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, tree
from pybpf.compiler.frontend.flow import Fact
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.schema.specs import BuiltinSpec, MapSpec
from pybpf.compiler.schema.types import OptionalType, PtrType, Space, is_aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast

__all__ = ["discard", "with_statement"]


def _calls(checker: Checker, node: Any, name: str) -> bool:
    """Whether an expression is a call of the compiler's own function of that name."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute))):
        return False
    if isinstance(node.func, ast.Name) and node.func.id in checker.slots:
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr != name:  # a map's method has no value
        return False
    callee = checker.expr(node.func)
    schema = checker.schema(callee) if isinstance(callee, Known) else None
    return isinstance(schema, BuiltinSpec) and schema.name == name


def with_statement(checker: Checker, node: ast.With) -> list[tree.Stmt]:
    span = checker.span(node)
    if len(node.items) != 1:  # `with a, b:` is a block in a block
        first, *rest = node.items
        place = {name: getattr(node, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
        inner = ast.With(items=rest, body=node.body, type_comment=None, **place)
        return with_statement(checker, ast.With(items=[first], body=[inner], type_comment=None, **place))
    item = node.items[0]
    if _calls(checker, item.context_expr, "releasing"):
        from pybpf.compiler.frontend.references import releasing

        return releasing(checker, node)
    if _calls(checker, item.context_expr, "lock"):
        from pybpf.compiler.frontend.locks import locked

        return locked(checker, node)
    spec = _reserved_map(checker, item.context_expr)
    where = checker.span(item.context_expr)
    if spec is None:
        checker.fail(errors.WithOther(where))
    if not isinstance(item.optional_vars, ast.Name) or item.optional_vars.id not in checker.slots:
        checker.fail(errors.WithoutName(where, spec.name, spec.value is None))
    name = item.optional_vars.id
    assert checker.state is not None
    slot = checker.slots[name]
    if slot.declared is not None or slot.var is not None or name in checker.reserved_names:
        checker.fail(errors.ReserveName(checker.span(item.optional_vars), name, name in checker.reserved_names))
    before: list[tree.Stmt] = []
    reserve: tree.Expr
    subject: Any = item.context_expr
    if spec.value is None:
        from pybpf.compiler.frontend.dynptrs import reserved

        before, reserve = reserved(checker, spec, subject, where)
        kind = reserve.type
    else:
        if not is_aggregate(spec.value):
            checker.fail(errors.ReserveNumber(where, spec.name, str(spec.value)))
        kind = OptionalType(PtrType(spec.value, Space.RINGBUF))
        reserve = tree.RingReserve(kind, where, spec)
    slot.joined, slot.span = kind, checker.span(item.optional_vars)
    slot.var = tree.Var(name, kind, slot.span)
    checker.state[name] = Fact(source=where, origins=frozenset([where]))
    checker.reserved_names.add(name)
    checker.reserved.add(where)
    body = checker.block(node.body)
    checker.reserved_names.discard(name)
    var, slot.var, slot.joined = slot.var, None, None  # the name may be used for another record afterwards
    loop = checker.loops[-1] if checker.loops else None
    for state in (checker.state, *((loop.breaks, loop.continues) if loop is not None else ())):
        if state is not None:
            flow.stale(state, where, "its record was submitted at the end of the `with` block", where)
    if not isinstance(reserve, tree.RingReserve):
        submit, takes_back = spec.helpers["submit"], spec.helpers["reserve"].release
        return [*before, tree.WithAcquire(span, var, reserve, submit, body, takes_back)]
    return [tree.WithReserve(span, var, reserve, body)]


def _reserved_map(checker: Checker, node: Any) -> MapSpec | None:
    """The ring buffer of `ring.reserve()`; None where the expression is something else."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reserve"):
        return None
    value = checker.expr(node.func.value)
    schema = checker.schema(value) if isinstance(value, Known) else None
    if not isinstance(schema, MapSpec) or schema.kind.family != "ring":
        return None
    if (node.args or node.keywords) and schema.value is not None:
        checker.fail(errors.RecordsOfOneType(checker.span(node), schema.name, str(schema.value)))
    if node.keywords or len(node.args) > 1:
        example = f"{schema.name}.reserve()"
        checker.fail(errors.CallArguments(checker.span(node), f"`{example}`", "takes no arguments", example))
    return schema


def discard(checker: Checker, receiver: tree.Expr, span: Span) -> tree.Expr:
    """`record.discard()`."""
    from pybpf.compiler.frontend.measure import underlying
    from pybpf.compiler.schema.types import NONE

    var = underlying(checker, receiver)
    if var is None or var.name not in checker.reserved_names or checker.state is None:
        checker.fail(errors.DiscardOther(span, checker.text(receiver.span), tuple(sorted(checker.reserved_names))))
    for origin in sorted(checker.state[var.name].origins, key=str):
        flow.stale(checker.state, origin, "its record was discarded", span)
    return tree.Discard(NONE, span, var)
