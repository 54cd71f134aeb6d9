"""Methods of maps, a row each: which kinds of map have it, its parameters, and the function that builds its node.

To add a method, add a row to `METHODS`.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, maps, tree
from pybpf.compiler.frontend.access import member_of, reference
from pybpf.compiler.frontend.convert import convert, stored
from pybpf.compiler.frontend.inline import inline
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.frontend.scope import closest
from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import BOOL, U64, OptionalType, PtrType, Space, is_aggregate, opaque_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type

__all__ = ["METHODS", "check_map_method", "map_method"]


class Call(Record, eq=False):
    """A method call: the syntax nodes given for the parameters, by name."""

    checker: Checker
    map: MapSpec
    arguments: dict[str, Any]
    span: Span

    def key(self) -> tree.Expr:
        return maps.key(self.checker, self.map, self.arguments["key"])

    def value(self, parameter: str) -> Value:
        return self.checker.expr(self.arguments[parameter], self.map.value)

    def switch(self, parameter: str) -> bool:
        """A True or False that is known when compiling; False where it is not given."""
        node = self.arguments.get(parameter)
        if node is None:
            return False
        value = self.checker.expr(node)
        if not isinstance(value, Known) or not isinstance(value.value, bool):
            self.checker.fail(errors.NotConstant(value.span, self.checker.text(value.span), f"`{parameter}`"))
        return value.value


class Method(Record, eq=False):
    """`on` names families of maps (MapKind.family). A parameter that ends in `=` may be left out."""

    on: tuple[str, ...]
    name: str
    parameters: tuple[str, ...]
    build: Callable[[Call], tree.Expr]


def _with_default(call: Call, found: tree.Expr, default: Value) -> tree.Expr:
    """The value in an Optional, or the default."""
    checker, span = call.checker, call.span
    assert isinstance(found.type, OptionalType) and call.map.value is not None
    inner = found.type.inner
    var = checker.temporary(found.type, found)
    local = tree.Local(found.type, span, var)
    present: tree.Expr = tree.Unwrap(inner, span, local)
    if isinstance(inner, PtrType):
        given = stored(checker, default, call.map.value, f"the default of `{call.map.name}.get()`")
        kind = kinds.join(inner, given.type)
        if kind is None:
            checker.fail(errors.OtherSpace(given.span, "the default", str(inner.pointee), _space(given), inner.space))
        kind = kinds.settle(kind)
        present, other = convert(checker, present, kind, "the entry"), convert(checker, given, kind, "the default")
    else:
        kind, other = inner, convert(checker, default, inner, f"the default of `{call.map.name}.get()`")
    choice = tree.IfExp(kind, span, tree.IsNone(BOOL, span, local), other, present)
    made = tree.Let(kind, span, var, found, choice)
    range_of(checker, made)
    return made


def _space(expr: tree.Expr) -> str:
    return expr.type.space if isinstance(expr.type, PtrType) else ""


def _get(call: Call) -> tree.Expr:
    found = maps.lookup(call.checker, call.map, call.key(), call.span)
    if "default" not in call.arguments:
        return found
    default = call.value("default")
    if isinstance(default, Known) and default.value is None:
        return found
    return _with_default(call, found, default)


def _pop(call: Call) -> tree.Expr:
    """`m.pop(k, None)`; without a default Python raises KeyError for a missing key, which a program can't."""
    checker = call.checker
    assert call.map.value is not None
    maps.check_access(checker, call.map, call.span, True)
    maps.check_access(checker, call.map, call.span, False)
    if "default" not in call.arguments:
        checker.fail(
            errors.PopNeedsDefault(call.span, call.map.name, checker.text(checker.span(call.arguments["key"])))
        )
    held = opaque_in(call.map.value)
    if held:
        key = checker.text(checker.span(call.arguments["key"]))
        checker.fail(errors.PopOfOpaque(call.span, call.map.name, str(call.map.value), held[0], key))
    whole = is_aggregate(call.map.value)
    kind = reference(call.map.value, Space.STACK) if whole else maps.entry_type(call.map)
    found = tree.MapPop(OptionalType(kind), call.span, call.map, call.key())
    if whole:
        checker.made(found)
    default = call.value("default")
    if isinstance(default, Known) and default.value is None:
        return found
    return _with_default(call, found, default)


def _setdefault(call: Call) -> tree.Expr:
    maps.check_access(call.checker, call.map, call.span, True)
    maps.check_access(call.checker, call.map, call.span, False)
    at = call.key()
    value = maps.map_value(call.checker, call.map, call.value("default"))
    return tree.MapSetDefault(OptionalType(maps.entry_type(call.map)), call.span, call.map, at, value)


