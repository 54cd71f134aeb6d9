"""Functions defined inside a program: `def` in a function's body, and lambdas. In: syntax nodes. Out: LocalFunctions,
and calls of them.

Such a function is inlined where it is called, and reads the variables of the function around it as they are then, as
in Python; with `nonlocal` it assigns them. So it is checked anew at each call, from what is known there, and what it
leaves is known afterwards. Its checker has the slots of the function around it among its own: under the same name, or
behind a `^` where it has a variable of that name itself.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, tree
from pybpf.compiler.frontend.elsewhere import relocate
from pybpf.compiler.frontend.known import Known, LocalFunction, Refused
from pybpf.compiler.frontend.scope import assigned_names, children, find_locals

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast

__all__ = ["call_local", "define", "inherit", "lambda_value", "outer_assigned", "outer_key", "rebound_by_calls"]

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def define(checker: Checker, node: ast.FunctionDef) -> list[tree.Stmt]:
    """A `def` in a body: the name stands for the function from here on. Defaults are evaluated here."""
    span = checker.span(node)
    for decorator in node.decorator_list:
        checker.fail(errors.NestedDecorator(checker.span(decorator), node.name, checker.text(checker.span(decorator))))
    made: list[tree.Stmt] = []
    local = _local(checker, node, node.name)
    local.defaults = _defaults(checker, node.args, made)
    return [*made, *checker.assign(node.name, Known(local, span), span)]


def lambda_value(checker: Checker, node: ast.Lambda) -> Value:
    """`lambda x: ...`: a function without a name."""
    from pybpf.compiler.frontend.source import lambda_definition

    made: list[tree.Stmt] = []
    local = checker.local_functions.get(node)
    if local is None:
        local = checker.local_functions[node] = _local(checker, lambda_definition(node), "lambda")
    local.defaults = _defaults(checker, node.args, made)
    if made:
        checker.fail(errors.LambdaDefault(made[0].span, checker.text(made[0].span)))
    return Known(local, checker.span(node))


def _local(checker: Checker, node: Any, name: str) -> LocalFunction:
    local = checker.local_functions.get(node)
    if local is None:
        local = checker.local_functions[node] = LocalFunction(name, node, checker)
    return local


def _defaults(checker: Checker, arguments: ast.arguments, made: list[tree.Stmt]) -> dict[str, Value]:
    """The parameters' defaults by name; those of run time are kept in variables, assigned by `made`."""
    plain = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(plain[len(plain) - len(arguments.defaults) :], arguments.defaults))
    pairs += [(p, default) for p, default in zip(arguments.kwonlyargs, arguments.kw_defaults) if default is not None]
    found: dict[str, Value] = {}
    for parameter, default in pairs:
        value = checker.expr(default)
        if isinstance(value, tree.Expr) and not isinstance(value, tree.Const):
            var = checker.temporary(value.type, value)
            made.append(tree.Assign(value.span, var, value))
            value = checker.local(var, value.span)
        found[parameter.arg] = value
    return found


# --- what a function has of the one around it


def outer_key(own: list[str], key: str) -> str:
    """Under which key a function with variables `own` has a variable of the function around it."""
    return f"^{key}" if key in own else key


def inherit(inner: Checker) -> None:
    """At the start of a pass: the variables of the function around it, with what is known of them at the call."""
    outer = inner.enclosing
    assert outer is not None and inner.state is not None
    for key, slot in outer.slots.items():
        if not key.startswith("return"):
            inner.slots[outer_key(inner.locals.names, key)] = slot
    inner.state.update(inner.inherited)
    inner.reserved_names |= {outer_key(inner.locals.names, name) for name in outer.reserved_names}
    inner.reserved |= outer.reserved
    inner.releases.update(outer.releases)
    inner.with_held |= outer.with_held
    for key, align in outer.alignments.items():
        inner.alignments[outer_key(inner.locals.names, key)] = align


def outer_assigned(checker: Checker) -> list[tree.Var]:
    """The variables of functions around this one that it may assign."""
    if checker.enclosing is None:
        return []
    names = sorted(checker.outer_nonlocals | (checker.rebound - set(checker.locals.names)))
    slots = [checker.slots[name] for name in names if name in checker.slots]
    return [slot.var for slot in slots if slot.var is not None]


