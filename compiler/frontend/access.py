"""Attributes and subscripts: fields of structs and contexts, elements of arrays, members of modules and enums.

`attribute` and `subscript` read; `place` gives the node that a statement stores to.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import constant, materialize, maybe_none, number
from pybpf.compiler.frontend.innermaps import as_map
from pybpf.compiler.frontend.known import ContextRef, Known, TupleValue, describe
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.frontend.operators import to_type
from pybpf.compiler.frontend.scope import closest
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.specs import GlobalSpec, MapSpec
from pybpf.compiler.schema.types import (
    U8,
    U64,
    ArrayType,
    BytesType,
    IntType,
    NoneType,
    OptionalType,
    PtrType,
    Space,
    StructType,
    TextType,
    is_aggregate,
    is_arena_pointer,
    opaque_in,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any, NoReturn

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import ContextSpec
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast

__all__ = [
    "GLOBALS_SINCE", "attribute", "check_writable", "context_field", "element", "field", "index", "is_fixed",
    "member_of", "outer", "place", "reference",
    "state_variable", "subscript",
]  # fmt: skip

GLOBALS_SINCE = "5.2"  # d8eca5bbb2be


def outer(checker: Checker, value: Any, span: Span) -> Value:
    """An object of the user's module: a global of the program is read, anything else is known at compile time."""
    known = Known(value, span)
    schema = checker.schema(known)
    if isinstance(schema, GlobalSpec):
        if schema.arena is not None:
            checker.check_release(f"a map of type {schema.arena.kind.name}", schema.arena.kind.since, span)
            return tree.Global(reference(schema.type, Space.ARENA), span, schema)
        checker.check_release("a global variable", GLOBALS_SINCE, span)
        return tree.Global(reference(schema.type, Space.CONST if schema.constant else Space.GLOBAL), span, schema)
    if isinstance(schema, MapSpec):
        checker.check_release(f"a map of type {schema.kind.name}", schema.kind.since, span)
        for what, since in schema.needs:
            checker.check_release(what, since, span)
        if opaque_in(schema.value):
            from pybpf.compiler.frontend.locks import check_allowed

            check_allowed(checker, schema, span)
    return known


def reference(kind: Type, space: str) -> Type:
    """The type of an expression that reads memory holding `kind`: the number, or a reference to the object."""
    return PtrType(kind, space) if is_aggregate(kind) else kinds.host(kind)


def attribute(checker: Checker, node: ast.Attribute, want: Type | None) -> Value:
    """`value.name`, read."""
    span = checker.span(node)
    base = checker.expr(node.value)
    if isinstance(base, Known):
        return _known_attribute(checker, base, node.attr, span)
    if isinstance(base, ContextRef):
        return context_field(checker, base, node.attr, span)
    base = materialize(checker, base)  # refuses a tuple
    found = field(checker, base, node.attr, span)
    if found is not None:
        return found
    struct = kinds.aggregate(base.type)
    if isinstance(struct, KernelType):
        from pybpf.compiler.frontend import kernel

        return kernel.member(checker, base, node.attr, span)
    if isinstance(struct, StructType):
        member = member_of(struct.owner, node.attr)
        if isinstance(member, property) and member.fget is not None:
            from pybpf.compiler.frontend.inline import inline

            return inline(checker, member.fget, [base], {}, span)
        if callable(member):
            checker.fail(errors.MethodNotCalled(span, node.attr, str(struct), called(checker, span, member)))
        if member is not None and not hasattr(type(member), "__get__"):
            return Known(member, span)
        names = [f.name for f in struct.fields]
        checker.fail(errors.NoField(span, node.attr, str(struct), tuple(names), closest(node.attr, names)))
    _no_attribute(checker, base, node.attr, span)


def called(checker: Checker, span: Span, method: Any) -> str:
    """The call of a method that was only named."""
    alone = getattr(getattr(method, "__code__", None), "co_argcount", 0) == 1
    return checker.text(span) + ("()" if alone else "(...)")


def _no_attribute(checker: Checker, base: tree.Expr, name: str, span: Span) -> NoReturn:
    """Refuse an attribute of a value that has none."""
    kind = kinds.aggregate(base.type)
    sort = "number" if kinds.is_int(base.type) else "array" if isinstance(kind, (ArrayType, BytesType)) else ""
    sort = "None" if isinstance(base.type, NoneType) else "pointer" if kinds.may_be_null(base.type) else sort
    checker.fail(errors.NoAttribute(span, name, kinds.spell(base.type), checker.text(base.span), sort))