def _setter(mode: int) -> Callable[[Call], tree.Expr]:
    """`m.set(k, v)`, `m.insert(k, v)`, `m.replace(k, v)`: whether it was done."""

    def build(call: Call) -> tree.Expr:
        checker, spec = call.checker, call.map
        maps.check_access(checker, spec, call.span, True)
        flags = mode | (maps.LOCKED if call.switch("lock") else 0)
        if flags & maps.LOCKED and "bpf_spin_lock" not in opaque_in(spec.value):
            checker.fail(errors.NoLockInValue(call.span, spec.name, str(spec.value)))
        at, value = call.key(), maps.map_value(checker, spec, call.value("value"))
        if maps.has_effect(at) and maps.has_effect(value):  # the lowering evaluates the value first
            var = checker.temporary(at.type, at)
            made = tree.MapSet(BOOL, call.span, spec, checker.local(var, at.span), value, flags)
            return tree.Let(BOOL, call.span, var, at, made)
        return tree.MapSet(BOOL, call.span, spec, at, value, flags)

    return build


def _push(call: Call) -> tree.Expr:
    maps.check_access(call.checker, call.map, call.span, True)
    value = maps.map_value(call.checker, call.map, call.value("item"))
    return tree.MapPush(BOOL, call.span, call.map, value, maps.EXIST if call.switch("drop_oldest") else 0)


def _take(keeps: bool) -> Callable[[Call], tree.Expr]:
    """`q.pop()`, `q.peek()`: the item, or None where there is none."""

    def build(call: Call) -> tree.Expr:
        maps.check_access(call.checker, call.map, call.span, False)
        if not keeps:
            maps.check_access(call.checker, call.map, call.span, True)
        assert call.map.value is not None
        kind = OptionalType(reference(call.map.value, Space.STACK))
        made = tree.MapTake(kind, call.span, call.map, keeps)
        call.checker.made(made)
        return made

    return build


def _emit(call: Call) -> tree.Expr:
    if call.map.value is None:
        call.checker.fail(errors.RecordsOfAnySize(call.span, call.map.name))
    value = maps.map_value(call.checker, call.map, call.value("event"))
    return tree.RingEmit(BOOL, call.span, call.map, value)


def _reserve(call: Call) -> tree.Expr:
    call.checker.fail(errors.ReserveOutsideWith(call.span, call.map.name, call.map.value is None))


def _tail_call(call: Call) -> tree.Expr:
    from pybpf.compiler.frontend.tailcalls import tail_call

    return tail_call(call.checker, call.map, call.arguments["ctx"], call.arguments["index"], call.span)


def _perf_emit(call: Call) -> tree.Expr:
    from pybpf.compiler.frontend.eventmaps import perf_emit

    return perf_emit(call)


def _stack_id(call: Call) -> tree.Expr:
    from pybpf.compiler.frontend.eventmaps import stack_id

    return stack_id(call)


def _drain(call: Call) -> tree.Expr:
    call.checker.fail(errors.DrainOutsideLoop(call.span, call.map.name))


def _local(call: Call) -> tree.Expr:
    """The value of the cgroup that a program runs for: bpf_get_local_storage(), which always gives one."""
    from pybpf.compiler.frontend.helpers import check_allowed

    helper = call.map.helpers["local"]
    check_allowed(call.checker, helper, call.span)
    return tree.HelperCall(maps.entry_type(call.map), call.span, helper, (call.map, tree.Const(U64, call.span, 0)))


def _arena(name: str) -> Callable[[Call], tree.Expr]:
    def build(call: Call) -> tree.Expr:
        from pybpf.compiler.frontend import arenas

        made: tree.Expr = getattr(arenas, name)(call.checker, call.map, call.arguments, call.span)
        return made

    return build


METHODS = (
    Method(("hash", "array", "trie", "storage"), "get", ("key", "default="), _get),
    Method(("maps",), "get", ("key",), _get),
    Method(("hash", "trie"), "insert", ("key", "value", "lock="), _setter(maps.NOEXIST)),
    Method(("hash", "trie"), "replace", ("key", "value", "lock="), _setter(maps.EXIST)),
    Method(("hash", "trie", "array"), "set", ("key", "value", "lock="), _setter(0)),
    Method(("queue",), "push", ("item", "drop_oldest="), _push),
    Method(("queue",), "pop", (), _take(False)),
    Method(("queue",), "peek", (), _take(True)),
    Method(("bloom",), "add", ("item",), _push),
    Method(("hash", "storage"), "pop", ("key", "default="), _pop),
    Method(("hash", "storage"), "setdefault", ("key", "default"), _setdefault),
    Method(("ring",), "emit", ("event",), _emit),
    Method(("ring",), "reserve", ("size=",), _reserve),
    Method(("programs",), "tail_call", ("ctx", "index"), _tail_call),
    Method(("perf",), "emit", ("event", "packet="), _perf_emit),
    Method(("stacks",), "id", ("user=", "skip=", "reuse="), _stack_id),
    Method(("commands",), "drain", (), _drain),
    Method(("local",), "local", (), _local),
    Method(("arena",), "alloc", ("kind",), _arena("alloc")),
    Method(("arena",), "free", ("object",), _arena("free")),
    Method(("arena",), "address", ("object",), _arena("address")),
    Method(("arena",), "at", ("kind", "address"), _arena("at")),
)

