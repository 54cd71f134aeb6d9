"""Calls: what is called decides. In: an `ast.Call`. Out: a typed node, or a compile-time value.

u32(x)                 a conversion            Event(pid=1)          a new struct
helper(...), comm()    a kernel helper         f(x)                  a plain function, inlined
m.get(k)               a map's method          record.method()       a function of the struct's class, inlined
printk(...), min(...)  what the compiler itself knows (functions.py)
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.access import member_of
from pybpf.compiler.frontend.convert import convert, materialize, maybe_none, number, type_of
from pybpf.compiler.frontend.elsewhere import in_library, is_pythons
from pybpf.compiler.frontend.functions import BUILTINS, COMPILER_FUNCTIONS
from pybpf.compiler.frontend.helpers import fill, helper
from pybpf.compiler.frontend.inline import inline
from pybpf.compiler.frontend.innermaps import as_map, is_inner
from pybpf.compiler.frontend.known import ContextRef, Known, LocalFunction, describe
from pybpf.compiler.frontend.scope import closest
from pybpf.compiler.later import later
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.specs import (
    BuiltinSpec,
    ContextSpec,
    FillSpec,
    GlobalSpec,
    HelperSpec,
    IterSpec,
    KfuncSpec,
    MapSpec,
    ObjectSpec,
    ProgramSpec,
    SubprogSpec,
)
from pybpf.compiler.schema.types import (
    ArrayType,
    BoolType,
    BytesType,
    EnumType,
    IntType,
    NoneType,
    OptionalType,
    PtrType,
    Space,
    StructType,
    TextType,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any, NoReturn

    from pybpf.compiler.frontend.construct import conversion, new_array, new_struct, new_text
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.frontend.methods import map_method
    from pybpf.compiler.frontend.reservation import discard
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast
    discard = later("frontend.reservation", "discard")
    conversion = later("frontend.construct", "conversion")
    new_array = later("frontend.construct", "new_array")
    new_struct = later("frontend.construct", "new_struct")
    new_text = later("frontend.construct", "new_text")
    map_method = later("frontend.methods", "map_method")

__all__ = ["call"]


def call(checker: Checker, node: ast.Call, want: Type | None) -> Value:
    """An `ast.Call`."""
    span = checker.span(node)
    for keyword in node.keywords:
        if keyword.arg is None:
            checker.fail(errors.NoStar(checker.span(keyword), checker.text(checker.span(keyword))))
    if isinstance(node.func, ast.Attribute):
        return _method(checker, node, node.func, span, want)
    callee = checker.expr(node.func)
    if not isinstance(callee, Known):
        what = "the context" if isinstance(callee, ContextRef) else a_value(callee.type)
        where = checker.span(node.func)
        checker.fail(errors.NotCallable(where, checker.text(where), what))
    return _known(checker, callee, node, span, want)


def a_value(kind: Type) -> str:
    """What a diagnostic calls a value of a type: `a u32`."""
    return f"a {kinds.spell(kind)}" if kinds.is_int(kind) else f"of type {kinds.spell(kind)}"


def _method(checker: Checker, node: ast.Call, func: ast.Attribute, span: Span, want: Type | None) -> Value:
    """`receiver.name(...)`."""
    receiver = checker.expr(func.value)
    if isinstance(receiver, tree.Expr) and is_inner(receiver.type):
        receiver = as_map(checker, receiver)
    name = func.attr
    where = checker.span(func)
    if isinstance(receiver, Known):
        schema = checker.schema(receiver)
        if isinstance(schema, MapSpec):
            return map_method(checker, receiver, schema, node, where, span, want)
        if isinstance(schema, StructType) and name == "at" and isinstance(receiver.value, type):
            return _at(checker, schema, node, span)
        is_cast = name in ("at", "at_user") and isinstance(receiver.value, type)
        if is_cast and isinstance(schema, (StructType, KernelType)):
            from pybpf.compiler.frontend import kernel

            return kernel.cast(checker, schema, node, span, Space.USER if name == "at_user" else "")
        if isinstance(receiver.value, (str, bytes)):
            return _folded(checker, receiver, node, name, where, span)
        from pybpf.compiler.frontend.access import outer

        try:
            found = getattr(receiver.value, name)
        except AttributeError:
            names = [n for n in dir(receiver.value) if not n.startswith("_")]
            checker.fail(errors.UnknownAttribute(where, describe(receiver.value), name, closest(name, names)))
        callee = outer(checker, found, where)
        if not isinstance(callee, Known):
            checker.fail(errors.NotCallable(where, checker.text(where), a_value(materialize(checker, callee).type)))
        return _known(checker, callee, node, span, want)
    if isinstance(receiver, ContextRef):
        return _own_method(checker, receiver, receiver.spec.owner, receiver.spec.owner.__name__, node, func.attr, span)
    receiver = materialize(checker, receiver)  # refuses a tuple
    if isinstance(receiver.type, OptionalType):
        maybe_none(checker, receiver)
    kind = kinds.aggregate(receiver.type)
    if isinstance(receiver.type, PtrType) and receiver.type.space == Space.RINGBUF and name == "discard":
        if node.args or node.keywords:
            text = checker.text(checker.span(node.func))
            checker.fail(errors.CallArguments(span, "discard()", "takes no arguments", f"{text}()"))
        return discard(checker, receiver, span)
    if isinstance(kind, StructType) and kind.opaque and kind.opaque != "bpf_dynptr":
        methods, rule = _kept_for_kernel(kind)
        if name not in methods:
            near = closest(name, list(methods))
            checker.fail(errors.NoMethod(where, name, kind.owner.__name__, methods, near, False))
        return rule(checker, receiver, node, name, span)
    if isinstance(kind, StructType):
        return _own_method(checker, receiver, kind.owner, kind.name, node, func.attr, span)
    if isinstance(kind, (TextType, BytesType)):
        from pybpf.compiler.frontend.texts import method

        return method(checker, receiver, name, node, span)
    checker.fail(errors.NoMethod(where, name, kinds.spell(receiver.type), (), "", False))


def _kept_for_kernel(kind: StructType) -> tuple[tuple[str, ...], Callable[..., Value]]:
    """The methods of what the kernel keeps in a map's value, and what checks their calls."""
    if kind.holds is None:
        from pybpf.compiler.frontend.timers import METHODS, timer_call

        return METHODS.get(kind.opaque, ()), timer_call
    from pybpf.compiler.frontend import objects

    return objects.METHODS[kind.opaque], objects.method


