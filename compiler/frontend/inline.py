"""Plain Python functions: bound to their arguments, checked for those types, and inlined at the call.

In: a function object and argument values. Out: a FuncCall, or what the function returns where that is known at
compile time. One Instance serves all calls with the same types, intervals and compile-time arguments.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree, tuples
from pybpf.compiler.frontend.convert import convert, materialize, type_of
from pybpf.compiler.frontend.elsewhere import in_library, relocate
from pybpf.compiler.frontend.known import ContextRef, Known, LocalFunction, Refused, TupleValue
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.frontend.moves import forget_packet, move_on
from pybpf.compiler.frontend.scope import Parameter, annotation_of, closest, find_locals, too_deep
from pybpf.compiler.later import later
from pybpf.compiler.schema.record import Record, replace
from pybpf.compiler.schema.specs import ContextSpec
from pybpf.compiler.schema.types import NONE, NoneType, OptionalType, TupleType, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.conditions import hold
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.frontend.session import Instance
    from pybpf.compiler.frontend.source import Module
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast
    hold = later("frontend.conditions", "hold")

__all__ = [
    "Bound", "annotation", "bind", "called", "check_definition", "definition", "given_for", "inline", "key_of",
    "result_of",
]  # fmt: skip

_MISSING = object()


def inline(checker: Checker, function: Any, args: list[Value], keywords: dict[str, Value], span: Span) -> Value:
    """A call of a Python function."""
    session = checker.session
    module, node = definition(checker, function, span)
    values = bind(checker, function, module, node, args, keywords, span)
    inner = checker.enter(module, node, function)
    try:
        parameters = [given_for(checker, inner, module, p, v, node) for p, v in values.given]
    except Refused:
        checker.diagnostics += relocate(inner.diagnostics, function, span)
        raise
    if checker.releases or checker.around:
        from pybpf.compiler.frontend.references import regions

        inner.around = regions(checker)
    key = (function, *[key_of(p) for p in parameters], *inner.around)
    depends = any(_is_local(p) for p in parameters)  # on what is known here of the variables around a function given
    instance = None if depends else session.instances.get(key)
    if instance is None:
        session.active.append((function, span))
        try:
            inner.set_parameters(parameters, result_of(inner, function, node))
            instance = inner.check()
        except Refused:
            instance = inner.refused()
        finally:
            session.active.pop()
        session.instances[key] = instance
        session.kept.append(parameters)
    checker.diagnostics += relocate(instance.diagnostics, function, span)
    if instance.function is None:
        raise Refused
    return called(checker, function, instance, values, parameters, span)


def _is_local(parameter: Parameter) -> bool:
    known = parameter.known
    if parameter.parts is not None:
        return any(_is_local(part) for part in parameter.parts)
    return isinstance(known, Known) and isinstance(known.value, LocalFunction)


def called(
    checker: Checker, function: Any, instance: Instance, values: Bound, parameters: list[Parameter], span: Span
) -> Value:
    """The value of a call of a function that was checked for these parameters."""
    assert instance.function is not None
    if instance.known is not None:
        if len(instance.function.body) > 1:
            checker.fail(errors.ReturnsObject(span, function.__name__, kinds.spell(type_of(instance.known))))
        held = instance.known.value if isinstance(instance.known, Known) else None
        if isinstance(held, LocalFunction) and held.checker.node is not checker.node and _inside(held, function):
            checker.fail(errors.ReturnsObject(span, function.__name__, kinds.spell(type_of(instance.known))))
        return replace(instance.known, span=span)
    runtime = [v for (_, value), p in zip(values.given, parameters) for v in _runtime(checker, value, p)]
    given = tuple([convert(checker, v, var.type, f"`{var.name}`") for v, var in zip(runtime, instance.function.params)])
    for argument in given:
        if kinds.is_dynptr(argument.type):
            from pybpf.compiler.frontend.dynptrs import check_filled

            check_filled(checker, argument)
    if instance.moves_packet:
        forget_packet(checker, f"{function.__name__}()", span)
    elif instance.moved:
        move_on(checker, instance.moved, span)
    if isinstance(instance.result, TupleType):
        call = tree.FuncCall(NONE, span, instance.function, given)
        found = tuples.returned(checker, instance, call, span)
        return replace(found, lets=(*values.lets, *found.lets)) if isinstance(found, TupleValue) else found
    made: tree.Expr = tree.FuncCall(instance.result, span, instance.function, given)
    checker.ranges[made] = instance.range
    if values.lets:
        made = tuples.wrapped(checker, values.lets, made)
    if instance.acquires is not None:
        from pybpf.compiler.frontend.references import acquired

        if instance.tested:
            checker.tested_before.add(span)
        return acquired(checker, made, instance.acquires)
    checker.made(made)
    return made


def definition(checker: Checker, function: Any, span: Span) -> tuple[Module, Any]:
    """Where a function that is called here is defined. Refuses a recursive call, and what is no plain function."""
    session = checker.session
    found = session.sources.function(function.__code__)
    if found is None:
        checker.fail(errors.NoSourceOf(span, function.__name__))
    module, node = found
    if isinstance(node, ast.AsyncFunctionDef):
        checker.fail(errors.NoAsync(span, f"{function.__name__}() is a coroutine"))
    check_definition(checker, function, module, node, span)
    return module, node


def check_definition(checker: Checker, function: Any, module: Module, node: Any, span: Span) -> None:
    """Refuse a function that is nested too deeply, and one that is being called already."""
    session = checker.session
    if node not in session.shallow:
        deepest = too_deep(node)
        if deepest is not None:
            checker.fail(errors.NestedTooDeeply(module.span(deepest), node.name))
        session.shallow.add(node)
    for active, _ in session.active:
        if active is function:
            names = [f.__name__ for f, _ in session.active] + [function.__name__]
            checker.fail(errors.Recursion(span, function.__name__, tuple(names)))


class Bound(Record, eq=False):
    """A function's parameters and the values given for them. What they refer to is evaluated before, by `lets`."""

    given: list[tuple[Any, Value]]
    lets: tuple[tuple[tree.Var, tree.Expr], ...] = ()


