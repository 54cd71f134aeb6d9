"""Texts and bytes: slices, single characters, length, order, searching. What takes a loop is in textlib.py.

Positions count bytes, so they are Python's for ASCII. A slice is a reference into its text: nothing is copied, except
from memory where bytes may follow a text's NUL, or which can't be read directly.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, textlib, tree
from pybpf.compiler.frontend.convert import constant, materialize, maybe_none, number, type_of
from pybpf.compiler.frontend.known import Known, describe
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.frontend.operators import to_type
from pybpf.compiler.schema.types import (
    BOOL,
    U8,
    U64,
    BytesType,
    OptionalType,
    PtrType,
    Space,
    TextType,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast

__all__ = ["bytes_of", "character", "code_of", "compared", "contains", "length", "method", "order", "slice_of"]

_TIDY = (Space.STACK, Space.MAP, Space.PERCPU, Space.GLOBAL, Space.CONST)  # what follows a NUL there is zero
_DIRECT = (*_TIDY, Space.RINGBUF, Space.PACKET)


def _text(checker: Checker, expr: tree.Expr) -> TextType | BytesType:
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    kind = kinds.aggregate(expr.type)
    assert isinstance(kind, (TextType, BytesType))
    return kind


def _near(checker: Checker, expr: tree.Expr, tidy: bool = False, first: int = 0) -> tree.Expr:
    """A reference to bytes that can be read one by one (`tidy`: with zeroes after the NUL): a copy where need be.

    `first`: only so many of them matter.
    """
    assert isinstance(expr.type, PtrType)
    if expr.type.space in (_TIDY if tidy else _DIRECT):
        return expr
    kind = _text(checker, expr)
    if first and isinstance(kind, TextType) and first + 1 < kind.size:  # a probe read wants room for a NUL
        kind = TextType(first + 1)
    made = tree.Copy(PtrType(kind, Space.STACK), expr.span, expr)
    checker.made(made)
    return made


def _raw(expr: tree.Expr, size: int) -> tree.Expr:
    assert isinstance(expr.type, PtrType)
    return tree.Cast(PtrType(BytesType(size), expr.type.space), expr.span, expr)


def bytes_of(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """What textlib.bytes_of() means."""
    value = checker.expr(node.args[0])
    assert isinstance(value, tree.Expr)
    return _raw(_near(checker, value), _text(checker, value).size)


def _call(checker: Checker, function: Any, args: list[Any], span: Span) -> Value:
    from pybpf.compiler.frontend.inline import inline

    values: list[Value] = [a if isinstance(a, tree.Expr) else Known(a, span) for a in args]
    return inline(checker, function, values, {}, span)


# --- parts


def slice_of(checker: Checker, base: tree.Expr, node: ast.Subscript, span: Span) -> tree.Expr:
    """`text[a:b]` with constant bounds, and `data[i : i + 4]`."""
    kind = _text(checker, base)
    size = kind.size
    bounds: Any = node.slice
    counted = _counted(checker, bounds)
    if counted is not None:
        count, first = counted
        at = number(checker, first)
        if isinstance(at, int):
            return _part(checker, base, kind, at, at + count, span)
        lo, hi = range_of(checker, at)
        if not 0 < count <= size or lo < 0 or hi > size - count:
            from pybpf.compiler.frontend.wording import statement

            what = checker.text(checker.span(node.value))
            text, line = checker.text(first.span), statement(first.span)
            room, local = max(size - count + 1, 0), not isinstance(first, tree.Global)
            checker.fail(errors.IndexUnproven(first.span, text, what, room, lo, hi, line, local))
        near = _near(checker, base, isinstance(kind, TextType))
        return _sliced(near, kind, count, to_type(checker, at, U64, first.span), span)
    ends = []
    for part in (bounds.lower, bounds.upper, bounds.step):
        value = None if part is None else checker.expr(part)
        if value is not None and not (
            isinstance(value, Known) and (value.value is None or isinstance(value.value, int))
        ):
            from pybpf.compiler.frontend.wording import slice_of as quoted

            checker.fail(errors.NoSlice(span, *quoted(checker, node)))
        ends.append(None if value is None else value.value)
    start, stop, step = ends
    if isinstance(kind, TextType) and any(end is not None and end < 0 for end in (start, stop)):
        checker.fail(errors.TextIndex(span, checker.text(checker.span(node.value)), size))
    if step not in (None, 1):
        checker.fail(errors.NoSlice(span, checker.text(checker.span(node.value)), 0, -1))
    first_at, last, _ = slice(start, stop).indices(size)
    return _part(checker, base, kind, first_at, last, span)


def _counted(checker: Checker, bounds: Any) -> tuple[int, Value] | None:
    """The length and the start of `i : i + n`, where `i` is made of variables and constants."""
    lower, upper = bounds.lower, bounds.upper
    if bounds.step is not None or not isinstance(upper, ast.BinOp) or not isinstance(upper.op, ast.Add):
        return None
    if lower is None or not _alike(lower, upper.left):
        return None
    count = checker.expr(upper.right)
    if not isinstance(count, Known) or not isinstance(count.value, int):
        return None
    return int(count.value), checker.expr(lower)


def _alike(a: Any, b: Any) -> bool:
    """Whether two expressions are the same names, constants and arithmetic of them."""
    if type(a) is not type(b):
        return False
    if isinstance(a, ast.Name):
        return bool(a.id == b.id)
    if isinstance(a, ast.Constant):
        return bool(a.value == b.value)
    if isinstance(a, ast.BinOp):
        return type(a.op) is type(b.op) and _alike(a.left, b.left) and _alike(a.right, b.right)
    return isinstance(a, ast.Attribute) and a.attr == b.attr and _alike(a.value, b.value)


def _part(
    checker: Checker, base: tree.Expr, kind: TextType | BytesType, start: int, stop: int, span: Span
) -> tree.Expr:
    """Bytes `start` to `stop`, as far as there are such."""
    start, stop = min(start, kind.size), min(stop, kind.size)
    if stop <= start:
        if isinstance(kind, BytesType):
            checker.fail(errors.NoSlice(span, checker.text(base.span)))
        return materialize(checker, Known("", span))
    near = _near(checker, base, isinstance(kind, TextType) and start > 0, stop)
    return _sliced(near, kind, stop - start, constant(checker, start, U64, span), span)


def _sliced(base: tree.Expr, kind: TextType | BytesType, count: int, start: tree.Expr, span: Span) -> tree.Expr:
    assert isinstance(base.type, PtrType)
    part = TextType(count) if isinstance(kind, TextType) else BytesType(count)
    return tree.Slice(PtrType(part, base.type.space), span, base, start)


def character(checker: Checker, base: tree.Expr, value: Value, what: str, span: Span) -> tree.Expr:
    """`name[i]`: a text of one byte, empty after the end."""
    from pybpf.compiler.frontend.access import index

    kind = _text(checker, base)
    if isinstance(value, Known) and isinstance(value.value, int) and value.value < 0:
        checker.fail(errors.TextIndex(span, what, kind.size))
    at = index(checker, value, kind.size, what)
    first = at.value + 1 if isinstance(at, tree.Const) else 0
    return _sliced(_near(checker, base, True, first), kind, 1, at, span)


def code_of(checker: Checker, value: tree.Expr, span: Span) -> tree.Expr | None:
    """`ord(name[i])`: the byte; None where the value is no text of one byte."""
    kind = kinds.aggregate(value.type)
    if not isinstance(kind, (TextType, BytesType)) or kind.size != 1:
        return None
    return tree.Index(U8, span, value, constant(checker, 0, U64, span))


# --- length and order


_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compared(checker: Checker, op: str, lhs: Value, rhs: Value, span: Span) -> tree.Expr:
    """A text or bytes object and another, or a literal: == != < <= > >=."""
    if isinstance(lhs, Known):
        lhs, rhs, op = rhs, lhs, _FLIPPED[op]
    left = materialize(checker, lhs)
    if isinstance(left.type, OptionalType):
        maybe_none(checker, left)
    kind = kinds.aggregate(left.type)
    if not isinstance(kind, (TextType, BytesType)):
        from pybpf.compiler.frontend.advise import compared_with_text

        advice = compared_with_text(checker, left, rhs.value if isinstance(rhs, Known) else None)
        spelled = kinds.spell(left.type)
        checker.fail(errors.WrongType(left.span, spelled, "text or bytes", "this comparison", None, *advice))
    if isinstance(rhs, Known):
        expected = str if isinstance(kind, TextType) else bytes
        if not isinstance(rhs.value, expected):
            checker.fail(errors.WrongType(rhs.span, describe(rhs.value), str(kind), "this comparison"))
        raw = rhs.value.encode() if isinstance(rhs.value, str) else rhs.value
        if op in ("==", "!=") and (len(raw) > kind.size or (isinstance(kind, BytesType) and len(raw) != kind.size)):
            checker.fail(errors.TextTooLong(rhs.span, len(raw), str(kind), kind.size))
    right = materialize(checker, rhs, None)
    other = kinds.aggregate(right.type)
    if type(other) is not type(kind):
        checker.fail(errors.WrongType(right.span, kinds.spell(right.type), str(kind), "this comparison"))
    if op not in ("==", "!="):
        return order(checker, op, left, right, span)
    return tree.TextCompare(BOOL, span, left, right, op == "==")


def length(checker: Checker, value: tree.Expr, span: Span) -> Value:
    """`len(text)`: bytes before its NUL."""
    kind = _text(checker, value)
    if isinstance(kind, BytesType):
        return Known(kind.size, span)
    return _call(checker, textlib.length, [value, kind.size], span)


def order(checker: Checker, op: str, lhs: tree.Expr, rhs: tree.Expr, span: Span) -> tree.Expr:
    """`a < b` of two texts, or of two bytes objects."""
    a, b = _text(checker, lhs), _text(checker, rhs)
    found = _call(checker, textlib.order, [lhs, a.size, rhs, b.size, isinstance(a, TextType)], span)
    from pybpf.compiler.frontend.conditions import ordered

    return ordered(checker, op, found, Known(0, span), span)[0]


# --- searching


def _wanted(checker: Checker, kind: TextType | BytesType, value: Value, what: str) -> bytes:
    """What is looked for: a literal."""
    expected = str if isinstance(kind, TextType) else bytes
    if not isinstance(value, Known):
        found = type_of(value)
        if not isinstance(kinds.aggregate(found), (TextType, BytesType)):
            checker.fail(errors.WrongType(value.span, kinds.spell(found), f"a {expected.__name__}", f"`{what}`"))
        checker.fail(errors.SearchNotConstant(value.span, checker.text(value.span), what))
    if not isinstance(value.value, expected):
        checker.fail(errors.WrongType(value.span, describe(value.value), f"a {expected.__name__}", f"`{what}`"))
    raw: bytes = value.value.encode() if isinstance(value.value, str) else value.value
    if isinstance(kind, TextType) and b"\0" in raw:
        checker.fail(errors.TextWithNul(value.span))
    return raw


def _find(checker: Checker, value: tree.Expr, raw: bytes, span: Span) -> Value:
    kind = _text(checker, value)
    if not raw:
        return Known(0, span)
    if len(raw) > kind.size:
        return Known(-1, span)
    return _call(checker, textlib.find, [value, kind.size, raw, len(raw), isinstance(kind, TextType)], span)


def contains(checker: Checker, item: Value, value: tree.Expr, span: Span) -> Value:
    """`"x" in text`, `b"x" in data`, `0x90 in data`: a BOOL, or a constant."""
    kind = _text(checker, value)
    known = item.value if isinstance(item, Known) else None
    if isinstance(kind, BytesType) and (
        isinstance(known, int) or (isinstance(item, tree.Expr) and kinds.is_int(item.type))
    ):
        wanted = number(checker, item)
        return _call(checker, textlib.has, [value, kind.size, wanted], span)
    from pybpf.compiler.frontend.conditions import ordered

    raw = _wanted(checker, kind, item, "in")
    if not raw:
        return Known(True, span)
    found = ordered(checker, ">=", _find(checker, value, raw, span), Known(0, span), span)[0]
    return Known(bool(found.value), span) if isinstance(found, tree.Const) else found


def _starts(checker: Checker, value: tree.Expr, raw: bytes, span: Span) -> tree.Expr:
    kind = _text(checker, value)
    if not raw or len(raw) > kind.size:
        return tree.Const(BOOL, span, int(not raw))
    front = _sliced(_near(checker, value, False, len(raw)), kind, len(raw), constant(checker, 0, U64, span), span)
    return tree.TextCompare(BOOL, span, _raw(front, len(raw)), tree.TextConst(_stack(len(raw)), span, raw))


def _ends(checker: Checker, value: tree.Expr, raw: bytes, span: Span) -> tree.Expr:
    kind = _text(checker, value)
    if not raw or len(raw) > kind.size:
        return tree.Const(BOOL, span, int(not raw))
    if isinstance(kind, BytesType):
        tail = _sliced(_near(checker, value), kind, len(raw), constant(checker, kind.size - len(raw), U64, span), span)
        return tree.TextCompare(BOOL, span, tail, tree.TextConst(_stack(len(raw)), span, raw))
    found = _call(checker, textlib.ends_with, [value, kind.size, raw, len(raw)], span)
    return materialize(checker, found)


def _stack(size: int) -> PtrType:
    return PtrType(BytesType(size), Space.STACK)


def method(checker: Checker, value: tree.Expr, name: str, node: ast.Call, span: Span) -> Value:
    """`text.startswith("x")`, `.endswith(...)`, `.find("x")`; any other is refused."""
    kind = _text(checker, value)
    if name not in ("startswith", "endswith", "find"):
        checker.fail(errors.NoTextMethod(checker.span(node.func), name))
    if len(node.args) != 1 or node.keywords:
        checker.fail(errors.CallArguments(span, f"{name}()", "takes one constant text", f'{name}("...")'))
    given = checker.expr(node.args[0])
    if name == "find":
        if isinstance(kind, BytesType) and isinstance(given, Known) and isinstance(given.value, int):
            given = Known(bytes([given.value & 0xFF]), given.span)
        return _find(checker, value, _wanted(checker, kind, given, name), span)
    several = given.value if isinstance(given, Known) and isinstance(given.value, tuple) else None
    options = [given] if several is None else [Known(item, given.span) for item in several]
    rule = _starts if name == "startswith" else _ends
    texts = [_wanted(checker, kind, option, name) for option in options]
    held = value
    let = None
    if len(texts) > 1 and not isinstance(value, tree.Local):
        let = checker.temporary(value.type, value)
        held = checker.local(let, value.span)
    whole: tree.Expr = tree.Const(BOOL, span, 0)
    for text in texts:
        test = rule(checker, held, text, span)
        whole = test if isinstance(whole, tree.Const) and not whole.value else tree.Or(BOOL, span, whole, test)
    if isinstance(whole, tree.Const):
        return Known(bool(whole.value), span)
    return whole if let is None else tree.Let(BOOL, span, let, value, whole)
