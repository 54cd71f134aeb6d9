"""Functions that the compiler itself knows: Python's builtins that make sense in a program, `printk` and `sizeof`.

`BUILTINS` maps the builtin to a function (checker, call, span, wanted type) -> value; `COMPILER_FUNCTIONS` does so by
the name of a BuiltinSpec.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, textlib, tree
from pybpf.compiler.frontend.convert import type_of
from pybpf.compiler.frontend.known import ContextRef, Known, TupleValue, describe
from pybpf.compiler.frontend.printk import printk, seq_printf
from pybpf.compiler.frontend.scope import closest
from pybpf.compiler.later import later
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import (
    ArrayType,
    BytesType,
    IntType,
    OptionalType,
    StructType,
    TextType,
    Type,
    is_aggregate,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span

    Rule = Callable[[Checker, ast.Call, Span, Type | None], Value]
    from pybpf.compiler.frontend.construct import new_array
    from pybpf.compiler.frontend.numbers import (
        absolute,
        arguments,
        division,
        integer,
        largest,
        power,
        rounded,
        smallest,
        whole,
    )
else:
    import _ast as ast
    new_array = later("frontend.construct", "new_array")
    absolute = later("frontend.numbers", "absolute")
    arguments = later("frontend.numbers", "arguments")
    division = later("frontend.numbers", "division")
    integer = later("frontend.numbers", "integer")
    largest = later("frontend.numbers", "largest")
    power = later("frontend.numbers", "power")
    rounded = later("frontend.numbers", "rounded")
    smallest = later("frontend.numbers", "smallest")
    whole = later("frontend.numbers", "whole")

__all__ = ["BUILTINS", "COMPILER_FUNCTIONS"]


def _any(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    return _quantified(checker, node, span, "any")


def _all(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    return _quantified(checker, node, span, "all")


def _quantified(checker: Checker, node: ast.Call, span: Span, name: str) -> Value:
    from pybpf.compiler.frontend import folds

    if node.keywords or len(node.args) != 1:
        checker.fail(errors.CallArguments(span, f"{name}()", "takes one sequence", f"{name}(x == 0 for x in array)"))
    return folds.quantified(checker, node, span, name == "all")


def _sum(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    from pybpf.compiler.frontend import folds

    if node.keywords or not 1 <= len(node.args) <= 2:
        checker.fail(errors.CallArguments(span, "sum()", "takes one sequence, and perhaps a start", "sum(array)"))
    return folds.total(checker, node, span)


def _bytes(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`bytes(8)`, `bytes([1, 2])` of constants, `bytes(event)`: the bytes of a struct, padding and all. What else is
    known only at run time has no place to go.
    """
    given: list[Value] = []
    for part in node.args:
        if isinstance(part, (ast.List, ast.Tuple)):
            given.append(_constants(checker, [checker.expr(element) for element in part.elts], span))
        else:
            given.append(checker.expr(part))
    if len(given) == 1 and not node.keywords and not isinstance(given[0], Known):
        from pybpf.compiler.frontend.construct import raw_bytes

        raw = raw_bytes(checker, given[0], span)
        if raw is not None:
            return raw
    known = [v.value for v in given if isinstance(v, Known) and isinstance(v.value, (int, bytes, str, tuple, list))]
    if len(known) != len(given) or node.keywords or any(isinstance(v, int) and v > _MOST_BYTES for v in known):
        checker.fail(errors.NoBuiltin(span, "bytes", "use Bytes[L[n]], or Array[u8, L[n]]"))
    return whole(checker, lambda _: bytes(*known), Known(0, span), span)


def _constants(checker: Checker, items: list[Value], span: Span) -> Value:
    """A list that is written out, if it is one of constants."""
    found = [item.value for item in items if isinstance(item, Known)]
    return Known(found if len(found) == len(items) else None, span)


_MOST_BYTES = 4096


