"""`value.timer.start(table, delay, callback)`, `value.timer.cancel()`. In: the call. Out: TimerCall.

The callback is a Python function of the map, a key and a value. It becomes a function of its own, which the kernel
calls with the element when the time has come; it may start the timer again.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import access, cost, kinds, longloops, maps, tree
from pybpf.compiler.frontend.convert import convert
from pybpf.compiler.frontend.elsewhere import relocate
from pybpf.compiler.frontend.helpers import check_licence
from pybpf.compiler.frontend.inline import definition, result_of
from pybpf.compiler.frontend.known import Known, Refused
from pybpf.compiler.frontend.scope import Parameter
from pybpf.compiler.frontend.subprograms import context_use
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import BOOL, U64, NoneType, PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span

__all__ = ["METHODS", "timer_call"]

METHODS = {"bpf_timer": ("cancel", "start")}  # by the struct in BTF that the kernel looks for
_SINCE = "5.15"


def timer_call(checker: Checker, timer: tree.Expr, node: ast.Call, name: str, span: Span) -> tree.Expr:
    """A method of a timer in a map's value."""
    text = checker.text(timer.span)
    assert isinstance(timer.type, PtrType)
    if timer.type.space != Space.MAP:
        checker.fail(errors.TimerOutsideMap(timer.span, text, timer.type.space))
    check_licence(checker, "bpf_timer_init", span)
    checker.check_release("a timer", _SINCE, span)
    if name == "cancel":
        if node.args or node.keywords:
            checker.fail(errors.CallArguments(span, "cancel()", "takes no arguments", f"{text}.cancel()"))
        return tree.TimerCall(BOOL, span, timer)
    if len(node.args) != 3 or node.keywords:
        takes = "takes the map, a delay in nanoseconds, and a function to call then"
        checker.fail(errors.CallArguments(span, "start()", takes, f"{text}.start(table, 1_000_000_000, expire)"))
    table = checker.expr(node.args[0])
    spec = checker.schema(table) if isinstance(table, Known) else None
    root: Any = timer
    while isinstance(root, (tree.Field, tree.Index)):
        root = root.base
    if not isinstance(spec, MapSpec) or spec.value is None or not kinds.same(root.type, maps.entry_type(spec)):
        checker.fail(errors.TimerMap(table.span, checker.text(table.span), text, kinds.spell(root.type)))
    delay = convert(checker, checker.expr(node.args[1]), U64, "the delay")
    given = checker.expr(node.args[2])
    function = given.value if isinstance(given, Known) else None
    if type(function).__name__ != "function":
        checker.fail(errors.TimerCallback(given.span, checker.text(given.span), "is no function", spec.name))
    return tree.TimerCall(BOOL, span, timer, spec, delay, _callback(checker, function, spec, given.span))


def _callback(checker: Checker, function: Any, spec: MapSpec, span: Span) -> tree.Callback:
    """The callback for elements of a map; one that is being checked (it starts itself again) is complete later."""
    session = checker.session
    key = (function, spec)
    found = session.callbacks.get(key)
    if found is not None:
        return found
    module, node = definition(checker, function, span)
    parameters = [*node.args.posonlyargs, *node.args.args]
    if len(parameters) != 3 or node.args.vararg or node.args.kwarg or node.args.kwonlyargs:
        checker.fail(errors.TimerCallback(span, function.__name__, "does not take (table, key, value)", spec.name))
    assert spec.key is not None
    inner = checker.enter(module, node, function)
    made = session.callbacks[key] = tree.Callback(None, None, None)
    places = [inner.span(parameter) for parameter in parameters]
    values = [
        Parameter(parameters[1].arg, places[1], type=access.reference(spec.key, Space.STACK)),
        Parameter(parameters[2].arg, places[2], type=maps.entry_type(spec)),
    ]
    session.active.append((function, span))
    try:
        first = Parameter(parameters[0].arg, places[0], known=Known(_Declared(spec), places[0]))
        inner.set_parameters([first, *values], result_of(inner, function, node))
        instance = inner.check()
    except Refused:
        instance = inner.refused()
    finally:
        session.active.pop()
    checker.diagnostics += relocate(instance.diagnostics, function, span)
    if instance.function is None:
        raise Refused
    if not isinstance(instance.result, NoneType):
        checker.fail(errors.TimerCallback(span, function.__name__, "returns something", spec.name))
    out_of_reach = context_use(instance.function)
    if out_of_reach is not None:
        text = inner.text(out_of_reach.span)
        found_there = errors.ContextOutOfReach(out_of_reach.span, text, "a timer's callback")
        checker.diagnostics += relocate([found_there], function, span)
        raise Refused
    checker.diagnostics += cost.check(session, instance.function) or longloops.check(session, instance.function)
    made.function = instance.function
    made.key, made.value = instance.function.params
    return made


class _Declared:
    """Stands for a map that a parameter names."""

    __slots__ = ("__bpf__",)

    def __init__(self, spec: MapSpec) -> None:
        self.__bpf__ = spec
