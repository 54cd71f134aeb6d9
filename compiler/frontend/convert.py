"""Turns a value into one of a wanted type, or says why it can't be. Whatever is converted becomes an explicit tree
node.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, kinds, tree
from pybpf.compiler.frontend.known import ContextRef, Known, TupleValue, describe
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import (
    BOOL,
    I64,
    NONE,
    U8,
    U64,
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
    TupleType,
    is_aggregate,
    opaque_in,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Field, Type

__all__ = [
    "constant",
    "convert",
    "enum_of",
    "into",
    "materialize",
    "maybe_none",
    "number",
    "stored",
    "stored_field",
    "type_of",
    "widened",
]


def type_of(value: Value) -> Type:
    """The type that a variable would get from this value."""
    if isinstance(value, tree.Expr):
        return value.type
    if isinstance(value, ContextRef):
        return kinds.KnownType(value.spec)
    if isinstance(value, TupleValue):
        return TupleType(tuple([type_of(item) for item in value.items]))
    known = value.value
    if known is None:
        return NONE
    if isinstance(known, bool):
        return BOOL
    if isinstance(known, int):
        return enum_of(known) or kinds.AnyInt(int(known), int(known))
    return kinds.KnownType(known)


def enum_of(value: int) -> EnumType | None:
    """The declared enumeration that a constant belongs to."""
    schema = getattr(type(value), "__bpf__", None)
    return schema if isinstance(schema, EnumType) else None


def constant(checker: Checker, value: int, type: Type, span: Span) -> tree.Expr:
    """A constant of an int, bool or enum type that must be able to hold it."""
    base = kinds.int_base(type)
    assert base is not None
    if not base.min <= value <= base.max:
        checker.fail(errors.DoesNotFit(span, int(value), str(type), base.min, base.max))
    return tree.Const(kinds.host(type), span, int(value))


def number(checker: Checker, value: Value) -> tree.Expr | int:
    """A number: an int for a constant, which takes whatever type its surroundings want, else an expression.

    Refuses what is no number, and an Optional that may be None.
    """
    if isinstance(value, Known) and isinstance(value.value, int):
        return int(value.value)
    if isinstance(value, tree.Expr) and kinds.is_int(value.type):
        return value
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    if not kinds.is_int(expr.type):
        _not_a_number(checker, expr)
    return expr


def _not_a_number(checker: Checker, expr: tree.Expr) -> NoReturn:
    from pybpf.compiler.frontend.advise import kernel_struct_as_number, numbers_in
    from pybpf.compiler.schema.kernel import KernelType

    if isinstance(expr.type, NoneType):
        checker.fail(errors.NothingReturned(expr.span, checker.text(expr.span)))
    text = checker.text(expr.span)
    if isinstance(expr.type, PtrType) and isinstance(expr.type.pointee, KernelType):
        help, lines = kernel_struct_as_number(text)
        checker.fail(errors.NotANumber(expr.span, kinds.spell(expr.type), lines, help))
    checker.fail(errors.NotANumber(expr.span, kinds.spell(expr.type), numbers_in(expr.type, text)))


def materialize(checker: Checker, value: Value, want: Type | None = None) -> tree.Expr:
    """The expression of a value; refuses maps, functions, types and the like, which are no values at run time."""
    if isinstance(value, tree.Expr):
        return value
    if isinstance(value, ContextRef):
        return tree.Context(PtrType(None, Space.CTX), value.span)
    if isinstance(value, TupleValue):
        from pybpf.compiler.frontend.expressions import field_kind

        if (array := kinds.wanted_array(want)) is not None and not value.lets:
            from pybpf.compiler.frontend.construct import array_of

            return array_of(checker, array, list(value.items), value.span)
        whole = checker.text(value.span)
        texts = [checker.text(item.span) for item in value.items]
        texts = [f"{whole}[{i}]" if text == whole or not text else text for i, text in enumerate(texts)]
        shown = [(field_kind(item), text) for item, text in zip(value.items, texts)]
        checker.fail(errors.NoTuple(value.span, tuple(shown)))
    known, span = value.value, value.span
    if known is None:
        return tree.NoneValue(NONE, span)
    if isinstance(known, bool):
        return tree.Const(BOOL, span, int(known))
    if isinstance(known, int):
        return constant(checker, known, enum_of(known) or (I64 if known <= I64.max else U64), span)
    if isinstance(known, (str, bytes)):
        raw = known.encode() if isinstance(known, str) else known
        wanted = want.pointee if isinstance(want, PtrType) else want
        if isinstance(wanted, (TextType, BytesType)):
            return _text(checker, known, raw, wanted, span)
        kind = TextType(len(raw) + 1) if isinstance(known, str) else BytesType(max(len(raw), 1))
        return tree.TextConst(PtrType(kind, Space.STACK), span, raw.ljust(kind.size, b"\0"))
    if isinstance(known, (float, complex)):
        checker.fail(errors.NoFloat(span, known, checker.text(span)))
    if isinstance(known, (tuple, list)) and (array := kinds.wanted_array(want)) is not None:
        from pybpf.compiler.frontend.construct import array_of

        return array_of(checker, array, [Known(item, span) for item in known], span)
    if isinstance(known, tuple) and known and all([isinstance(item, int) for item in known]):
        from pybpf.compiler.frontend import tuples

        materialize(checker, TupleValue(tuple(tuples.items_of(checker, value) or ()), span), want)  # says what is wrong
    if isinstance(known, (tuple, list, dict, set, frozenset)):
        checker.fail(errors.NoContainer(span, type(known).__name__, len(known)))
    schema = checker.schema(value)
    if isinstance(schema, StructType) and schema.opaque and not isinstance(known, type):
        wanted = want.pointee if isinstance(want, PtrType) else want
        if isinstance(wanted, StructType) and wanted.opaque == schema.opaque:  # `Kptr()` for a Kptr[task_struct]
            schema = wanted
        return tree.Zero(PtrType(schema, Space.STACK), span)
    from pybpf.compiler.frontend.advise import not_a_value

    advice = not_a_value(known, checker.schema(value), checker.text(span))
    checker.fail(errors.NotAValue(span, describe(known), *advice))


def _text(checker: Checker, known: str | bytes, raw: bytes, kind: TextType | BytesType, span: Span) -> tree.Expr:
    """A literal as a text or bytes object of a given size."""
    if isinstance(known, str) != isinstance(kind, TextType):
        checker.fail(errors.WrongType(span, "a text" if isinstance(known, str) else "bytes", str(kind), "this place"))
    if len(raw) > kind.size or (isinstance(kind, BytesType) and len(raw) != kind.size):
        checker.fail(errors.TextTooLong(span, len(raw), str(kind), kind.size))
    if isinstance(kind, TextType) and b"\0" in raw.rstrip(b"\0"):
        checker.fail(errors.TextWithNul(span))
    return tree.TextConst(PtrType(kind, Space.STACK), span, raw.ljust(kind.size, b"\0"))


def maybe_none(checker: Checker, expr: tree.Expr) -> NoReturn:
    """Refuse an Optional that is used without a check."""
    from pybpf.compiler.frontend.advise import origin
    from pybpf.compiler.frontend.wording import early_return, statement

    name, source = "", None
    if isinstance(expr, tree.Local) and checker.state is not None and not expr.var.name.startswith("%"):
        name = expr.var.name
        fact = checker.state.get(name)
        if fact is not None:
            source = fact.source
            checker.state[name] = replace(fact, presence=flow.PRESENT)  # said once is enough
    text, where = checker.text(expr.span), source or expr.span
    line = statement(expr.span)
    made = checker.text(where)
    why = origin(expr, made)
    checker.fail(errors.MaybeNone(expr.span, name, text, source, made, why, early_return(checker), line))


def widened(checker: Checker, value: tree.Expr, to: IntType) -> tree.Expr:
    """A number as another int type; nothing is added where it has that type already."""
    if isinstance(value.type, IntType) and value.type == to:
        return value
    if isinstance(value, tree.Const) and to.min <= value.value <= to.max:
        return tree.Const(to, value.span, value.value)
    made = tree.Convert(to, value.span, value)
    range_of(checker, made)
    return made


def convert(checker: Checker, value: Value, to: Type, what: str, where: Span | None = None) -> tree.Expr:
    """`value` as a value of type `to`, wrapped at its width. `what` is being given the value, declared at `where`."""
    to = kinds.host(to)
    if isinstance(to, OptionalType):
        return _to_optional(checker, value, to, what, where)
    if isinstance(value, Known) and isinstance(value.value, int) and not isinstance(value.value, bool):
        base = to if isinstance(to, (IntType, EnumType)) else None
        if base is not None:
            return constant(checker, value.value, base, value.span)
    if kinds.may_be_null(to) and isinstance(value, Known) and value.value is None:
        return tree.NoneValue(to, value.span)
    if isinstance(to, PtrType) and (to.pointee is not None or kinds.may_be_null(to)):
        return into(checker, value, to, what, where)
    expr = materialize(checker, value)
    if kinds.same(expr.type, to):
        return expr
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    base = kinds.int_base(to)
    if base is not None and kinds.is_int(expr.type):
        if isinstance(to, BoolType):
            meant = bool(expr.value) if isinstance(expr, tree.Const) else None
            spelled = kinds.spell(expr.type) if meant is None else "a number"
            checker.fail(errors.IntToBool(expr.span, what, spelled, checker.text(expr.span), meant))
        if isinstance(to, EnumType):
            made: tree.Expr = tree.Convert(to, expr.span, expr)
            range_of(checker, made)
            return made
        return widened(checker, expr, base)
    _mismatch(checker, expr, to, what, where)


def _mismatch(checker: Checker, expr: tree.Expr, to: Type, what: str, where: Span | None) -> NoReturn:
    from pybpf.compiler.frontend.advise import given, in_place_of

    if isinstance(expr, tree.NoneValue):
        checker.fail(errors.NoneGiven(expr.span, what, kinds.spell(to), where))
    if isinstance(expr.type, NoneType):
        checker.fail(errors.NothingReturned(expr.span, checker.text(expr.span)))
    advice = in_place_of(checker, expr, to, what)
    checker.fail(errors.WrongType(expr.span, given(expr), kinds.spell(to), what, where, *advice))


def _to_optional(checker: Checker, value: Value, to: OptionalType, what: str, where: Span | None) -> tree.Expr:
    if isinstance(value, Known) and value.value is None:
        return tree.NoneValue(to, value.span)
    if isinstance(value, tree.Expr) and isinstance(value.type, OptionalType):
        if kinds.same(value.type, to):
            return value
        var = checker.temporary(value.type, value)
        local = tree.Local(value.type, value.span, var)
        inner = tree.Unwrap(value.type.inner, value.span, local)
        checker.ranges[inner] = checker.ranges[local] = range_of(checker, value)
        present = tree.Wrap(to, value.span, convert(checker, inner, to.inner, what, where))
        choice = tree.IfExp(
            to, value.span, tree.IsNone(BOOL, value.span, local), tree.NoneValue(to, value.span), present
        )
        return tree.Let(to, value.span, var, value, choice)
    if isinstance(value, tree.Expr) and isinstance(value.type, NoneType):
        return tree.NoneValue(to, value.span)
    inner_value = convert(checker, value, to.inner, what, where)
    made = tree.Wrap(to, inner_value.span, inner_value)
    range_of(checker, made)
    return made


def into(checker: Checker, value: Value, to: PtrType, what: str, where: Span | None = None) -> tree.Expr:
    """An object as a reference of type `to`: the same aggregate, in a space that a variable may share with it."""
    expr = materialize(checker, value, to)
    if kinds.same(expr.type, to):
        return expr
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    joined = kinds.join(to, expr.type)
    if joined is not None and kinds.same(joined, to):
        return tree.Cast(to, expr.span, expr)
    if (
        isinstance(expr.type, PtrType)
        and expr.type.pointee is not None
        and kinds.same(expr.type.pointee, to.pointee or NONE)
    ):
        if to.space == Space.ARENA:
            checker.fail(errors.NotInArena(expr.span, what, str(to.pointee), expr.type.space))
        checker.fail(errors.OtherSpace(expr.span, what, str(to.pointee), expr.type.space, to.space, where))
    text, wanted = kinds.aggregate(expr.type), to.pointee
    if isinstance(text, TextType) and isinstance(wanted, TextType) and text.size > wanted.size:
        checker.fail(errors.TextCut(expr.span, str(text), str(wanted), what, text.size))
    _mismatch(checker, expr, to, what, where)


def stored(checker: Checker, value: Value, to: Type, what: str, where: Span | None = None) -> tree.Expr:
    """What a place of type `to` in memory is given: a number of its width, or an object to build or copy there."""
    if not is_aggregate(to):
        return convert(checker, value, to, what, where)
    expr = materialize(checker, value, to)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    given = kinds.aggregate(expr.type)
    if given is not None and (kinds.same(given, to) or _text_fits(expr, given, to)):
        if opaque_in(to) and isinstance(expr.type, PtrType) and expr.type.space != Space.STACK:
            checker.fail(errors.OpaqueCopied(expr.span, checker.text(expr.span), str(to), opaque_in(to)[0]))
        return expr
    if isinstance(given, TextType) and isinstance(to, TextType):
        checker.fail(errors.TextCut(expr.span, str(given), str(to), what, given.size))
    if isinstance(given, ArrayType) and isinstance(to, ArrayType) and given.length != to.length:
        checker.fail(errors.WrongType(expr.span, str(given), str(to), what, where))
    _mismatch(checker, expr, to, what, where)


def stored_field(checker: Checker, value: Value, field: Field, what: str) -> tree.Expr:
    """What a struct's field is given; a constant must fit a bit field's bits."""
    base = kinds.int_base(field.type)
    if field.bits and base is not None and isinstance(value, Known) and isinstance(value.value, int):
        lo, hi = (-(1 << field.bits - 1), (1 << field.bits - 1) - 1) if base.signed else (0, (1 << field.bits) - 1)
        if not lo <= value.value <= hi:
            spelled = f"Bits[{field.type}, {field.bits}]"
            checker.fail(errors.DoesNotFit(value.span, int(value.value), spelled, lo, hi))
    return stored(checker, value, field.type, what)


def _text_fits(expr: tree.Expr, given: Type, to: Type) -> bool:
    """A text may go into a larger one (the rest is NUL); a tracepoint's string is cut, as probe reads of strings
    are.
    """
    if isinstance(given, ArrayType) and isinstance(to, BytesType):  # u8[n], as the kernel has it
        return given.element == U8 and given.length == to.size
    if not (isinstance(given, TextType) and isinstance(to, TextType)):
        return False
    if isinstance(expr, tree.CtxLoad) and expr.field.role == "data_loc":
        return True
    return given.size <= to.size