def member_of(owner: Any, name: str) -> Any:
    """What a class's body, or a base class's, holds under a name, as it stands there; None for nothing."""
    for cls in getattr(owner, "__mro__", ()):
        if name in vars(cls):
            found = vars(cls)[name]
            return found.__func__ if isinstance(found, staticmethod) else found
    return None


def _known_attribute(checker: Checker, base: Known, name: str, span: Span) -> Value:
    value = base.value
    if isinstance(checker.schema(base), MapSpec):
        from pybpf.compiler.frontend.methods import check_map_method

        check_map_method(checker, base, name, span)
        checker.fail(errors.MethodNotCalled(span, name, describe(value), checker.text(span) + "(...)"))
    if value is None or type(value) is int:
        sort = "None" if value is None else "number"
        checker.fail(errors.NoAttribute(span, name, describe(value), checker.text(base.span), sort))
    try:
        found = getattr(value, name)
    except AttributeError:
        candidates = [n for n in dir(value) if not n.startswith("_")]
        members = tuple([str(n) for n in getattr(value, "__members__", ())])
        near = closest(name, candidates)
        checker.fail(errors.UnknownAttribute(span, describe(value), name, near, members))
    return outer(checker, found, span)


def field(checker: Checker, base: tree.Expr, name: str, span: Span) -> tree.Expr | None:
    """A field of a struct; None where the value is no struct, or has no such field."""
    if isinstance(base.type, OptionalType):
        maybe_none(checker, base)
    struct = kinds.aggregate(base.type)
    found = struct.field(name) if isinstance(struct, StructType) else None
    if found is None:
        return None
    assert isinstance(base.type, PtrType)
    made = tree.Field(reference(found.type, base.type.space), span, base, found)
    if base.type.space == Space.ARENA or is_arena_pointer(found.type):
        checker.session.arena_pointers.append(made)
    range_of(checker, made)
    return made


# --- the context


def context_field(checker: Checker, base: ContextRef, name: str, span: Span) -> Value:
    """A field of the program's context, or a variable kept on it."""
    spec = base.spec
    found = spec.field(name)
    if found is not None:
        checker.check_release(f"`{name}` of {spec.struct}", found.since, span)
        if found.role == "data_loc":  # read by a probe read
            from pybpf.compiler.frontend.helpers import check_licence

            check_licence(checker, "bpf_probe_read_kernel_str", span)
        return tree.CtxLoad(reference(found.type, Space.CTX), span, found)
    state = state_variable(checker, spec, name)
    if state is not None:
        return checker.local(state, span)
    member = member_of(spec.owner, name)
    if callable(member):
        checker.fail(errors.MethodNotCalled(span, name, spec.owner.__name__, called(checker, span, member)))
    return no_context_field(checker, spec, name, span)


def no_context_field(checker: Checker, spec: ContextSpec, name: str, span: Span) -> Value:
    names = [f.name for f in spec.fields] + [s.name for s in spec.state]
    checker.fail(errors.NoContextField(span, name, spec.struct, tuple(names), closest(name, names)))


def state_variable(checker: Checker, spec: ContextSpec, name: str) -> tree.Var | None:
    """The variable of a StateSpec: one for the whole program, whichever inlined function uses it."""
    for state in spec.state:
        if state.name == name:
            var = checker.session.state.get(name)
            if var is None:
                initial = spec.field(state.init)
                assert initial is not None
                var = checker.session.state[name] = tree.Var(f"ctx.{name}", initial.type)
            return var
    return None


# --- elements


def subscript(checker: Checker, node: ast.Subscript, want: Type | None) -> Value:
    """`value[index]`, read."""
    span = checker.span(node)
    base = as_map(checker, checker.expr(node.value))
    if isinstance(base, TupleValue) or (isinstance(node.slice, ast.Slice) and type(getattr(base, "value", 0)) is tuple):
        from pybpf.compiler.frontend import tuples

        return tuples.subscript(checker, base, node.slice, span)
    if isinstance(node.slice, ast.Slice):
        from pybpf.compiler.frontend.slices import sliced

        return sliced(checker, base, node, span)
    if isinstance(base, Known):
        if isinstance(checker.schema(base), MapSpec):
            from pybpf.compiler.frontend import maps

            return maps.read(checker, base, node, span)
        return _known_element(checker, base, checker.expr(node.slice), span)
    if isinstance(base, ContextRef):
        checker.fail(errors.NoSubscript(span, "the context"))
    return element(checker, base, node, span)


