"""Objects that outlive a run of the program: pointers, lists and trees in the values of maps, and what they keep.

In: calls of methods (`slot.task.exchange(task)`, `queue.push_back(job)`) and of `obj_new`, `obj_drop` and
`refcount_acquire`. Out: HelperCall, KptrLoad, NodeCall, Allocate, KfuncCall, in an Acquire or a Release where they are
that.

An object that is taken out, or made, is held (references.py), as what a kernel function acquires: its reference is into
Space.OWNED (a kernel object: TRUSTED), and whoever keeps it takes it. What is only looked at belongs to the list or the
tree, Space.BORROWED, until the lock is given back or something is taken out; or to the map, Space.RCU, until the RCU
section ends. locks.py sees to it that lists and trees are used under their own lock.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, kinds, references, tree
from pybpf.compiler.frontend.construct import new_struct
from pybpf.compiler.frontend.convert import materialize, maybe_none
from pybpf.compiler.frontend.elsewhere import relocate
from pybpf.compiler.frontend.helpers import check_allowed
from pybpf.compiler.frontend.inline import definition, result_of
from pybpf.compiler.frontend.known import Known, Refused
from pybpf.compiler.frontend.scope import Parameter
from pybpf.compiler.frontend.subprograms import context_use
from pybpf.compiler.schema.core import TYPE_ID_LOCAL, type_fact
from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import BOOL, NONE, U64, Kept, OptionalType, PtrType, Space, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import KfuncSpec, ObjectSpec
    from pybpf.compiler.schema.types import Type

__all__ = ["METHODS", "by_helper", "forget", "function", "method"]

METHODS = {
    "kptr": ("exchange", "get"), "kptr_untrusted": ("get", "set"),
    "bpf_list_head": ("back", "front", "pop_back", "pop_front", "push_back", "push_front"),
    "bpf_rb_root": ("add", "first", "left", "remove", "right", "root"),
}  # fmt: skip
# bpf_kptr_xchg is older; but __kptr meant another sort of pointer before (03b77e17aeb2).
_KPTRS, _OBJECTS = "6.4", "6.6"  # nodes are as large as they are here since 6.6 (c3c510ce431c)
_WITH_ONE = ("exchange", "left", "push_back", "push_front", "remove", "right", "set")
_MAPS = (Space.MAP, Space.PERCPU)
_PUTS, _TAKES = ("push_front", "push_back", "add"), ("pop_front", "pop_back", "remove")
_HELD = (Space.TRUSTED, Space.OWNED)


def method(checker: Checker, place: tree.Expr, node: ast.Call, name: str, span: Span) -> tree.Expr:
    """A method of a pointer, a list or a tree in a map's value."""
    assert isinstance(place.type, PtrType) and isinstance(place.type.pointee, StructType)
    if place.type.space not in _MAPS:
        checker.fail(errors.KeptOutsideMap(place.span, checker.text(place.span), place.type.space))
    kept: Kept = place.type.pointee.holds
    wanted = 2 if name == "add" else int(name in _WITH_ONE)
    if node.keywords or len(node.args) != wanted:
        takes = ("takes no arguments", "takes one object", "takes an object, and a function that orders them")[wanted]
        shown = ("", "item", "item, less")[wanted]
        text = f"{checker.text(checker.span(node.func))}({shown})"
        checker.fail(errors.CallArguments(span, f"{name}()", takes, text))
    if name == "exchange":
        return _exchange(checker, place, kept, node.args[0], span)
    if name == "get":
        return _get(checker, place, kept, span)
    if name == "set":
        return _set(checker, place, kept, node.args[0], span)
    return _node_call(checker, place, kept, node.args, name, span)


# --- pointers