def rebound_by_calls(checker: Checker) -> frozenset[str]:
    """Variables that some call in the function may assign, since a nested function declares them `nonlocal`.

    They are noted at all its calls, where scope.assigned_names finds them.
    """
    found: set[str] = set()
    if checker.enclosing is not None:
        found |= {outer_key(checker.locals.names, key) for key in checker.enclosing.rebound}
    if not found and not checker.locals.nested:
        return frozenset()
    names = set(checker.locals.names) | checker.outer_nonlocals

    def nonlocals(node: Any) -> None:
        for child in children(node):
            if isinstance(child, ast.Nonlocal):
                found.update([name for name in child.names if name in names])
            nonlocals(child)

    def nested(node: Any) -> None:
        for child in children(node):
            (nonlocals if isinstance(child, _SCOPES) else nested)(child)

    nested(checker.node)
    if found:
        _note(checker.node, tuple(sorted(found)))
    return frozenset(found)


def _note(node: Any, names: tuple[str, ...]) -> None:
    for child in children(node):
        if isinstance(child, ast.Call):
            child.rebinds = names  # type: ignore[attr-defined]
        if not isinstance(child, _SCOPES):
            _note(child, names)


# --- calls


def call_local(
    checker: Checker, local: LocalFunction, args: list[Value], keywords: dict[str, Value], span: Span
) -> Value:
    """A call of a function that is defined in this one, in one around it, or in one that calls it."""
    from pybpf.compiler.frontend import inline

    definer: Checker = local.checker
    session, module, node = checker.session, definer.module, local.node
    inline.check_definition(checker, local, module, node, span)
    values = inline.bind(checker, local, module, node, args, keywords, span)
    found = _keys(checker, definer)
    holder = checker if found is not None else definer
    keys = found if found is not None else _keys(definer, definer) or {}
    inner = definer.enter(module, node, definer.function, definer)
    inner.called_in_loop = checker.repeats or definer.repeats
    own = inner.locals.names
    if holder is not checker:
        _check_far(checker, inner, local, span)
    assert holder.state is not None
    if checker.releases or checker.around:
        from pybpf.compiler.frontend.references import regions

        inner.around = regions(checker)
    inner.inherited = {outer_key(own, key): holder.state[k] for key, k in keys.items() if k in holder.state}
    types = {slot: slot.var.type for slot in definer.slots.values() if slot.var is not None}
    session.active.append((local, span))
    try:
        parameters = [inline.given_for(checker, inner, module, p, v, node) for p, v in values.given]
        inner.set_parameters(parameters, inline.result_of(inner, local, node))
        instance = inner.check()
    except Refused:
        instance = inner.refused()
    finally:
        session.active.pop()
    checker.diagnostics += relocate(instance.diagnostics, definer.function, span)
    if any(slot.var is not None and slot.var.type is not kind for slot, kind in types.items()):
        widened: Checker | None = checker
        while widened is not None:
            widened.changed = True
            widened = widened.enclosing
        definer.changed = True
    if instance.function is None:
        raise Refused
    if holder is checker:
        _take_over(checker, inner, definer, keys)
    return inline.called(checker, local, instance, values, parameters, span)


def _keys(checker: Checker, definer: Checker) -> dict[str, str] | None:
    """The keys of a definer's variables in a checker inside it; None where it is not inside."""
    if checker is definer:
        return {key: key for key in definer.slots if not key.startswith("return")}
    if checker.enclosing is None:
        return None
    outer = _keys(checker.enclosing, definer)
    return None if outer is None else {key: outer_key(checker.locals.names, k) for key, k in outer.items()}


def _check_far(checker: Checker, inner: Checker, local: LocalFunction, span: Span) -> None:
    """A function that is called by one that it was given to may read the variables of its own, but not assign them."""
    own = find_locals(local.node, []).nonlocals
    assigned = [name for name in assigned_names(local.node.body) if name in own or name in inner.rebound]
    if assigned:
        checker.fail(errors.NonlocalElsewhere(span, local.name, assigned[0].lstrip("^"), checker.node.name))


def _take_over(checker: Checker, inner: Checker, definer: Checker, keys: dict[str, str]) -> None:
    """After a call: what is known of the variables around the function, on all ways out of it."""
    final: State | None = None
    for state in inner.exits:
        final = flow.join(final, state)
    if final is None or checker.state is None:  # it never ends
        return
    own = inner.locals.names
    for key, slot in inner.slots.items():  # parts of a tuple that it was the first to assign
        base, dot, rest = key.partition(".")
        if dot and key not in definer.slots and base in keys and base not in own:
            definer.slots[key] = slot
            keys[key] = f"{keys[base]}.{rest}"
            checker.slots.setdefault(keys[key], slot)
    for key, k in keys.items():
        fact = final.get(outer_key(own, key))
        if fact is not None:
            checker.state[k] = fact
        align = inner.alignments.get(outer_key(own, key))
        if align is not None:
            checker.alignments[k] = min(align, checker.alignments.get(k, 8))