_MOST_CHOSEN = 8  # constants that are chosen from one by one; more of them are better kept in memory


def _known_element(checker: Checker, base: Known, value_at: Value, span: Span) -> Value:
    value = base.value
    if isinstance(value_at, Known):
        try:
            found = value[value_at.value]
        except Exception as error:  # whatever the user's object raises
            problem = f"raises {type(error).__name__}: {error}"
            checker.fail(errors.ConstantLookup(span, f"`{checker.text(span)}`", problem))
        return outer(checker, found, span)
    if isinstance(value, (tuple, list)) and 0 < len(value) <= _MOST_CHOSEN and all(type(v) is int for v in value):
        from pybpf.compiler.frontend.iteration import chosen

        at = index(checker, value_at, len(value), checker.text(base.span))
        var = checker.temporary(at.type, at)
        found = chosen(checker, [Known(item, span) for item in value], checker.local(var, at.span), span)
        assert isinstance(found, tree.Expr)
        made = tree.Let(found.type, span, var, at, found)
        range_of(checker, made)
        return made
    if isinstance(value, (tuple, list, dict, bytes, str)):
        from pybpf.compiler.frontend.advise import at_run_time

        name = checker.text(base.span)
        checker.fail(errors.RuntimeIndexOfConstant(span, name, type(value).__name__, at_run_time(name, value)))
    checker.fail(errors.NoSubscript(span, describe(value)))


def element(checker: Checker, base: tree.Expr, node: ast.Subscript, span: Span) -> tree.Expr:
    """An element of an array, or a byte of a bytes object: the index must be shown to be in bounds."""
    if isinstance(base.type, OptionalType):
        maybe_none(checker, base)
    kind = kinds.aggregate(base.type)
    # of a socket, which is no kernel type: those have nothing in network order
    ordered = isinstance(kind, ArrayType) and isinstance(kind.element, IntType) and kind.element.big
    in_struct = isinstance(base, tree.Field) or ordered
    kernels = isinstance(base.type, PtrType) and base.type.space in (
        Space.KERNEL, Space.USER, *Space.OBJECTS,
    )  # fmt: skip
    if kernels and not isinstance(kind, (TextType, StructType)) and not in_struct:
        from pybpf.compiler.frontend import kernel

        return kernel.element(checker, base, node, span)
    if isinstance(kind, TextType):
        from pybpf.compiler.frontend.texts import character

        return character(checker, base, checker.expr(node.slice), checker.text(checker.span(node.value)), span)
    if not isinstance(kind, (ArrayType, BytesType)):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        named = isinstance(key, str) and isinstance(kind, StructType) and kind.field(key) is not None
        shown = f"{checker.text(checker.span(node.value))}.{key!s}" if named else ""
        checker.fail(errors.NoSubscript(span, kinds.spell(base.type), shown, checker.text(base.span)))
    assert isinstance(base.type, PtrType)
    length = kind.length if isinstance(kind, ArrayType) else kind.size
    inner = kind.element if isinstance(kind, ArrayType) else U8
    at = index(checker, checker.expr(node.slice), length, checker.text(checker.span(node.value)))
    if not isinstance(at, tree.Const) and is_fixed(checker, base.type.space):
        checker.fail(errors.SocketIndex(at.span, checker.text(at.span), checker.text(checker.span(node.value))))
    made = tree.Index(reference(inner, base.type.space), span, base, at)
    if base.type.space == Space.ARENA or is_arena_pointer(inner):
        checker.session.arena_pointers.append(made)
    return made


def is_fixed(checker: Checker, space: str) -> bool:
    """Whether the verifier takes accesses at fixed offsets only."""
    context = checker.session.program.context
    if space == Space.CTX:
        return context is not None and not context.in_memory
    return space in (Space.TRUSTED, Space.LENT, Space.RCU, Space.OWNED, Space.BORROWED)