def _folded(checker: Checker, receiver: Known, node: ast.Call, name: str, where: Span, span: Span) -> Value:
    """`"abc".upper()`: a method of a constant text with constant arguments is computed at once."""
    args = [checker.expr(argument) for argument in node.args]
    keywords = {str(k.arg): checker.expr(k.value) for k in node.keywords}
    values = [*args, *keywords.values()]
    plain = [v for v in values if isinstance(v, Known) and isinstance(v.value, (str, bytes, int, tuple, type(None)))]
    if len(plain) != len(values) or not hasattr(receiver.value, name):
        checker.fail(errors.NoTextMethod(where, name, not values))
    given = [v.value for v in args if isinstance(v, Known)]
    named = {k: v.value for k, v in keywords.items() if isinstance(v, Known)}
    try:
        return Known(getattr(receiver.value, name)(*given, **named), span)
    except Exception as error:
        problem = f"raises {type(error).__name__}: {error}"
        checker.fail(errors.ConstantLookup(span, f"`{checker.text(span)}`", problem))


def _own_method(
    checker: Checker, receiver: Value, owner: Any, what: str, node: ast.Call, name: str, span: Span
) -> Value:
    """A method that the class of a struct or of the context defines: a plain function of the language."""
    where = checker.span(node.func)
    member = member_of(owner, name)
    if member is None:
        names = [
            n for cls in getattr(owner, "__mro__", ()) for n, m in vars(cls).items() if callable(m) and n[0] != "_"
        ]
        names = sorted(set(names))
        checker.fail(errors.NoMethod(where, name, what, tuple(names), closest(name, names), not in_library(owner)))
    schema = getattr(member, "__bpf__", None)
    if isinstance(schema, BuiltinSpec):
        return COMPILER_FUNCTIONS[schema.name](checker, node, span, None)
    if isinstance(schema, SubprogSpec):
        from pybpf.compiler.frontend.subprograms import call_subprogram

        return call_subprogram(checker, schema, [receiver, *_positional(checker, node)], _keywords(checker, node), span)
    if type(member).__name__ != "function":
        checker.fail(errors.NoMethod(where, name, what, (), "", False))
    raw = next(vars(cls)[name] for cls in owner.__mro__ if name in vars(cls))
    first = [] if isinstance(raw, staticmethod) else [receiver]
    return inline(checker, member, [*first, *_positional(checker, node)], _keywords(checker, node), span)