def _runtime(checker: Checker, value: Value, parameter: Parameter) -> list[Value]:
    """The values that a call hands over for a parameter."""
    if parameter.parts is None:
        return [value] if parameter.known is None else []
    items = tuples.items_of(checker, value)
    assert items is not None
    return [v for item, part in zip(items, parameter.parts) for v in _runtime(checker, item, part)]


def _inside(local: LocalFunction, function: Any) -> bool:
    """Whether a function is defined in the body of another one, and so gone with it."""
    outer = local.checker
    while outer is not None:
        if outer.function is function or outer.node is getattr(function, "node", None):
            return True
        outer = outer.enclosing
    return False


def bind(
    checker: Checker,
    function: Any,
    module: Module,
    node: Any,
    args: list[Value],
    keywords: dict[str, Value],
    span: Span,
) -> Bound:
    """Parameters and the values given for them, by Python's rules."""
    spec = node.args
    name = function.__name__
    if spec.kwarg is not None:
        where = None if in_library(function) else module.span(spec.kwarg)
        checker.fail(errors.StarParameters(span, name, f"**{spec.kwarg.arg}", where))
    plain = [*spec.posonlyargs, *spec.args]
    lets: list[tuple[tree.Var, tree.Expr]] = []
    if keywords:
        args, keywords = _in_order(checker, [p.arg for p in (*plain, *spec.kwonlyargs)], args, keywords, lets)
    if len(args) > len(plain) and spec.vararg is None:
        own = 1 if plain and plain[0].arg == "self" else 0  # given by the object before the dot
        shown = tuple([p.arg for p in plain[own:]])
        extra = args[len(plain)].span
        checker.fail(errors.ArgumentCount(extra, name, len(plain) - own, len(args) - own, shown))
    bound: dict[str, Value] = {p.arg: v for p, v in zip(plain, args)}
    names = [p.arg for p in [*spec.args, *spec.kwonlyargs]]
    for keyword, value in keywords.items():
        if keyword not in names:
            known = [n for n in names if n != "self"]
            near = closest(keyword, known)
            checker.fail(errors.UnknownArgument(_keyword(value.span, keyword), name, keyword, tuple(known), near))
        if keyword in bound:
            checker.fail(errors.ArgumentTwice(_keyword(value.span, keyword), name, keyword, bound[keyword].span))
        bound[keyword] = value
    defaults = _defaults(function, plain, span)
    missing = [p.arg for p in [*plain, *spec.kwonlyargs] if p.arg not in bound and p.arg not in defaults]
    if missing:
        shown = tuple([p.arg for p in plain if p.arg != "self"] + [f"{p.arg}=..." for p in spec.kwonlyargs])
        checker.fail(errors.MissingArguments(span, name, tuple(missing), shown))
    made = []
    for parameter in plain:
        made.append((parameter, bound[parameter.arg] if parameter.arg in bound else defaults[parameter.arg]))
    if spec.vararg is not None:
        made.append((spec.vararg, tuples.made(args[len(plain) :], span)))
    for parameter in spec.kwonlyargs:
        made.append((parameter, bound[parameter.arg] if parameter.arg in bound else defaults[parameter.arg]))
    return Bound(made, tuple(lets))