def index(checker: Checker, value: Value, length: int, what: str) -> tree.Expr:
    """An index below `length`, as u64. A negative constant counts from the end, as in Python."""
    at = number(checker, value)
    if isinstance(at, int):
        if not -length <= at < length:
            checker.fail(errors.IndexConstant(value.span, at, what, length, length - 1))
        return constant(checker, at + length if at < 0 else at, U64, value.span)
    lo, hi = range_of(checker, at)
    if lo < 0 or hi >= length:
        from pybpf.compiler.frontend.wording import statement

        text, line = checker.text(value.span), statement(value.span)
        local = not isinstance(value, tree.Global)
        checker.fail(errors.IndexUnproven(value.span, text, what, length, lo, hi, line, local))
    return to_type(checker, at, U64, value.span)


# --- places to store to


def place(checker: Checker, node: Any) -> tree.Expr:
    """What an attribute or a subscript names as the target of an assignment. Maps are dealt with by their own
    statements.
    """
    span = checker.span(node)
    base = checker.expr(node.value)
    if isinstance(node, ast.Subscript):
        if isinstance(node.slice, ast.Slice):
            from pybpf.compiler.frontend.wording import slice_of

            checker.fail(errors.NoSlice(span, *slice_of(checker, node), target=True))
        if isinstance(base, tree.Expr):
            if isinstance(kinds.aggregate(base.type), TextType):
                checker.fail(errors.TextItem(span, checker.text(base.span)))
            target: tree.Expr = element(checker, base, node, span)
        else:
            from pybpf.compiler.frontend.advise import as_variable

            what = describe(base.value) if isinstance(base, Known) else "the context"
            text = checker.text(base.span)
            lines = as_variable(text, base.value if isinstance(base, Known) else None)
            checker.fail(errors.NotAssignable(span, text, what, lines))
    elif isinstance(base, ContextRef):
        loaded = context_field(checker, base, node.attr, span)
        if isinstance(loaded, tree.CtxLoad) and not loaded.field.writable:
            writable = tuple([f.name for f in base.spec.fields if f.writable])
            checker.fail(errors.ReadOnlyField(span, node.attr, base.spec.struct, writable))
        assert isinstance(loaded, tree.Expr)
        return loaded
    elif isinstance(base, Known):
        lines = (f"{node.attr} = var(u64, 0)",)
        checker.fail(errors.NotAssignable(span, checker.text(base.span), describe(base.value), lines))
    else:
        base = materialize(checker, base)  # refuses a tuple
        found = field(checker, base, node.attr, span)
        if found is None:
            struct = kinds.aggregate(base.type)
            if isinstance(struct, KernelType):
                from pybpf.compiler.frontend import kernel

                found_place = kernel.member(checker, base, node.attr, span)
                if kernel.is_writable(checker, found_place):
                    return found_place
                assert isinstance(base.type, PtrType)
                declared = kernel.writable_in(checker, found_place)
                checker.fail(errors.ReadOnlyMemory(span, base.type.space, declared))
            if not isinstance(struct, StructType):
                _no_attribute(checker, base, node.attr, span)
            names = [f.name for f in struct.fields]
            checker.fail(errors.NoField(span, node.attr, str(struct), tuple(names), closest(node.attr, names)))
        target = found
    check_writable(checker, target, span)
    return target


def check_writable(checker: Checker, target: tree.Expr, span: Span) -> None:
    """Refuse to store to a constant, or to memory the kernel lends for reading only."""
    root = target
    while isinstance(root, (tree.Field, tree.Index)):
        root = root.base
    if isinstance(root, tree.Global) and root.spec.constant:
        from pybpf.compiler.frontend.advise import written

        initial = "0" if kinds.is_int(root.spec.type) else "..."
        extern = bool(root.spec.section)
        checker.fail(errors.ConstAssigned(span, root.spec.name, written(root.spec.type), initial, extern))
    if isinstance(root, tree.KernelPlace):
        from pybpf.compiler.frontend.kernel import is_writable

        if is_writable(checker, root):
            return
        assert isinstance(root.base.type, PtrType)
        checker.fail(errors.ReadOnlyMemory(span, root.base.type.space))
    kind = root.type
    if isinstance(root, tree.CtxLoad) and root.field.writable:
        return
    if isinstance(kind, PtrType) and kind.space in (
        Space.CONST, Space.SLICE, Space.CTX, *Space.OBJECTS, Space.KERNEL, Space.USER,
    ):  # fmt: skip
        checker.fail(errors.ReadOnlyMemory(span, kind.space))
    context = checker.session.program.context
    if isinstance(kind, PtrType) and kind.space == Space.PACKET and context is not None and not context.packet_writable:
        checker.fail(errors.ReadOnlyMemory(span, kind.space))