def _at(checker: Checker, struct: StructType, node: ast.Call, span: Span) -> Value:
    """`header.at(address)`: the struct at a packet address."""
    if len(node.args) != 1 or node.keywords:
        example = f"{struct.name}.at(pkt.cursor)"
        checker.fail(errors.CallArguments(span, f"{struct.name}.at()", "takes one packet address", example))
    given = checker.expr(node.args[0])
    if kinds.is_int(type_of(given)) or kinds.may_be_null(type_of(given)):
        from pybpf.compiler.frontend import kernel

        return kernel.at(checker, struct, given, span)
    address = materialize(checker, given)
    if isinstance(address.type, OptionalType):
        maybe_none(checker, address)
    if not isinstance(address.type, PtrType) or address.type.pointee is not None or address.type.space != Space.PACKET:
        what = f"{struct.name}.at()"
        checker.fail(errors.WrongType(address.span, kinds.spell(address.type), "a packet address", what))
    return tree.Cast(PtrType(struct, address.type.space), span, address)


def _positional(checker: Checker, node: ast.Call) -> list[Value]:
    """The arguments of a Python function; a tuple with a star is taken apart."""
    from pybpf.compiler.frontend.tuples import elements

    return elements(checker, node.args)


def _keywords(checker: Checker, node: ast.Call) -> dict[str, Value]:
    return {k.arg: checker.expr(k.value) for k in node.keywords if k.arg is not None}


def _known(checker: Checker, callee: Known, node: ast.Call, span: Span, want: Type | None) -> Value:
    """A call of a compile-time object."""
    value = callee.value
    schema = checker.schema(callee)
    if schema is not None:
        rule = _BY_SCHEMA.get(StructType if isinstance(schema, StructType) else type(schema))
        if rule is not None:
            return rule(checker, schema, value, node, span, want)
    declares = getattr(value, "__bpf_declares__", "")
    if declares:
        text = checker.text(span)
        checker.fail(errors.DeclaredInside(span, text, declares, "counts" if declares == "a map" else "total"))
    try:
        builtin = BUILTINS.get(value)
    except TypeError:  # unhashable
        builtin = None
    if builtin is not None:
        return builtin(checker, node, span, want)
    if getattr(value, "__bpf_constant__", False):
        return _computed(checker, value, node, span)
    kind = type(value).__name__
    if kind == "function" and value.__module__ == "copy" and value.__name__ in ("copy", "deepcopy"):
        from pybpf.compiler.frontend.construct import copied

        return copied(checker, node, value.__name__ == "deepcopy", span)
    if kind == "function" and not is_pythons(value):
        return inline(checker, value, _positional(checker, node), _keywords(checker, node), span)
    if kind == "method" and type(value.__func__).__name__ == "function":
        own = Known(value.__self__, callee.span)
        return inline(checker, value.__func__, [own, *_positional(checker, node)], _keywords(checker, node), span)
    if isinstance(value, LocalFunction):
        from pybpf.compiler.frontend.closures import call_local

        return call_local(checker, value, _positional(checker, node), _keywords(checker, node), span)
    if isinstance(value, type) and issubclass(value, int):
        return _enum_member(checker, value, node, span)
    _unknown_call(checker, value, node, span)


def _computed(checker: Checker, function: Any, node: ast.Call, span: Span) -> Value:
    """A call of a function that gives a constant for constants, such as an address for its text."""
    given = [checker.expr(argument) for argument in node.args]
    for value in given:
        if not isinstance(value, Known):
            checker.fail(errors.NotConstant(value.span, checker.text(value.span), f"{function.__name__}()"))
    try:
        return Known(function(*[value.value for value in given if isinstance(value, Known)]), span)
    except Exception as error:  # its arguments are the user's
        checker.fail(errors.ConstantLookup(span, f"`{checker.text(span)}`", f"can't be computed: {error}"))


def _unknown_call(checker: Checker, value: Any, node: ast.Call, span: Span) -> NoReturn:
    """A call of what is not written in the language."""
    from pybpf.compiler.frontend.refusals import REFUSED_BUILTINS

    try:
        refused = REFUSED_BUILTINS.get(value)
    except TypeError:  # unhashable
        refused = None
    if refused is not None:
        checker.fail(errors.NoBuiltin(span, value.__name__, refused))
    named = checker.text(checker.span(node.func))
    object = getattr(value, "__self__", None)
    if isinstance(object, (dict, set, list)) and isinstance(node.func, ast.Attribute):
        from pybpf.compiler.frontend.advise import as_variable

        text = checker.text(checker.span(node.func.value))
        checker.fail(errors.MethodOfConstant(span, named, describe(object), as_variable(text, object)))
    owner = object if isinstance(object, type) else type(object)
    module = getattr(value, "__module__", None) or getattr(owner, "__module__", "")
    if not callable(value):
        checker.fail(errors.NotCallable(checker.span(node.func), named, describe(value)))
    checker.fail(errors.UnknownCall(span, f"`{named}()`", str(module), isinstance(value, type)))