def by_helper(checker: Checker, args: list[Any], span: Span) -> tree.Expr:
    """`helpers.bpf_kptr_xchg(slot.task, task)`."""
    place = materialize(checker, checker.expr(args[0]))
    kind = kinds.aggregate(place.type)
    if not isinstance(kind, StructType) or kind.opaque != "kptr" or not isinstance(place.type, PtrType):
        given, what = kinds.spell(place.type), "`map_value` of bpf_kptr_xchg()"
        checker.fail(errors.WrongType(place.span, given, "a Kptr in a map's value", what))
    if place.type.space not in _MAPS:
        checker.fail(errors.KeptOutsideMap(place.span, checker.text(place.span), place.type.space))
    return _exchange(checker, place, kind.holds, args[1], span)


def _exchange(checker: Checker, place: tree.Expr, kept: Kept, given: Any, span: Span) -> tree.Expr:
    spec = kept.calls["exchange"]
    check_allowed(checker, spec, span)
    checker.check_release("a Kptr", _KPTRS, span)
    _check_kfunc(checker, kept.release, span, _KPTRS)  # what is kept comes out, and must be given back
    value = checker.expr(given)
    empty = isinstance(value, Known) and value.value is None
    new = tree.Const(U64, value.span, 0) if empty else _object(checker, value, kept.type, "what a Kptr keeps")
    made = tree.HelperCall(OptionalType(PtrType(kept.type, _space_of(kept))), span, spec, (place, new))
    call: tree.Expr = made
    if not empty:
        call = references.given_back(checker, made, new, f"it was put into `{checker.text(place.span)}`")
    return references.acquired(checker, call, kept.release)


def _space_of(kept: Kept) -> str:
    """Where a reference to what was taken out leads."""
    return Space.TRUSTED if isinstance(kept.type, KernelType) else Space.OWNED


def _get(checker: Checker, place: tree.Expr, kept: Kept, span: Span) -> tree.Expr:
    checker.check_release("a Kptr", _KPTRS, span)
    held = kept.release is not None
    if held and checker.session.program.sleepable and not references.in_region(checker):
        checker.fail(errors.KptrOutsideSection(span, checker.text(span)))
    space = Space.RCU if held else Space.UNTRUSTED
    made = tree.KptrLoad(OptionalType(PtrType(kept.type, space)), span, place)
    checker.made(made)
    return made


def _set(checker: Checker, place: tree.Expr, kept: Kept, given: Any, span: Span) -> tree.Expr:
    """`slot.seen.set(task)`: of an object that the verifier knows, at its start."""
    checker.check_release("an UntrustedKptr", _KPTRS, span)
    value = checker.expr(given)
    if isinstance(value, Known) and value.value is None:
        return tree.KptrStore(NONE, span, place, tree.Const(U64, value.span, 0))
    new = materialize(checker, value)
    if isinstance(new.type, OptionalType):
        maybe_none(checker, new)
    pointee = kinds.aggregate(new.type)
    if not isinstance(new.type, PtrType) or not isinstance(pointee, KernelType) or pointee.name != str(kept.type):
        what = "what an UntrustedKptr remembers"
        checker.fail(errors.WrongType(new.span, kinds.spell(new.type), f"a {kept.type}", what))
    last = new.path[-1] if isinstance(new, tree.KernelPlace) and new.path else None
    inside = isinstance(getattr(last, "type", None), KernelType)  # part of another object, at an offset
    if new.type.space not in (Space.TRUSTED, Space.RCU, Space.UNTRUSTED) or inside:
        checker.fail(errors.KfuncUntrusted(new.span, "set()", checker.text(new.span), pointee.name))
    return tree.KptrStore(NONE, span, place, new)


# --- lists and trees