def _defaults(function: Any, plain: list[Any], span: Span) -> dict[str, Value]:
    """The defaults of a function's parameters, by name."""
    if isinstance(function, LocalFunction):
        return {name: replace(value, span=span) for name, value in function.defaults.items()}
    given = function.__defaults__ or ()
    found = dict(zip([p.arg for p in plain][len(plain) - len(given) :], given))
    found.update(function.__kwdefaults__ or {})
    return {name: Known(value, span) for name, value in found.items()}


def _in_order(
    checker: Checker, names: list[str], args: list[Value], keywords: dict[str, Value],
    lets: list[tuple[tree.Var, tree.Expr]],
) -> tuple[list[Value], dict[str, Value]]:  # fmt: skip
    """Arguments that may be handed over in the order of the parameters, though Python evaluates them as written."""
    written = [names.index(name) for name in keywords if name in names]
    if written == sorted(written):
        return args, keywords

    def kept(value: Value) -> Value:
        if isinstance(value, TupleValue):
            return TupleValue(tuple(tuples.held(checker, value, lets)), value.span)
        return hold(checker, value, lets, True)

    return [kept(value) for value in args], {name: kept(value) for name, value in keywords.items()}


def _keyword(value: Span, keyword: str) -> Span:
    """The region of `keyword` before the value that was given by it; the value's where it stands elsewhere."""
    from pybpf.compiler.schema.span import Span

    before = value.source.line(value.line)[: value.col].rstrip().removesuffix("=").rstrip()
    if not before.endswith(keyword):
        return value
    return Span(value.source, value.line, len(before) - len(keyword), value.line, len(before))


def given_for(checker: Checker, inner: Checker, module: Module, parameter: Any, value: Value, node: Any) -> Parameter:
    """What a parameter is for this call: known at compile time, or a variable of a type."""
    name, span = parameter.arg, module.span(parameter)
    what = f"the parameter `{name}` of {node.name}()"
    wanted = annotation(inner, parameter)
    if _is_star(node, parameter):
        wanted = None  # of each item; it is what it is given
    is_tuple = isinstance(value, Known) and type(value.value) is tuple
    if is_tuple and (isinstance(wanted, TupleType) or name in _assigned(node)):
        value = TupleValue(tuple(tuples.items_of(checker, value) or ()), value.span)
    if isinstance(value, TupleValue):
        return _tuple_parameter(checker, inner, parameter, value, wanted, node, name)
    if isinstance(wanted, Type) and not isinstance(wanted, NoneType):
        known_number = isinstance(value, Known) and isinstance(value.value, int)
        if not known_number or not kinds.is_int(wanted):
            if kinds.is_reference(wanted) and isinstance(value, tree.Expr):
                if not kinds.fits_annotation(wanted, value.type):
                    convert(checker, value, wanted, what, span)
                value = (
                    value
                    if isinstance(value.type, type(wanted))
                    else convert(checker, value, kinds.annotated(wanted, value.type), what)
                )
            else:
                value = convert(checker, value, wanted, what, span)
        else:
            materialize(checker, convert(checker, value, wanted, what, span))
    elif _is_context(wanted) and not isinstance(value, ContextRef):
        checker.fail(errors.WrongType(value.span, kinds.spell(type_of(value)), "the context", what, span))
    if isinstance(value, ContextRef):
        return Parameter(name, span, known=value)
    if isinstance(value, Known):
        if name not in _assigned(node):
            return Parameter(name, span, known=value)
        value = materialize(checker, value, wanted if isinstance(wanted, Type) else None)
    if isinstance(value.type, NoneType) and isinstance(value, tree.Local) and name not in _assigned(node):
        return Parameter(name, span, known=Known(None, value.span))  # a variable that was given nothing else so far
    if isinstance(value.type, NoneType):
        checker.fail(errors.NothingReturned(value.span, checker.text(value.span)))
    if not kinds.same(kinds.merged(value.type), value.type) and name in _assigned(node):
        value = convert(checker, value, kinds.merged(value.type), what, span)
    annotated = isinstance(wanted, Type) and not kinds.is_reference(wanted)
    return Parameter(name, span, type=value.type, range=range_of(checker, value), annotated=annotated)