def _enum_member(checker: Checker, cls: Any, node: ast.Call, span: Span) -> Value:
    """`Colour(2)` of a plain IntEnum: a constant. `Colour(x)`: the number x, which the member equals; CPython raises
    ValueError where x is none of them.
    """
    value = checker.expr(node.args[0]) if len(node.args) == 1 and not node.keywords else None
    if isinstance(value, Known):
        try:
            return Known(cls(value.value), span)
        except Exception as error:  # the user's class
            problem = f"raises {type(error).__name__}: {error}"
            checker.fail(errors.ConstantLookup(span, f"`{checker.text(span)}`", problem))
    if value is not None and hasattr(cls, "__members__"):
        given = number(checker, value)
        assert isinstance(given, tree.Expr)
        return given
    checker.fail(errors.UnknownCall(span, describe(cls), "", True))


# --- by what __bpf__ says


def _int(checker: Checker, schema: IntType, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    return conversion(checker, schema, node, span)


def _struct(checker: Checker, schema: StructType, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    if schema.opaque == "bpf_dynptr":
        from pybpf.compiler.frontend import dynptrs

        return dynptrs.new(checker, schema, node, span)  # type: ignore[arg-type]
    return new_struct(checker, schema, node, span)


def _kernel(checker: Checker, schema: KernelType, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    from pybpf.compiler.frontend import kernel

    return kernel.cast(checker, schema, node, span)


def _array(checker: Checker, schema: ArrayType, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    return new_array(checker, schema, node, span)


def _text(
    checker: Checker, schema: TextType | BytesType, value: Any, node: ast.Call, span: Span, want: Type | None
) -> Value:
    return new_text(checker, schema, node, span)


def _enum(checker: Checker, schema: EnumType, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    if not isinstance(value, type) or len(node.args) != 1 or node.keywords:
        checker.fail(errors.CallArguments(span, f"{schema.name}()", "takes one number", f"{schema.name}(number)"))
    given = checker.expr(node.args[0])
    if isinstance(given, Known):
        return _enum_member(checker, value, node, span)
    return convert(checker, given, schema, f"{schema.name}()")


def _helper(checker: Checker, schema: HelperSpec, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    return helper(checker, schema, node, span)


def _iterator(checker: Checker, schema: IterSpec, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    from pybpf.compiler.frontend.iterators import used_otherwise

    used_otherwise(checker, schema, span)


def _kfunc(checker: Checker, schema: KfuncSpec, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    from pybpf.compiler.frontend.kfuncs import kfunc

    return kfunc(checker, schema, node, span)


def _fill(checker: Checker, schema: FillSpec, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    return fill(checker, schema, node, span, want)


def _compiler(
    checker: Checker, schema: BuiltinSpec, value: Any, node: ast.Call, span: Span, want: Type | None
) -> Value:
    rule = COMPILER_FUNCTIONS.get(schema.name)
    if rule is None:
        checker.fail(errors.UnknownCall(span, f"the function {schema.name}", "", False))
    return rule(checker, node, span, want)


def _program(checker: Checker, schema: ProgramSpec, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    checker.fail(errors.ProgramCalled(span, schema.name))


def _subprogram(
    checker: Checker, schema: SubprogSpec, value: Any, node: ast.Call, span: Span, want: Type | None
) -> Value:
    from pybpf.compiler.frontend.subprograms import call_subprogram

    return call_subprogram(checker, schema, _positional(checker, node), _keywords(checker, node), span)


def _other(checker: Checker, schema: Any, value: Any, node: ast.Call, span: Span, want: Type | None) -> Value:
    where = checker.span(node.func)
    checker.fail(errors.NotCallable(where, checker.text(where), describe(value)))


_BY_SCHEMA: dict[type, Callable[[Checker, Any, Any, ast.Call, Span, Type | None], Value]] = {
    IntType: _int,
    KernelType: _kernel,
    StructType: _struct,
    ArrayType: _array,
    TextType: _text,
    BytesType: _text,
    EnumType: _enum,
    HelperSpec: _helper,
    KfuncSpec: _kfunc,
    IterSpec: _iterator,
    ObjectSpec: later("frontend.objects", "function"),
    FillSpec: _fill,
    BuiltinSpec: _compiler,
    ProgramSpec: _program,
    SubprogSpec: _subprogram,
    MapSpec: _other,
    GlobalSpec: _other,
    ContextSpec: _other,
    BoolType: _other,
    NoneType: _other,
}