def _node_call(checker: Checker, root: tree.Expr, kept: Kept, args: list[Any], name: str, span: Span) -> tree.Expr:
    spec = kept.calls.get(name)
    if spec is None:
        checker.fail(errors.NoKernelType(span, name, "", "function"))
    _check_kfunc(checker, spec, span)
    checker.session.locks = True
    node = kept.node
    assert node is not None
    what = f"what `{checker.text(root.span)}` keeps"
    element = _object(checker, checker.expr(args[0]), kept.type, what) if args else None
    less = _less(checker, checker.expr(args[1]), kept) if name == "add" else None
    if name in _PUTS:
        assert element is not None
        put = tree.NodeCall(BOOL, span, spec, root, node, element, less)
        checker.made(put)
        return references.given_back(checker, put, element, f"it was put into `{checker.text(root.span)}`")
    if name not in _TAKES:
        found = tree.NodeCall(OptionalType(PtrType(kept.type, Space.BORROWED)), span, spec, root, node, element)
        checker.made(found)
        return found
    if element is not None:
        assert isinstance(element.type, PtrType)
        if element.type.space != Space.BORROWED:
            checker.fail(errors.NotInTree(element.span, checker.text(element.span), checker.text(root.span)))
    forget(checker, Space.BORROWED, "something was taken out since", span)
    taken = tree.NodeCall(OptionalType(PtrType(kept.type, Space.OWNED)), span, spec, root, node, element)
    return references.acquired(checker, taken, kept.release)


def _check_kfunc(checker: Checker, spec: KfuncSpec, span: Span, since: str = _OBJECTS) -> None:
    from pybpf.compiler.frontend.kfuncs import check_kfunc

    checker.check_release("an object of a program", since, span)
    check_kfunc(checker, spec, span)


def _less(checker: Checker, given: Value, kept: Kept) -> tree.Callback:
    """The function that orders a tree: one of its own, called with the lock held."""
    function = given.value if isinstance(given, Known) else None
    text = checker.text(given.span)
    if type(function).__name__ != "function":
        checker.fail(errors.OrderFunction(given.span, text, "is no function of the module", str(kept.type)))
    session = checker.session
    key = (function, kept.type)
    found: tree.Callback | None = session.callbacks.get(key)
    if found is not None:
        return found
    module, node = definition(checker, function, given.span)
    parameters = [*node.args.posonlyargs, *node.args.args]
    if len(parameters) != 2 or node.args.vararg or node.args.kwarg or node.args.kwonlyargs:
        checker.fail(errors.OrderFunction(given.span, text, "does not take two objects", str(kept.type)))
    inner = checker.enter(module, node, function)
    session.active.append((function, given.span))
    try:
        reference = PtrType(kept.type, Space.BORROWED)
        given_for = [Parameter(p.arg, inner.span(p), type=reference) for p in parameters]
        inner.set_parameters(given_for, result_of(inner, function, node))
        instance = inner.check()
    except Refused:
        instance = inner.refused()
    finally:
        session.active.pop()
    checker.diagnostics += relocate(instance.diagnostics, function, given.span)
    made = instance.function
    if made is None:
        raise Refused
    if instance.result != BOOL:
        checker.fail(errors.OrderFunction(given.span, text, "does not return a bool", str(kept.type)))
    out_of_reach = context_use(made)
    if out_of_reach is not None:
        said = errors.ContextOutOfReach(out_of_reach.span, inner.text(out_of_reach.span), "such a function")
        checker.diagnostics += relocate([said], function, given.span)
        raise Refused
    session.callbacks[key] = tree.Callback(made, *made.params)
    return session.callbacks[key]


# --- obj_new, obj_drop, refcount_acquire


