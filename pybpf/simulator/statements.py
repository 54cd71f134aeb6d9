"""Statements of the typed tree as Python statements."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from pybpf.compiler.frontend import tree
from pybpf.compiler.schema.specs import HelperSpec
from pybpf.compiler.schema.types import NONE, IntType, NoneType, PtrType, is_aggregate
from pybpf.simulator.expressions import argument, arithmetic, expression, kernel_store, place, scalar_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybpf.simulator.translator import Translator

__all__ = ["body"]


def body(t: Translator, statements: Sequence[tree.Stmt]) -> list[ast.stmt]:
    """At least one statement."""
    made: list[ast.stmt] = []
    for statement in statements:
        t.span = statement.span
        made += [t.at(statement.span)(node) for node in _STATEMENTS[type(statement)](t, statement)]
    return made or [t.here(ast.Pass())]


def _name(t: Translator, var: tree.Var) -> Any:
    return t.here(ast.Name(t.variable(var), ast.Store()))


def _assign(t: Translator, node: tree.Assign) -> list[Any]:
    value = expression(t, node.value)
    return [ast.Assign([_name(t, node.var)], value)]


def _is_aggregate(node: tree.Expr) -> bool:
    kind = node.type
    return isinstance(kind, PtrType) and kind.pointee is not None and is_aggregate(kind.pointee)


def _store(t: Translator, node: tree.Store) -> list[Any]:
    """Python evaluates the value before the place."""
    if isinstance(node.place, tree.KernelPlace):
        target = node.place
        return _in_order(t, expression(t, node.value), lambda value: kernel_store(t, target, value))
    if _is_aggregate(node.place):
        assert isinstance(node.place.type, PtrType)
        data = t.call("_to_bytes", t.constant(node.place.type.pointee), place(t, node.value))
        return _in_order(t, data, lambda value: t.method(place(t, node.place), "write", value))
    return _in_order(
        t, expression(t, node.value), lambda value: t.method(scalar_at(t, node.place), "store", _target(t, node), value)
    )


def _target(t: Translator, node: tree.Store | tree.Update) -> ast.expr:
    return place(t, node.place)


def _in_order(t: Translator, value: ast.expr, use: Callable[[ast.expr], ast.expr]) -> list[Any]:
    name = t.temporary()
    return [t.here(ast.Assign([t.here(ast.Name(name, ast.Store()))], value)), ast.Expr(use(t.name(name)))]


def _update(t: Translator, node: tree.Update) -> list[Any]:
    """Python reads the place before it evaluates the value; an atomic update reads it after."""
    scalar = scalar_at(t, node.place)
    where, old = t.temporary(), t.temporary()
    signed = isinstance(node.value.type, IntType) and node.value.type.signed
    load = t.method(scalar, "load", t.name(where))
    steps = [(where, _target(t, node)), (old, load)]
    if node.atomic and not (isinstance(node.place, tree.Field) and node.place.field.bits):
        amount = t.temporary()
        steps.insert(1, (amount, expression(t, node.value)))
        value: ast.expr = t.name(amount)
    else:
        value = expression(t, node.value)
    made: list[Any] = [t.here(ast.Assign([t.here(ast.Name(name, ast.Store()))], v)) for name, v in steps]
    new = arithmetic(t, node.op, signed, t.name(old), value)
    return [*made, ast.Expr(t.method(scalar, "store", t.name(where), new))]


def _while(t: Translator, node: tree.While) -> list[Any]:
    test = expression(t, node.test)
    inside = body(t, node.body)
    return [ast.While(test, inside, body(t, node.orelse) if node.orelse else [])]


def _if(t: Translator, node: tree.If) -> list[Any]:
    test = expression(t, node.test)
    then = body(t, node.body)
    return [ast.If(test, then, body(t, node.orelse) if node.orelse else [])]


def _for(t: Translator, node: tree.ForRange) -> list[Any]:
    bounds = [expression(t, node.start), expression(t, node.stop), t.literal(node.step)]
    values = t.call("range", *bounds)
    target = _name(t, node.var)
    inside = body(t, node.body)
    return [ast.For(target, values, inside, body(t, node.orelse) if node.orelse else [], None)]


def _for_map(t: Translator, node: tree.ForMap) -> list[Any]:
    """Over the elements that there are when the loop begins, without those that it deletes."""
    names = [_name(t, var) if var is not None else t.here(ast.Name("_", ast.Store())) for var in (node.key, node.value)]
    walk = t.method(t.constant(t.simulation.table(node.map)), "walk")
    target = t.here(ast.Tuple(names, ast.Store()))
    return [ast.For(target, walk, body(t, node.body), body(t, node.orelse) if node.orelse else [], None)]


def _for_each(t: Translator, node: tree.ForEach) -> list[Any]:
    args = [argument(t, arg) for arg in node.args]
    elements = t.call("_iterate", t.constant(node.iterator), t.constant(node.var.type), *args)
    inside = body(t, node.body)
    return [ast.For(_name(t, node.var), elements, inside, body(t, node.orelse) if node.orelse else [], None)]


def _for_helper(t: Translator, node: tree.ForHelper) -> list[Any]:
    args = [argument(t, arg) for arg in node.args]
    elements = t.call("_iterate", t.constant(node.helper), t.constant(node.var.type), *args)
    inside = body(t, node.body)
    return [ast.For(_name(t, node.var), elements, inside, body(t, node.orelse) if node.orelse else [], None)]


def _with_lock(t: Translator, node: tree.WithLock) -> list[Any]:
    """There is one CPU, so nobody waits."""
    return [ast.Expr(expression(t, node.lock)), *body(t, node.body)]


def _return(t: Translator, node: tree.Return) -> list[Any]:
    return [ast.Return(None if node.value is None else expression(t, node.value))]


def _with(t: Translator, node: tree.WithReserve) -> list[Any]:
    var = t.variable(node.var)
    record = f"_record_{var}"
    reserve = t.method(t.constant(t.simulation.table(node.reserve.map)), "reserve")
    item = ast.withitem(reserve, t.here(ast.Name(record, ast.Store())))
    given = t.here(ast.Attribute(t.name(record), "ref", ast.Load()))
    first = t.here(ast.Assign([_name(t, node.var)], given))
    return [ast.With([item], [first, *body(t, node.body)], None)]


def _with_acquire(t: Translator, node: tree.WithAcquire) -> list[Any]:
    """The block, at the end of which what was acquired is released, if there is any."""
    first = t.here(ast.Assign([_name(t, node.var)], expression(t, node.acquire)))
    if node.discards is not None:  # a record, which the block may have taken back
        record = t.name(t.variable(node.var))
        submit = t.call("_helper", t.constant(node.release), t.constant(NONE), record, t.literal(0))
        return [first, ast.Try(body(t, node.body), [], [], [t.here(ast.Expr(submit))])]
    held = t.name(t.variable(node.var))
    more = [t.literal(0)] * (len(node.release.args) - 1) if isinstance(node.release, HelperSpec) else []
    if isinstance(node.var.type, NoneType):  # a region, which nothing stands for
        end = t.here(ast.Expr(t.call("_helper", t.constant(node.release), t.constant(NONE))))
        return [first, ast.Try(body(t, node.body), [], [], [end])]
    release = t.call("_helper", t.constant(node.release), t.constant(NONE), t.name(t.variable(node.var)), *more)
    some = t.here(ast.Compare(held, [ast.IsNot()], [t.literal(None)]))
    return [first, ast.Try(body(t, node.body), [], [], [t.here(ast.If(some, [t.here(ast.Expr(release))], []))])]


_STATEMENTS: dict[type, Callable[[Translator, Any], list[Any]]] = {
    tree.Assign: _assign,
    tree.Store: _store,
    tree.Update: _update,
    tree.ExprStmt: lambda t, node: [ast.Expr(expression(t, node.value))],
    tree.If: _if,
    tree.While: _while,
    tree.ForRange: _for,
    tree.ForMap: _for_map,
    tree.ForEach: _for_each,
    tree.ForHelper: _for_helper,
    tree.Break: lambda t, node: [ast.Break()],
    tree.Continue: lambda t, node: [ast.Continue()],
    tree.Return: _return,
    tree.WithLock: _with_lock,
    tree.WithReserve: _with,
    tree.WithAcquire: _with_acquire,
}
