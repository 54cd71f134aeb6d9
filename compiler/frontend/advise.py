"""What diagnostics call a value of the wrong type, and what they propose. Imported only where there is an error."""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.specs import ContextSpec, GlobalSpec, MapSpec
from pybpf.compiler.schema.types import (
    I64,
    U8,
    U64,
    ArrayType,
    BytesType,
    EnumType,
    OptionalType,
    PtrType,
    Space,
    StructType,
    TextType,
    Type,
    is_arena_pointer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span

__all__ = [
    "as_variable", "at_run_time", "called", "compared_with_text", "fields_compared", "given", "in_place_of",
    "kernel_struct_as_number", "not_a_value", "numbers_in", "origin", "other_space", "side_of_choice", "written",
]  # fmt: skip


_PLAIN = str.maketrans("", "", "._[]")  # what stands in the text of a place besides letters and digits


def called(kind: Type) -> str:
    """How a diagnostic calls the type of a value; of a literal there is only its sign to tell."""
    if isinstance(kind, kinds.AnyInt):
        return "a negative number" if kind.lo < 0 else "a number"
    if isinstance(kind, OptionalType):
        return f"{called(kind.inner)} | None"
    return kinds.spell(kind)


def side_of_choice(value: Value, kind: Type, other: Type) -> str:
    """How a diagnostic calls one of two values that have no type in common."""
    if isinstance(value, Known) and isinstance(value.value, str) and not isinstance(kinds.aggregate(other), TextType):
        return "a text"
    return called(kind)


def given(expr: tree.Expr) -> str:
    """How a diagnostic calls a value that is of the wrong type."""
    if isinstance(expr, tree.TextConst):
        return "a text" if isinstance(kinds.aggregate(expr.type), TextType) else "bytes"
    if isinstance(expr, tree.Const) and not isinstance(expr.type, EnumType):
        return "a number"
    return kinds.spell(expr.type)


def written(kind: Type) -> str:
    """A type as it is written in a declaration."""
    if isinstance(kind, PtrType) and kind.pointee is not None:
        return written(kind.pointee)
    if isinstance(kind, ArrayType):
        return f"Array[{written(kind.element)}, L[{kind.length}]]"
    if isinstance(kind, (TextType, BytesType)):
        return f"{type(kind).__name__[:-4]}[L[{kind.size}]]"
    return kinds.spell(kind)


def other_space(checker: Checker, what: str, first: Type, second: Type, span: Span, where: Span | None) -> None:
    """Refuse the same kind of object in memory of another kind, where that is what two types differ in."""
    a, b = [kind.inner if isinstance(kind, OptionalType) else kind for kind in (first, second)]
    if not (isinstance(a, PtrType) and isinstance(b, PtrType)) or a.pointee is None or b.pointee is None:
        return
    if kinds.same(a.pointee, b.pointee):
        checker.fail(errors.OtherSpace(span, what, str(a.pointee), b.space, a.space, where))


def numbers_in(kind: Type, text: str, most: int = 1) -> tuple[str, ...]:
    """The first numbers in a struct or array, as expressions."""
    kind = kinds.aggregate(kind) or kind
    if not text.translate(_PLAIN).isalnum():
        return ()
    if isinstance(kind, StructType):
        found = [f"{text}.{f.name}" for f in kind.fields if kinds.is_int(f.type)]
        return tuple(found[:most])
    return (f"{text}[0]",) if isinstance(kind, ArrayType) and kinds.is_int(kind.element) else ()


def fields_compared(kind: Type, op: str, left: str, right: str) -> tuple[str, ...]:
    """`a.x == b.x and a.y == b.y` for `a == b`."""
    most = 1 if op not in ("==", "!=") else 2
    pairs = zip(numbers_in(kind, left, most), numbers_in(kind, right, most))
    shown = [f"{a} {op} {b}" for a, b in pairs]
    return ((" or " if op == "!=" else " and ").join(shown),) if shown else ()


def in_place_of(checker: Checker, expr: tree.Expr, to: Type, what: str) -> tuple[str, tuple[str, ...]]:
    """The help for `expr` where a `to` is wanted: a sentence, and the lines to write."""
    wanted = kinds.aggregate(to) or to
    kind = kinds.aggregate(expr.type)
    text = checker.text(expr.span)
    if isinstance(kind, TextType) and kinds.is_int(wanted) and "_str()" in what:
        return "it is a text already: use it as it is", ()
    if isinstance(expr.type, PtrType) and kinds.is_int(wanted) and isinstance(expr.type.pointee, KernelType):
        return kernel_struct_as_number(text)
    if isinstance(expr.type, PtrType) and kinds.is_int(wanted) and kind is None:
        if kinds.may_be_null(expr.type):
            return "its address, which user space can't follow, is:", (f"u64({text})",)
        if expr.type.space == Space.CTX:
            return "an address is good for one run only; use one of the context's fields", ()
        if expr.type.space == Space.PACKET:
            return (
                "an address is good for one run only; use what is read from there, or its distance from another, "
                "as `pkt.cursor - pkt.data`",
                (),
            )
    if isinstance(to, PtrType) and isinstance(wanted, KernelType) and kinds.is_int(expr.type):
        return "what lies at an address is:", (f"{wanted}({text})",)
    if is_arena_pointer(to):
        if kinds.is_int(expr.type):
            return "what lies at an address is:", (f"arena.at({wanted}, {text})",)
        return "", ()
    if isinstance(wanted, StructType):
        names = [f.name for f in wanted.fields]
        if len(names) <= 6:
            return "make one:", (f"{wanted.name}({', '.join([f'{name}=...' for name in names])})",)
        return f"make one: {wanted.name}(...)", ()
    if kinds.is_int(wanted):
        found = numbers_in(expr.type, text)
        if found:
            return "use a number in it:", found
        if isinstance(kind, (TextType, BytesType)):
            if what.startswith("the result of"):
                return "return a number; a text goes to user space through a map or a RingBuffer", ()
            size = 16 if isinstance(expr, tree.TextConst) else kind.size
            instead = written(TextType(size) if isinstance(kind, TextType) else BytesType(kind.size))
            return f"give it a number, or declare {what} as {instead}", ()
    if isinstance(wanted, TextType) and kinds.is_int(expr.type):
        return f"keep the number as {kinds.spell(expr.type)}, and format it in user space", ()
    if isinstance(wanted, ArrayType):
        if wanted.element == U8 and kind == BytesType(wanted.length) and not what.startswith(str(wanted)):
            return "make one of them:", (f"{written(wanted)}({text})",)
        if isinstance(kind, ArrayType) and kind.length == wanted.length:
            return f"copy the elements in a loop, or declare {what} as {written(kind)}", ()
        return "make one:", (f"{written(wanted)}([{', '.join(['...'] * min(wanted.length, 4))}])",)
    return f"give it {kinds.spell(to)}", ()


def kernel_struct_as_number(text: str) -> tuple[str, tuple[str, ...]]:
    """The help for a reference to a kernel struct where a number is wanted."""
    return "name the member that is meant; its address, which user space can't follow, is:", (f"u64({text})",)


def compared_with_text(checker: Checker, expr: tree.Expr, literal: object) -> tuple[str, tuple[str, ...]]:
    """The help for something that is compared with a text: a number of 64 bits is likely a text's address."""
    base = kinds.int_base(expr.type)
    if base not in (U64, I64):
        address = base is not None and isinstance(literal, str) and literal.count(".") == 3
        return ('an address is a number: compare it with ipv4("10.0.0.1")' if address else "give it text or bytes"), ()
    text = checker.text(expr.span)
    return "if it is the address of a text, read that first:", (f"text: Text[L[64]] = user_str({text})",)


def as_variable(name: str, value: Any) -> tuple[str, ...]:
    """A list or another object of the module as a variable of the program."""
    if isinstance(value, (list, tuple)):
        return tuple([line.replace(" = const(", " = var(") for line in at_run_time(name, value)])
    if isinstance(value, (dict, set)):
        return (f"{name} = HashMap[u32, u64](max_entries={len(value) or 1024})",)
    return (f"{name} = var(u64, 0)",)


def at_run_time(name: str, value: Any) -> tuple[str, ...]:
    """A constant of the module as something that a program can index at run time."""
    if isinstance(value, (bytes, str)):
        raw = value if isinstance(value, bytes) else value.encode()
        text = repr(raw) if len(raw) <= 16 else "b'...'"
        return (f"{name if name.isidentifier() else 'table'} = const(Bytes[L[{max(len(raw), 1)}]], {text})",)
    if isinstance(value, dict):
        return (f"{name} = HashMap[u32, u64](max_entries={max(len(value), 1)})",)
    items = list(value)
    if not items or not all(type(item) is int and 0 <= item < 1 << 64 for item in items):
        return (f"{name} = const(Array[u64, L[{max(len(items), 1)}]], ...)",)
    element = next(kind for kind, bits in (("u32", 32), ("u64", 64)) if max(items) < 1 << bits)
    shown = items if len(items) <= 8 else "[...]"
    return (f"{name} = const(Array[{element}, L[{len(items)}]], {shown})",)


def origin(expr: tree.Expr, source: str) -> str:
    """Why a value may be None: a key of diagnostics/optional.py, by its memory and the text that it comes from."""
    kind = expr.type.inner if isinstance(expr.type, OptionalType) else expr.type
    looked_up = _is_call_of(source, ".get(") or _is_call_of(source, ".pop(")
    if not isinstance(kind, PtrType):
        return "number" if looked_up else ""
    if kind.space in (Space.MAP, Space.PERCPU):
        return "lookup" if looked_up else "insert" if _is_call_of(source, ".setdefault(") else ""
    return {Space.PACKET: "parse", Space.RINGBUF: "reserve"}.get(kind.space, "")


def _is_call_of(text: str, method: str) -> bool:
    """Whether a text is `place.method(...)` as a whole."""
    place, found, arguments = text.partition(method)
    depth = 1
    for position, char in enumerate(arguments):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0:
            return bool(found) and position == len(arguments) - 1 and place.translate(_PLAIN).isalnum()
    return False


def not_a_value(value: Any, schema: Any, text: str) -> tuple[str, tuple[str, ...]]:
    """The help for a compile-time object that is used as a value."""
    if isinstance(schema, MapSpec):
        keyed = schema.kind.keyed and not schema.kind.indexed
        if not keyed:
            return "name an entry, or call a method of it", ()
        return "read an entry of it:", (f"{text}.get(key)",)
    if isinstance(schema, StructType) and isinstance(value, type):
        return "make one:", (f"{text}({', '.join([f'{f.name}=...' for f in schema.fields[:6]])})",)
    if isinstance(schema, (GlobalSpec, ContextSpec)):
        return "use a field of it", ()
    if isinstance(value, type):
        return "give a value of that type:", (f"{text}(...)",)
    if type(value).__name__ == "module":
        return "name something in it", ()
    if callable(value):
        return "call it:", (f"{text}()",)
    return "use a number, or a part of it that is one", ()