def function(checker: Checker, spec: ObjectSpec, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    """A call of a function for objects that programs allocate."""
    _check_kfunc(checker, spec.kfunc, span)
    if spec.name == "obj_new":
        return _new(checker, spec, node, span)
    if len(node.args) != 1 or node.keywords:
        checker.fail(errors.CallArguments(span, f"{spec.name}()", "takes one object", f"{spec.name}(item)"))
    item = materialize(checker, checker.expr(node.args[0]))
    if isinstance(item.type, OptionalType):
        maybe_none(checker, item)
    kind = kinds.aggregate(item.type)
    mine = isinstance(item.type, PtrType) and item.type.space in (Space.OWNED, Space.BORROWED, Space.RCU)
    if not mine or not isinstance(kind, StructType):
        given, what = kinds.spell(item.type), f"`item` of {spec.name}()"
        checker.fail(errors.WrongType(item.span, given, "an object of obj_new()", what))
    nothing = tree.Const(U64, span, 0)
    if spec.name == "obj_drop":
        call = tree.KfuncCall(NONE, span, spec.kfunc, (item, nothing))
        return references.given_back(checker, call, item, "it was given back")
    if not any([getattr(field.type, "opaque", "") == "bpf_refcount" for field in kind.fields]):
        checker.fail(errors.NotCounted(item.span, checker.text(item.span), str(kind)))
    more = tree.KfuncCall(OptionalType(PtrType(kind, Space.OWNED)), span, spec.kfunc, (item, nothing))
    return references.acquired(checker, more, spec.release)


def _new(checker: Checker, spec: ObjectSpec, node: ast.Call, span: Span) -> tree.Expr:
    """`obj_new(Job, due=1)`."""
    given = checker.expr(node.args[0]) if node.args else None
    owner = given.value if isinstance(given, Known) else None
    kind = checker.schema(given) if isinstance(given, Known) else None
    if len(node.args) != 1 or not isinstance(owner, type) or not isinstance(kind, StructType):
        takes = "takes a class of Struct, and its fields by keyword"
        checker.fail(errors.CallArguments(span, "obj_new()", takes, "obj_new(Job, due=0)"))
    try:
        spec.check(owner, "obj_new()")
    except DeclarationTypeError as error:
        checker.fail(errors.NotAllocatable(node_span(checker, node), str(kind), error.title, error.help, error.lines))
    import _ast

    fields = _ast.Call(func=node.func, args=[], keywords=node.keywords)
    initial = new_struct(checker, kind, fields, span)
    assert isinstance(initial, tree.New)
    number = tree.KernelFact(U64, span, type_fact(TYPE_ID_LOCAL, kind))
    reference = OptionalType(PtrType(kind, Space.OWNED))
    call = tree.KfuncCall(reference, span, spec.kfunc, (number, tree.Const(U64, span, 0)))
    return references.acquired(checker, tree.Allocate(reference, span, call, initial), spec.release)


def node_span(checker: Checker, node: ast.Call) -> Span:
    """The region of a call's first argument."""
    return checker.span(node.args[0])


# --- what both have


def _object(checker: Checker, value: Value, wanted: Type, what: str) -> tree.Expr:
    """A reference to an object of a struct, which is there."""
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    pointee = expr.type.pointee if isinstance(expr.type, PtrType) else None
    fits = pointee is wanted or (
        isinstance(pointee, KernelType) and isinstance(wanted, KernelType) and pointee.name == wanted.name
    )
    if fits and isinstance(expr.type, PtrType) and expr.type.space not in (*_HELD, Space.BORROWED):
        checker.fail(errors.NotHeld(expr.span, checker.text(expr.span), (), "", True))
    if not fits:
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), f"a {wanted}", what))
    return expr


def forget(checker: Checker, space: str, why: str, span: Span) -> None:
    """From here on references into `space` can't be used: the lock, or the RCU section, that kept them is gone."""
    loop = checker.loops[-1] if checker.loops else None
    for state in (checker.state, *((loop.breaks, loop.continues) if loop is not None else ())):
        if state is not None:
            forget_in(checker, state, space, why, span)


def forget_in(checker: Checker, state: flow.State, space: str, why: str, span: Span) -> None:
    from pybpf.compiler.schema.record import replace

    for name, fact in list(state.items()):
        slot = checker.slots.get(name)
        kind = slot.var.type if slot is not None and slot.var is not None else None
        kind = kind.inner if isinstance(kind, OptionalType) else kind
        if isinstance(kind, PtrType) and kind.space == space and fact.stale is None:
            state[name] = replace(fact, stale=(why, span))
