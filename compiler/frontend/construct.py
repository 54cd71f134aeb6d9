"""New values by calling their type: `u32(x)`, `Event(pid=1)`, `Array[u8, L[6]]()`, `[1, 2]`, `Text[L[16]]("x")`."""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import materialize, maybe_none, number, stored, stored_field, widened
from pybpf.compiler.frontend.known import ContextRef, Known, Refused, TupleValue
from pybpf.compiler.frontend.measure import origins, range_of
from pybpf.compiler.frontend.scope import closest
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import (
    U8,
    ArrayType,
    BytesType,
    Field,
    IntType,
    OptionalType,
    PtrType,
    Space,
    StructType,
    TextType,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type

__all__ = ["array_of", "conversion", "copied", "from_bytes", "new_array", "new_struct", "new_text", "numbers_of"]


def conversion(checker: Checker, schema: IntType, node: ast.Call, span: Span) -> Value:
    """`u32(x)`: wraps x to the width. A constant is wrapped at once."""
    name = str(schema)
    if node.keywords or len(node.args) > 1:
        checker.fail(errors.CallArguments(span, f"{name}()", "takes one number", f"{name}(number)"))
    if not node.args:
        return tree.Const(kinds.host(schema), span, 0)
    given = checker.expr(node.args[0])
    if schema.bits == 64 and isinstance(given, tree.Expr) and kinds.may_be_null(given.type):
        return tree.Cast(IntType(64, schema.signed), span, given)
    value = number(checker, given)
    kind = IntType(schema.bits, schema.signed)
    if isinstance(value, int):
        wrapped = value & (1 << kind.bits) - 1
        return tree.Const(kind, span, wrapped - (1 << kind.bits) if wrapped > kind.max else wrapped)
    made = widened(checker, value, kind)
    return made


def new_struct(checker: Checker, schema: StructType, node: ast.Call, span: Span) -> tree.Expr:
    """`Event(pid=1, ...)`: all fields by keyword, except those for which the class has a default."""
    names = [f.name for f in schema.fields]
    if node.args:
        checker.fail(
            errors.PositionalField(checker.span(node.args[0]), schema.name, _by_keyword(checker, schema, node))
        )
    values: list[tuple[Any, tree.Expr]] = []
    given: set[str] = set()
    for keyword in node.keywords:
        name = keyword.arg
        field = schema.field(name) if name is not None else None
        if field is None or name is None:
            near = closest(name or "", [n for n in names if n not in given])
            checker.fail(
                errors.UnknownField(_keyword_span(checker, keyword), name or "**", schema.name, tuple(names), near)
            )
        given.add(name)
        value = checker.expr(keyword.value, field.type)
        values.append((field, stored_field(checker, value, field, f"`{schema.name}.{name}`")))
    if schema.union:  # members share their memory; what is not given is zero
        if len(values) > 1:
            takes = "takes one member: they share their memory"
            checker.fail(errors.CallArguments(span, f"{schema.name}()", takes, f"{schema.name}({names[0]}=...)"))
        return _finished(checker, tree.New(PtrType(schema, Space.STACK), span, tuple(values)))
    defaults: dict[str, Any] = getattr(schema.owner, "__bpf_defaults__", {})
    zeroed: frozenset[str] = getattr(schema.owner, "__bpf_zeroed__", frozenset())  # padding that C asks for, and such
    missing = [f for f in schema.fields if f.name not in given and f.name not in zeroed]
    absent = tuple([f.name for f in missing if f.name not in defaults])
    if absent:
        declared = schema.field(absent[0])
        assert declared is not None
        checker.fail(errors.MissingFields(span, schema.name, absent, _with_default(declared)))
    for field in missing:
        try:
            value = _default(checker, defaults[field.name], field.type, span)
            values.append((field, stored_field(checker, value, field, f"`{schema.name}.{field.name}`")))
        except Refused:
            _blame_default(checker, schema, field, span)
            raise
    return _finished(checker, tree.New(PtrType(schema, Space.STACK), span, tuple(values)))


def _default(checker: Checker, value: Any, kind: Type, span: Span) -> Value:
    """A field's default. Structs are made as they are now, of the class's own fields."""
    if isinstance(kind, StructType) and type(value) is kind.owner and not kind.opaque and not kind.union:
        parts = [(f, _default(checker, getattr(value, f.name), f.type, span)) for f in kind.fields]
        made = [(f, stored_field(checker, part, f, f"`{kind.name}.{f.name}`")) for f, part in parts]
        return _finished(checker, tree.New(PtrType(kind, Space.STACK), span, tuple(made)))
    if isinstance(kind, ArrayType) and isinstance(kind.element, StructType) and not kind.element.opaque:
        items = [_default(checker, item, kind.element, span) for item in value]
        return array_of(checker, kind, items, span)
    if isinstance(kind, ArrayType) and isinstance(kind.element, IntType) and value == [0] * kind.length:
        return tree.Zero(PtrType(kind, Space.STACK), span)
    return Known(value, span)


def _blame_default(checker: Checker, schema: StructType, field: Field, span: Span) -> None:
    """What was just said of the constructor's call is the fault of a default: say it where the field is declared."""
    from pybpf.compiler.frontend.sites import site_span

    home = getattr(schema.owner, "__bpf_site__", None)
    found = site_span(checker.session.sources, (*home, field.name)) if home is not None else None
    said = checker.diagnostics[-1]
    if found is not None and said.span == span:
        checker.diagnostics[-1] = replace(said, span=found)


def _by_keyword(checker: Checker, schema: StructType, node: ast.Call) -> str:
    """The call as it should be written: values given by position named after the fields in their order."""
    texts = [checker.text(checker.span(a)) for a in node.args]
    given = [f"{f.name}={text}" for f, text in zip(schema.fields, texts)]
    given += [f"{k.arg}={checker.text(checker.span(k.value))}" for k in node.keywords]
    return f"{schema.name}({', '.join(given)})"


def _with_default(field: Field) -> str:
    """A field's declaration with a default value; "" for objects that have no short one."""
    if kinds.is_int(field.type):
        return f"{field.name}: {field.type} = 0"
    if isinstance(field.type, BytesType):
        return f"{field.name}: {kinds.written(field.type)} = bytes({field.type.size})"
    empty = '""' if isinstance(field.type, TextType) else "Array()" if isinstance(field.type, ArrayType) else ""
    return f"{field.name}: {kinds.written(field.type)} = {empty}" if empty else ""


def _finished(checker: Checker, made: tree.New) -> tree.Expr:
    for _, value in made.values:
        # A default that is an object has the span of the call itself.
        if not isinstance(value, tree.Zero) and value.span != made.span and made.span in origins(checker, value):
            checker.fail(errors.Stale(value.span, checker.text(value.span), "the object is made anew here", made.span))
    checker.made(made)
    return made


def _keyword_span(checker: Checker, keyword: Any) -> Span:
    """The region of `name` in `name=value`."""
    from pybpf.compiler.schema.span import Span

    span = checker.span(keyword)
    return Span(span.source, span.line, span.col, span.line, span.col + len(keyword.arg or "**"))


def new_array(checker: Checker, schema: ArrayType, node: ast.Call, span: Span) -> tree.Expr:
    """`Array[u8, L[6]]()`: all zero; `Array[u8, L[2]]([1, 2])`; a copy of another array, or of as many bytes."""
    if node.keywords or len(node.args) > 1:
        text = kinds.written(schema)
        checker.fail(errors.CallArguments(span, f"{text}()", "takes one list of elements, or nothing", f"{text}()"))
    place = PtrType(schema, Space.STACK)
    if node.args:
        given = materialize(checker, numbers_of(checker.expr(node.args[0], schema)), schema)
        if isinstance(given.type, OptionalType):
            maybe_none(checker, given)
        kind = kinds.aggregate(given.type)
        of_bytes = isinstance(kind, BytesType) and kinds.same(schema.element, U8) and kind.size == schema.length
        if kind is None or not (of_bytes or kind == schema):
            from pybpf.compiler.frontend.advise import in_place_of

            advice = in_place_of(checker, given, place, f"{schema}()")
            checker.fail(
                errors.WrongType(given.span, kinds.spell(given.type), str(schema), f"{schema}()", None, *advice)
            )
        if isinstance(given, tree.New):  # of a list that stands here: nothing else refers to it
            return given
        copy = tree.Copy(PtrType(kind, Space.STACK), span, given)
        checker.made(copy)
        return tree.Cast(place, span, copy) if of_bytes else copy
    made = tree.Zero(place, span)
    checker.made(made)
    return made


def numbers_of(value: Value) -> Value:
    """Constant bytes as the numbers that they are where an array's elements are wanted."""
    if isinstance(value, Known) and isinstance(value.value, bytes):
        return Known(list(value.value), value.span)
    return value


def array_of(checker: Checker, schema: ArrayType, items: Sequence[Value], span: Span) -> tree.Expr:
    """A list or tuple written where an array belongs: exactly its elements."""
    if len(items) != schema.length:
        checker.fail(errors.ArrayItems(span, kinds.written(schema), schema.length, len(items)))
    size = size_of(schema.element)
    values = []
    for index, item in enumerate(items):
        field = Field(str(index), schema.element, index * size)
        values.append((field, stored(checker, item, schema.element, f"an element of {schema}")))
    return _finished(checker, tree.New(PtrType(schema, Space.STACK), span, tuple(values)))


def new_text(checker: Checker, schema: TextType | BytesType, node: ast.Call, span: Span) -> tree.Expr:
    """`Text[L[16]]("x")`, `Bytes[L[4]](b"abcd")`; without an argument, empty."""
    if node.keywords or len(node.args) > 1:
        text = kinds.written(schema)
        checker.fail(errors.CallArguments(span, f"{text}()", "takes one text", f'{text}("...")'))
    kind = PtrType(schema, Space.STACK)
    if not node.args:
        made: tree.Expr = tree.Zero(kind, span)
    else:
        value = checker.expr(node.args[0], schema)
        made = materialize(checker, value, schema)
        if not kinds.same(made.type, kind):
            made = stored(checker, made, schema, f"{schema}()")
    checker.made(made)
    return made


def copied(checker: Checker, node: ast.Call, deep: bool, span: Span) -> Value:
    """`copy.copy(x)`, `copy.deepcopy(x)`: an object of its own, on the stack. Numbers and texts are values already."""
    name = "copy.deepcopy()" if deep else "copy.copy()"
    if node.keywords or len(node.args) != 1:
        checker.fail(errors.CallArguments(span, name, "takes one object", "copy.deepcopy(x)"))
    value = checker.expr(node.args[0])
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    kind = kinds.aggregate(expr.type)
    if kinds.is_dynptr(expr.type):
        checker.fail(errors.DynptrCopied(span, checker.text(span)))
    if not isinstance(kind, (StructType, ArrayType)):
        return value
    parts = [f.type for f in kind.fields] if isinstance(kind, StructType) else [kind.element]
    if not deep and any(isinstance(part, (StructType, ArrayType)) for part in parts):
        takes = "would share the objects inside, which lie in the copy here"
        checker.fail(errors.CallArguments(span, name, takes, f"copy.deepcopy({checker.text(value.span)})"))
    made = tree.Copy(PtrType(kind, Space.STACK), span, expr)
    checker.made(made)
    return made


def raw_bytes(checker: Checker, value: Value, span: Span) -> tree.Expr | None:
    """The bytes of a struct, an array of bytes, or bytes, as an object of its own; None for any other value."""
    if isinstance(value, (ContextRef, TupleValue)):
        return None
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    if kinds.is_dynptr(expr.type):
        checker.fail(errors.DynptrCopied(span, checker.text(span)))
    kind = kinds.aggregate(expr.type)
    of_bytes = isinstance(kind, ArrayType) and kinds.same(kind.element, U8)
    if not isinstance(kind, (StructType, BytesType)) and not of_bytes:
        return None
    assert kind is not None
    made = tree.Copy(PtrType(kind, Space.STACK), span, expr)
    checker.made(made)
    return tree.Cast(PtrType(BytesType(size_of(kind)), Space.STACK), span, made)


def from_bytes(checker: Checker, node: ast.Call, span: Span) -> Value:
    """`int.from_bytes(data, "big")` of 1, 2, 4 or 8 bytes: they are read as a number of that width and order."""
    names = ("bytes", "byteorder")
    given = {**dict(zip(names, node.args)), **{str(k.arg): k.value for k in node.keywords}}
    example = 'int.from_bytes(data[:4], "big")'
    if len(node.args) > 2 or "bytes" not in given or not given.keys() <= {*names, "signed"}:
        checker.fail(errors.CallArguments(span, "int.from_bytes()", "takes bytes and their order", example))
    values = {name: checker.expr(part) for name, part in given.items()}
    data = values.pop("bytes")
    order = values.get("byteorder", Known("big", span))
    signed = values.get("signed", Known(False, span))
    if not isinstance(order, Known) or order.value not in ("big", "little") or not isinstance(signed, Known):
        checker.fail(errors.CallArguments(order.span, "int.from_bytes()", 'takes "big" or "little"', example))
    if isinstance(data, Known) and isinstance(data.value, bytes):
        return Known(int.from_bytes(data.value, order.value, signed=bool(signed.value)), span)
    expr = materialize(checker, data)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    kind = kinds.aggregate(expr.type)
    if not isinstance(kind, BytesType) or kind.size not in (1, 2, 4, 8):
        takes = f"takes 1, 2, 4 or 8 bytes, not {kinds.spell(expr.type)}"
        checker.fail(errors.CallArguments(data.span, "int.from_bytes()", takes, example))
    number_kind = IntType(8 * kind.size, bool(signed.value), order.value == "big" and kind.size > 1)
    made = tree.Field(kinds.host(number_kind), span, expr, Field("int", number_kind, 0))
    range_of(checker, made)
    return made
