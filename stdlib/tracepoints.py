"""Tracepoints: which there are, and the fields of their records.

`data/tracepoints/CATEGORY.tsv` holds the formats of one kernel's tracepoints (tools/make_tracepoints.py writes them),
so that a program compiles without root, on any machine, to the same bytes. A tracepoint that the bundle lacks is looked
up in the running kernel's tracefs. A shard's first line names the kernel; each other one is a tracepoint: its name, a
tab, and its fields as `name type offset` separated by commas, or `=NAME` for the same fields as another. Types:
    u8 i8 ... u64 i64 bool   numbers; pointers are u64
    tN bN                    text or bytes of N bytes, in place
    a<number>xN              N numbers, in place
    dyn                      text of any length: 32 bits at the offset, low half where it starts, high half its length
The record's first 8 bytes (common_type ... common_pid) are not for BPF programs to read and are left out
(kernel/trace/bpf_trace.c, tp_prog_is_valid_access).
"""

from __future__ import annotations

import os

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.specs import ContextSpec, CtxField
from pybpf.compiler.schema.types import (
    BOOL,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    ArrayType,
    BoolType,
    BytesType,
    EnumType,
    IntType,
    TextType,
    Type,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "UnknownTracepoint", "bundled", "context_of", "live", "names", "parse_format", "raw_arguments", "raw_names",
    "raw_tracepoints_of",
]  # fmt: skip

_BUNDLE = os.path.join(os.path.dirname(__file__), "data", "tracepoints")
_RAW = os.path.join(os.path.dirname(__file__), "data", "raw_tracepoints.tsv")
_TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_NUMBERS: dict[str, Type] = {
    "bool": BOOL, "u8": U8, "u16": U16, "u32": U32, "u64": U64, "i8": I8, "i16": I16, "i32": I32, "i64": I64,
}  # fmt: skip

DYNAMIC = TextType(256)  # for a dynamic string whose size nothing else says

# Types of syscall arguments that are narrower than their slot of 8 bytes in the record (include/linux/types.h).
_NARROW = {
    "int": "i32", "unsigned int": "u32", "unsigned": "u32", "uint": "u32", "pid_t": "i32", "uid_t": "u32",
    "gid_t": "u32", "umode_t": "u16", "u32": "u32", "__u32": "u32", "s32": "i32", "__s32": "i32", "key_t": "i32",
    "key_serial_t": "i32", "qid_t": "u32", "timer_t": "i32", "clockid_t": "i32", "mqd_t": "i32", "rwf_t": "i32",
    "short": "i16", "unsigned short": "u16", "char": "i8", "unsigned char": "u8",
}  # fmt: skip
# ... and of those that fill it with a sign.
_SIGNED = frozenset(("long", "ssize_t", "off_t", "loff_t", "long long", "s64", "__s64", "__kernel_old_time_t"))


class UnknownTracepoint(DeclarationValueError):
    """No such tracepoint; `candidates` are names that look like it, best first."""

    def __init__(self, name: str, candidates: list[str]) -> None:
        self.candidates = candidates
        help = ""
        if candidates:
            help = f"did you mean `{candidates[0]}`?"
            if candidates[1:]:
                help += f" (or {', '.join(f'`{other}`' for other in candidates[1:])})"
        super().__init__(f"there is no tracepoint `{name}`", label="not found", help=help)


def context_of(category: str, event: str, owner: Any, format: str = "") -> ContextSpec:
    """The context of a tracepoint, for a parameter annotated with `owner` (TracepointContext or a subclass).

    `format` is the text of its `format` file, if that is to be believed instead of the bundled table. Raises
    UnknownTracepoint; DeclarationTypeError where the annotations of a subclass don't fit the format.
    """
    if format:
        fields: list[CtxField] | None = [_field(item) for item in parse_format(format, category == "syscalls")]
    else:
        fields = bundled(category, event)
    if fields is None:
        fields = live(category, event)
    if fields is None:
        raise UnknownTracepoint(f"{category}:{event}", _similar(category, event))
    fields = _declared(fields, f"{category}:{event}", owner)
    arguments = category == "syscalls" and event.startswith("sys_enter_")
    return ContextSpec(f"trace_event_raw_{event}", tuple(fields), (), owner, arguments, in_memory=True)