# What Python's mappings have and a program can't do, and what to write instead.
_ELSEWHERE = {
    "items": "loop over it: for key, value in {map}.items():",
    "keys": "loop over it: for key in {map}.keys():",
    "values": "loop over it: for value in {map}.values():",
    "clear": "a program can't walk through a map; user space can",
    "popitem": "a program can't walk through a map; user space can",
    "update": "set one key at a time: {map}[key] = value",
    "increment": "count with {map}[key] += 1",
    "add": "count with {map}[key] += 1",
    "append": "send it with {map}.push(item), where it is a queue or a stack",
    "delete": "write: del {map}[key]",
    "lookup": "look it up with {map}.get(key)",
    "submit": "send a record with {map}.emit(...)",
    "output": "send a record with {map}.emit(...)",
    "send": "send a record with {map}.emit(...)",
    "write": "send a record with {map}.emit(...)",
    "sum": "only user space sees the values of all CPUs",
    "poll": "a ring buffer is read by user space",
}


def _own(receiver: Known, name: str) -> Any:
    """A method of the map's class that is written in the language (stdlib/maps/base.py, in_program)."""
    found = member_of(type(receiver.value), name)
    return found if getattr(found, "__bpf_language__", False) else None


def check_map_method(checker: Checker, receiver: Known, name: str, span: Span) -> Method | None:
    """The row of a method, None for one of the map's class; refuses what this kind of map doesn't have."""
    spec: MapSpec = checker.schema(receiver)
    if _own(receiver, name) is not None:
        return None
    kind = spec.kind.family
    for method in METHODS:
        if method.name == name and kind in method.on:
            return method
    classes = type(receiver.value).__mro__
    own = [n for cls in classes for n, found in vars(cls).items() if getattr(found, "__bpf_language__", False)]
    names = [m.name for m in METHODS if kind in m.on] + own
    hint = _ELSEWHERE.get(name, "").format(map=spec.name)
    if ".emit(" in hint and "emit" not in names:
        hint = ""
    checker.fail(errors.NoMapMethod(span, name, spec.name, spec.kind.name, tuple(names), closest(name, names), hint))


def map_method(
    checker: Checker, receiver: Known, spec: MapSpec, node: ast.Call, where: Span, span: Span, want: Type | None
) -> Value:
    """`m.name(...)`."""
    name = node.func.attr  # type: ignore[attr-defined]
    own = _own(receiver, name)
    if own is not None:
        from pybpf.compiler.frontend.tuples import elements

        given = {k.arg: checker.expr(k.value) for k in node.keywords if k.arg is not None}
        return inline(checker, own, [receiver, *elements(checker, node.args)], given, span)
    method = check_map_method(checker, receiver, name, where)
    assert method is not None
    names = [p.removesuffix("=") for p in method.parameters]
    arguments: dict[str, Any] = dict(zip(names, node.args))
    keywords = {k.arg: k.value for k in node.keywords}
    required = [p for p in method.parameters if not p.endswith("=")]
    clash = any(k not in names or k in arguments for k in keywords)
    arguments.update(keywords)  # type: ignore[arg-type]
    if clash or len(node.args) > len(names) or any(p not in arguments for p in required):
        shown = ", ".join([f"[{p[:-1]}]" if p.endswith("=") else p for p in method.parameters])
        example = f"{spec.name}.{name}({_example(spec, names)})"
        takes = f"takes ({shown})" if shown else "takes no arguments"
        checker.fail(errors.CallArguments(span, f"`{spec.name}.{name}()`", takes, example))
    return method.build(Call(checker, spec, arguments, span))


def _example(spec: MapSpec, parameters: list[str]) -> str:
    """Arguments as they may look: objects of the map's types by their constructors."""
    shown = []
    for parameter in parameters:
        kind = spec.key if parameter == "key" else spec.value
        shown.append(
            f"{kind}(...)" if kind is not None and is_aggregate(kind) and parameter != "default" else parameter
        )
    return ", ".join(shown)