def _bytes_of(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    from pybpf.compiler.frontend.texts import bytes_of

    return bytes_of(checker, node, span, want)


def _from_bytes(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    from pybpf.compiler.frontend.construct import from_bytes

    return from_bytes(checker, node, span)


def _len(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    value = arguments(checker, node, span, "len", 1)[0]
    if isinstance(value, TupleValue) and not value.lets:
        return Known(len(value.items), span)
    if isinstance(value, Known):
        if isinstance(checker.schema(value), MapSpec):
            checker.fail(errors.NoLen(span, describe(value.value), "map", checker.text(value.span)))
        try:
            return Known(len(value.value), span)
        except TypeError:
            checker.fail(errors.NoLen(span, describe(value.value), "", ""))
    if isinstance(value, ContextRef):
        checker.fail(errors.NoLen(span, "the context", "context", checker.text(value.span)))
    kind = kinds.aggregate(type_of(value))
    if isinstance(kind, ArrayType):
        return Known(kind.length, span)
    if isinstance(kind, (TextType, BytesType)) and isinstance(value, tree.Expr):
        from pybpf.compiler.frontend.texts import length

        return length(checker, value, span)
    sort = "struct" if isinstance(kind, StructType) else ""
    checker.fail(errors.NoLen(span, kinds.spell(type_of(value)), sort, checker.text(value.span)))


def _bool(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    from pybpf.compiler.frontend.conditions import truth

    value = arguments(checker, node, span, "bool", 1)[0]
    expr, _, _ = truth(checker, value, span)
    return Known(bool(expr.value), span) if isinstance(expr, tree.Const) else expr


def _ord(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    value = arguments(checker, node, span, "ord", 1)[0]
    if isinstance(value, Known) and isinstance(value.value, (str, bytes)) and len(value.value) == 1:
        return Known(ord(value.value), span)
    if isinstance(value, tree.Expr):
        from pybpf.compiler.frontend.texts import code_of

        code = code_of(checker, value, span)
        if code is not None:
            return code
    checker.fail(errors.CallArguments(span, "ord()", "takes one character", 'ord("a")'))


def _range(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`range(...)` of constants, for `in` and `for`; any other is refused outside a `for`."""
    values = [checker.expr(argument) for argument in node.args]
    if (
        not node.keywords
        and 1 <= len(values) <= 3
        and all(isinstance(v, Known) and isinstance(v.value, int) for v in values)
    ):
        plain = [v.value for v in values if isinstance(v, Known)]
        if len(plain) < 3 or plain[2] != 0:
            return Known(range(*plain), span)
    checker.fail(errors.RangeElsewhere(span, tuple([checker.text(v.span) for v in values])))


def _sizeof(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`sizeof(Event)`, `sizeof(event)`: bytes in memory."""
    value = arguments(checker, node, span, "sizeof", 1)[0]
    relocated = _kernel_size(checker, value, span)
    if relocated is not None:
        return relocated
    if isinstance(value, Known):
        schema = checker.schema(value)
        if value.value is bool:
            return Known(1, span)
        if isinstance(schema, Type):
            return Known(size_of(schema), span)
        checker.fail(errors.NoSize(span, describe(value.value)))
    kind = type_of(value)
    pointee = kinds.aggregate(kind)
    if pointee is not None and is_aggregate(pointee):
        return Known(size_of(pointee), span)
    if isinstance(kind, IntType) or kinds.is_int(kind):
        return Known(size_of(kind), span)
    what = f"`{checker.text(value.span)}`, which may be None," if isinstance(kind, OptionalType) else kinds.spell(kind)
    checker.fail(errors.NoSize(span, what))


def _offsetof(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`offsetof(Event, "pid")`, `offsetof(Outer, "inner.x")`: a constant; of a kernel struct what the loader says."""
    if len(node.args) == 2 and type(checker.schema(checker.expr(node.args[0]))).__name__ == "KernelType":
        return _ask(checker, node, span, want)
    struct, name = arguments(checker, node, span, "offsetof", 2)
    kind: Any = checker.schema(struct)
    if not isinstance(kind, StructType) or not isinstance(name, Known) or not isinstance(name.value, str):
        takes = "takes a Struct class and the name of a field"
        checker.fail(errors.CallArguments(span, "offsetof()", takes, 'offsetof(Event, "pid")'))
    at = 0
    for part in name.value.split("."):
        found = kind.field(part) if isinstance(kind, StructType) else None
        if found is None:
            names = [f.name for f in kind.fields] if isinstance(kind, StructType) else []
            checker.fail(errors.NoField(name.span, part, kinds.spell(kind), tuple(names), closest(part, names)))
        if found.bits:
            checker.fail(errors.NoSize(name.span, f"the bit field `{part}`, which starts inside a byte,"))
        at, kind = at + found.offset, found.type
    return Known(at, span)


def _kernel_size(checker: Checker, value: Value, span: Span) -> tree.Expr | None:
    kind = checker.schema(value) if isinstance(value, Known) else kinds.aggregate(type_of(value))
    if type(kind).__name__ != "KernelType":
        return None
    from pybpf.compiler.frontend.facts import size_of_type

    return size_of_type(checker, value, span)


def _ask(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """Questions about the kernel's types, of programs that have some."""
    from pybpf.compiler.frontend.facts import ask

    return ask(checker, node, span, want)


def _container(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    from pybpf.compiler.frontend.facts import container

    return container(checker, node, span, want)


def _array(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`Array()` and `Array([1, 2])`, where the place says which array it is."""
    kind = kinds.wanted_array(want)
    if kind is None:
        checker.fail(errors.CallArguments(span, "Array()", "needs its type here", "Array[u32, L[4]]()"))
    return new_array(checker, kind, node, span)


def _asm(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`asm("...")`: takes lark, so it is imported by programs that use it only."""
    from pybpf.compiler.frontend.asm import asm

    return asm(checker, node, span, want)


def _releasing(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`releasing(...)` means something at the head of a `with` only (references.py)."""
    example = f"with {checker.text(span)} as it:"
    checker.fail(errors.CallArguments(span, "releasing()", "stands at the head of a `with` block", example))


BUILTINS: dict[Any, Rule] = {
    min: smallest, max: largest, abs: absolute, len: _len, int: integer, bool: _bool, ord: _ord, range: _range,
    sum: _sum, any: _any, all: _all, pow: power, divmod: division, round: rounded,
    bytes: _bytes, int.from_bytes: _from_bytes, textlib.bytes_of: _bytes_of,
}  # fmt: skip


def _atomic(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    from pybpf.compiler.frontend.atomics import atomic

    return atomic(checker, node, span, want)


def _dynptr(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    from pybpf.compiler.frontend import dynptrs

    return dynptrs.method(checker, node, span, node.func.attr)  # type: ignore[attr-defined]


COMPILER_FUNCTIONS: dict[str, Rule] = {
    "Array": _array,
    "asm": _asm,
    **dict.fromkeys(
        ("compare_exchange", "exchange", "fetch_add", "fetch_and", "fetch_or", "fetch_xor"), _atomic
    ),
    "container_of": _container,
    **dict.fromkeys(("dynptr.data", "dynptr.discard", "dynptr.slice", "dynptr.slice_rdwr"), _dynptr),
    "enum_exists": _ask,
    "enum_value": _ask,
    "exists": _ask,
    "field_signed": _ask,
    "field_size": _ask,
    "offsetof": _offsetof,
    "per_cpu": later("frontend.percpu", "per_cpu"),
    "printk": printk, "seq_printf": seq_printf, "releasing": _releasing,
    "sizeof": _sizeof,
    "type_exists": _ask,
    "type_id_local": _ask,
    "type_id_target": _ask,
    "type_matches": _ask,
}