def bundled(category: str, event: str) -> list[CtxField] | None:
    """The fields of a tracepoint by the bundled table; None where that lacks it."""
    text = _shard(category)
    row = _row(text, event)
    if row is not None and row.startswith("="):
        row = _row(text, row[1:])
    if row is None:
        return None
    return [_field(item) for item in row.split(",")] if row else []


def live(category: str, event: str) -> list[CtxField] | None:
    """The fields of a tracepoint by the running kernel's tracefs; None where it lacks it, or can't be read."""
    for root in _TRACEFS:
        try:
            with open(os.path.join(root, "events", category, event, "format"), encoding="utf-8") as file:
                text = file.read()
        except OSError:
            continue
        return [_field(item) for item in parse_format(text, category == "syscalls")]
    return None


def fields_in(format: str, syscall: bool) -> list[CtxField]:
    """The fields that the text of a `format` file tells of; `syscall` as in parse_format."""
    return [_field(item) for item in parse_format(format, syscall)]


def names() -> list[str]:
    """All bundled tracepoints, as `category:event`, sorted."""
    made = []
    for file in sorted(os.listdir(_BUNDLE)):
        category = file.removesuffix(".tsv")
        made += [f"{category}:{line.partition(chr(9))[0]}" for line in _shard(category).splitlines()[1:]]
    return made


def raw_arguments(event: str) -> tuple[str, ...] | None:
    """Names of a raw tracepoint's arguments; None where the table (by tools/make_raw_tracepoints.py) lacks it."""
    row = _row(_read(_RAW), event)
    return None if row is None else tuple(row.split())


def raw_names() -> list[str]:
    """The raw tracepoints of the table."""
    return [line.partition("\t")[0] for line in _read(_RAW).splitlines() if not line.startswith("#")]


def raw_tracepoints_of() -> str:
    """The kernel release that the table of raw tracepoints was made from, as "6.18"."""
    return _read(_RAW).split(" ", 3)[2]


def _shard(category: str) -> str:
    return _read(os.path.join(_BUNDLE, f"{category}.tsv")) if category.isidentifier() else ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _row(text: str, event: str) -> str | None:
    start = text.find(f"\n{event}\t")
    if start < 0:
        return None
    start += len(event) + 2
    return text[start : text.index("\n", start)]


def _field(item: str) -> CtxField:
    name, code, place = item.split(" ")
    offset = int(place)
    number = _NUMBERS.get(code)
    if number is not None:
        return CtxField(name, number, offset, size_of(number))
    if code == "dyn":
        return CtxField(name, DYNAMIC, offset, 4, "data_loc")
    kind: Type
    if code[0] == "a":
        element, _, count = code[1:].partition("x")
        kind = ArrayType(_NUMBERS[element], int(count))
    else:
        kind = (TextType if code[0] == "t" else BytesType)(int(code[1:]))
    return CtxField(name, kind, offset, size_of(kind), "array")


def parse_format(text: str, syscall: bool) -> list[str]:
    """The fields of a tracefs `format` file, as the table writes them; common ones and unreadable ones are left out.

    `syscall`: the record holds each argument in 8 bytes, whatever its C type.
    """
    made = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.strip().split(";")]
        if not parts[0].startswith("field:") or len(parts) < 4:
            continue
        declaration = parts[0].removeprefix("field:")
        offset, size = int(parts[1].removeprefix("offset:")), int(parts[2].removeprefix("size:"))
        signed = parts[3] == "signed:1"
        if offset < 8:
            continue
        dynamic = declaration.startswith("__data_loc ")
        declaration, _, rest = declaration.removeprefix("__data_loc ").partition("[")
        if dynamic:  # `__data_loc char[] name`
            kind, name = declaration.strip(), rest.partition("]")[2].strip()
        else:
            kind, _, name = declaration.strip().rpartition(" ")
            if name.startswith("*"):
                kind, name = kind + " *", name.lstrip("*")
        code = _code(kind, dynamic, bool(rest), size, signed, syscall)
        if code:
            made.append(f"{name} {code} {offset}")
    return made