def _is_star(node: Any, parameter: Any) -> bool:
    return parameter is node.args.vararg


def _tuple_parameter(
    checker: Checker, inner: Checker, parameter: Any, value: TupleValue, wanted: Any, node: Any, name: str
) -> Parameter:
    """What a parameter is that is given a tuple: one for each item."""
    span = inner.module.span(parameter)
    what = f"the parameter `{parameter.arg}` of {node.name}()"
    if isinstance(wanted, TupleType) and len(wanted.items) != len(value.items):
        checker.fail(errors.WrongType(value.span, kinds.spell(type_of(value)), kinds.spell(wanted), what, span))
    if isinstance(wanted, Type) and not isinstance(wanted, TupleType):
        checker.fail(errors.WrongType(value.span, kinds.spell(type_of(value)), kinds.spell(wanted), what, span))
    parts: list[Parameter] = []
    for i, item in enumerate(value.items):
        part = f"{name}.{i}"
        if isinstance(item, TupleValue):
            inside = wanted.items[i] if isinstance(wanted, TupleType) else None
            parts.append(_tuple_parameter(checker, inner, parameter, item, inside, node, part))
            continue
        if isinstance(wanted, TupleType):
            item = convert(checker, item, wanted.items[i], what, span)
        if isinstance(item, ContextRef) or (isinstance(item, Known) and parameter.arg not in _assigned(node)):
            parts.append(Parameter(part, span, known=item))
            continue
        expr = materialize(checker, item)
        annotated = isinstance(wanted, TupleType) and not kinds.is_reference(expr.type)
        parts.append(Parameter(part, span, type=expr.type, range=range_of(checker, expr), annotated=annotated))
    return Parameter(name, span, parts=tuple(parts))


def _is_context(annotation: Any) -> bool:
    return isinstance(annotation, type) and isinstance(getattr(annotation, "__bpf__", None), ContextSpec)


def annotation(inner: Checker, parameter: Any) -> Any:
    """The type that a parameter is annotated with; anything else (`int`, `type[H]`, nothing) leaves it to the
    argument.
    """
    if parameter.annotation is None:
        return None
    evaluated = _MISSING if inner.enclosing else inner.function.__annotations__.get(parameter.arg, _MISSING)
    if evaluated is _MISSING or isinstance(evaluated, str):
        try:
            evaluated = inner.names.evaluate(parameter.annotation)
        except Exception:  # names that only a type checker sees (`if TYPE_CHECKING:`) say nothing here
            return None
    found = annotation_of(inner, parameter.annotation, evaluated)
    return kinds.host(found) if isinstance(found, Type) else found


def result_of(inner: Checker, function: Any, node: Any) -> Type | None:
    """The annotated type of the result; None to infer it."""
    if node.returns is None:
        return None
    evaluated = _MISSING if inner.enclosing else function.__annotations__.get("return", _MISSING)
    if evaluated is _MISSING or isinstance(evaluated, str):
        try:
            evaluated = inner.names.evaluate(node.returns)
        except Exception:
            return None
    found = annotation_of(inner, node.returns, evaluated)
    if isinstance(found, OptionalType) and isinstance(found.inner, TupleType):
        return None  # a tuple is never None: what the function returns tells
    return kinds.host(found) if isinstance(found, Type) else None


def _assigned(node: Any) -> list[str]:
    """Names that a function's body assigns; its parameters are variables then, not constants."""
    made = find_locals(node, [])
    return made.names


def key_of(parameter: Parameter) -> Any:
    if parameter.parts is not None:
        return tuple([key_of(part) for part in parameter.parts])
    known = parameter.known
    if known is None:
        return parameter.type, parameter.range
    if not isinstance(known, Known):
        return "context"
    value = known.value
    if value is None or isinstance(value, (int, str, bytes)):
        return type(value), value
    return "object", id(value)  # kept alive by session.kept