def _code(kind: str, dynamic: bool, array: bool, size: int, signed: bool, syscall: bool) -> str:
    """The table's type of a field; "" for what programs can't read yet."""
    pointer = kind.endswith("*") or "*" in kind
    kind = " ".join([word for word in kind.split() if word not in ("const", "volatile")])
    if dynamic:
        return "dyn" if kind == "char" else ""
    if array:
        if size == 0:
            return ""
        if kind == "char":
            return f"t{size}"
        if kind in ("unsigned char", "u8", "__u8", "uint8_t"):
            return f"b{size}"
        element = {"unsigned long": "u64", "long": "i64", "unsigned int": "u32", "int": "i32", "u32": "u32"}.get(kind)
        return f"a{element}x{size // (int(element[1:]) // 8)}" if element else ""
    if pointer:
        return "u64"
    if kind == "bool":
        return "bool"
    if syscall and size == 8:
        return _NARROW.get(kind) or ("i64" if kind in _SIGNED else "u64")
    return f"{'i' if signed else 'u'}{size * 8}" if size in (1, 2, 4, 8) else ""


def _similar(category: str, event: str) -> list[str]:
    """Names like the one asked for: in its category, of its name in other ones, then anything alike."""
    from difflib import get_close_matches

    every = names()
    made = [name for name in every if name.partition(":")[2] == event]
    made += [f"{category}:{name}" for name in get_close_matches(
        event, [name.partition(":")[2] for name in every if name.startswith(category + ":")], 3, 0.7)]  # fmt: skip
    if not made:
        made = get_close_matches(f"{category}:{event}", every, 3, 0.7)
    return made[:3]


def _declared(fields: list[CtxField], name: str, owner: Any) -> list[CtxField]:
    """The fields with the types that the annotations of `owner` give them."""
    from pybpf.stdlib.annotations import evaluated, inherited
    from pybpf.stdlib.types import type_of, why_not

    wanted = inherited(owner)
    if not wanted:
        return fields
    known = {field.name: field for field in fields}
    for field in wanted:
        if field not in known:
            from difflib import get_close_matches

            close = get_close_matches(field, known, 1)
            raise DeclarationTypeError(
                f"{owner.__name__}.{field}: the tracepoint {name} has no such field",
                help=f"did you mean `{close[0]}`?" if close else f"it has {', '.join(known)}",
                site=(*wanted[field][0].__bpf_site__, field),
            )
    made = []
    for has in fields:
        if has.name in wanted:
            where, annotation = wanted[has.name]
            annotation = evaluated(where, has.name, annotation)
            kind = has.type if annotation is int and isinstance(has.type, IntType) else type_of(annotation)
            if kind is None:
                raise DeclarationTypeError(
                    f"{owner.__name__}.{has.name}: {why_not(annotation)}",
                    lines=(f"{has.name}: {has.type}",),
                    site=(*where.__bpf_site__, has.name),
                )
            if not _fits(has, kind):
                raise DeclarationTypeError(
                    f"{owner.__name__}.{has.name}: declared as {kind}, but the tracepoint {name} has {has.type} there",
                    lines=(f"{has.name}: {has.type}",),
                    site=(*where.__bpf_site__, has.name),
                )
            has = CtxField(has.name, kind, has.offset, has.size, has.role)
        made.append(has)
    return made


def _fits(has: CtxField, kind: Type) -> bool:
    """Whether a field may be read as `kind`: same size, for dynamic text any size."""
    if has.role == "data_loc":
        return isinstance(kind, TextType)
    if isinstance(has.type, (IntType, BoolType)):
        return isinstance(kind, (IntType, BoolType, EnumType)) and size_of(kind) == has.size
    return isinstance(kind, (TextType, BytesType, ArrayType)) and size_of(kind) == has.size
