"""Records of C declarations -> the Python objects that stand for them."""

from __future__ import annotations

from enum import IntEnum
from keyword import iskeyword
from typing import Any

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import (
    BOOL,
    U8,
    U64,
    ArrayType,
    BitField,
    EnumType,
    IntType,
    PtrType,
    Space,
    StructType,
    TextType,
    Type,
    layout,
)
from pybpf.stdlib.cdecl.parse import CArray, CEnum, CMember, CName, CPointer, CRecord, parse, refuse
from pybpf.stdlib.kernel.classes import class_for
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import (
    Array,
    Bits,
    Bytes,
    Text,
    be16,
    be32,
    be64,
    enum_type,
    i8,
    i16,
    i32,
    i64,
    type_of,
    u8,
    u16,
    u32,
    u64,
    zero,
)  # fmt: skip
from pybpf.stdlib.union import Union

__all__ = ["build"]

# To type checkers these are aliases, which take no sizes known at run time only.
_array: Any = Array
_bits: Any = Bits
_bytes: Any = Bytes
_text: Any = Text

_NAMES: dict[str, Any] = {
    "i8": i8, "i16": i16, "i32": i32, "i64": i64, "u8": u8, "u16": u16, "u32": u32, "u64": u64, "bool": bool,
    "char": i8, "__u8": u8, "__u16": u16, "__u32": u32, "__u64": u64, "__s8": i8, "__s16": i16, "__s32": i32,
    "__s64": i64, "s8": i8, "s16": i16, "s32": i32, "s64": i64, "uint8_t": u8, "uint16_t": u16, "uint32_t": u32,
    "uint64_t": u64, "int8_t": i8, "int16_t": i16, "int32_t": i32, "int64_t": i64, "__be16": be16, "__be32": be32,
    "__be64": be64, "__le16": u16, "__le32": u32, "__le64": u64, "__sum16": u16, "__wsum": u32, "size_t": u64,
    "ssize_t": i64, "uintptr_t": u64, "pid_t": i32, "uid_t": u32, "gid_t": u32, "dev_t": u32, "mode_t": u32,
    "umode_t": u16, "loff_t": i64, "off_t": i64, "ino_t": u64, "sa_family_t": u16, "uchar": u8, "ushort": u16,
    "uint": u32, "ulong": u64, "u_int8_t": u8, "u_int16_t": u16, "u_int32_t": u32, "u_int64_t": u64, "u_char": u8,
    "u_short": u16, "u_int": u32, "u_long": u64, "time64_t": i64, "ktime_t": i64, "key_t": i32, "clockid_t": i32,
}  # fmt: skip


class Declarations:
    """What several C declarations declare: each name is an attribute. Iterating gives the objects in order."""

    def __init__(self, items: dict[str, Any]) -> None:
        self.__dict__.update(items)

    def __getattr__(self, name: str) -> Any:
        from difflib import get_close_matches

        near = get_close_matches(name, self.__dict__, 1)
        raise AttributeError(f"the C declarations have no `{name}`" + (f"; did you mean `{near[0]}`?" if near else ""))

    def __iter__(self) -> Any:
        return iter([value for value in self.__dict__.values() if isinstance(value, type)])

    def __repr__(self) -> str:
        return f"<C declarations of {', '.join(self.__dict__)}>"


def build(text: str, kernel: bool, types: dict[str, Any]) -> Any:
    """The object of the only declaration, or all as Declarations. Raises DeclarationTypeError."""
    declared = parse(text)
    maker = _Kernel(text, types) if kernel else _Structs(text, types)
    made: dict[str, Any] = {}
    for name, what in declared.items:
        if isinstance(what, int):
            made[name] = what
            continue
        found = maker.object(name, what)
        if found is not None:
            made[name] = found
        if isinstance(what, CEnum):
            made.update(found.__members__)
    if not made:
        raise DeclarationTypeError("the C declarations declare nothing", help="struct event { __u32 pid; };")
    kinds = [value for value in made.values() if isinstance(value, type)]
    only = len(kinds) == 1 and all(isinstance(value, kinds[0]) for value in made.values() if value is not kinds[0])
    return kinds[0] if only else Declarations(made)


class _Maker:
    """What both kinds of types have in common: names that were declared before."""

    def __init__(self, text: str, types: dict[str, Any]) -> None:
        self.text = text
        self.types = types
        self.tags: dict[str, Any] = {}  # "struct x" -> its object
        self.typedefs: dict[str, Any] = {}  # name -> C type

    def object(self, name: str, what: Any) -> Any:
        """The Python object for one declaration; None for a typedef that programs can't name."""
        if isinstance(what, CEnum):
            found: Any = self.enum(what)
            self.tags[f"enum {what.name}"] = found
        elif isinstance(what, CRecord):
            tag = "union" if what.union else "struct"
            found = self.tags.get(f"{tag} {what.name}") or self.record(what, what.name)
            self.tags[f"{tag} {what.name}"] = found
        else:
            self.typedefs[name] = what
            return self.named(what)
        if name == what.name:
            self.typedefs.setdefault(name, what)
        return found

    def enum(self, what: CEnum) -> Any:
        return IntEnum(what.name, what.values)

    def record(self, what: CRecord, name: str) -> Any:
        raise NotImplementedError

    def named(self, what: Any) -> Any:
        raise NotImplementedError

    def known(self, what: CName) -> Any:
        """What a name stands for: an object with `__bpf__`, or a C type that a typedef gives it; None for nothing."""
        if what.tag:
            return self.tags.get(f"{what.tag} {what.name}") or self.types.get(what.name)
        if what.name in self.typedefs:
            target = self.typedefs[what.name]
            if isinstance(target, (CRecord, CEnum)):
                kind = "enum" if isinstance(target, CEnum) else "union" if target.union else "struct"
                return self.tags.get(f"{kind} {target.name}")
            return target
        return self.types.get(what.name) or _NAMES.get(what.name)

    def unknown(self, what: CName) -> DeclarationTypeError:
        spelled = f"{what.tag} {what.name}".strip()
        if what.name == "void":
            return refuse(self.text, what.line, "void has no size", "a pointer is `void *name`")
        if what.name == "float":
            return refuse(self.text, what.line, "BPF has no floating point", "use an integer, scaled if need be")
        if what.name == "int128":
            return refuse(self.text, what.line, "an integer of 128 bits", "__u64 name[2]")
        return refuse(
            self.text, what.line, f"`{spelled}` is not declared", f"declare it before, or pass it: {what.name}=..."
        )


class _Structs(_Maker):
    """Structs of the program's own."""

    def record(self, what: CRecord, name: str, inside_union: bool = False) -> Any:
        if not what.members:
            raise refuse(self.text, what.line, f"{name} has no members")
        fields: dict[str, Any] = {}
        defaults: dict[str, Any] = {}
        inner: list[Any] = []  # structs and unions that are declared inside
        align = what.align
        anonymous = gaps = 0
        in_union = inside_union or what.union
        for member in what.members:
            label = member.name + "_" if iskeyword(member.name) else member.name
            if not label and member.bits is None:
                label, anonymous = f"anon{anonymous}", anonymous + 1
            if not label:  # a gap between bit fields
                label, gaps = f"_gap{gaps}", gaps + 1
                defaults[label] = 0
            if label in fields:
                raise refuse(self.text, member.line, f"{name} has two members `{label}`")
            kind = self.annotation(member.type, f"{name}_{label}", member.line, in_union)
            if isinstance(member.type, CRecord):
                inner.append(kind)
                if not member.name and not what.union:
                    defaults[label] = zero(kind.__bpf__)
            if member.bits is not None:
                kind = self.bits(kind, member)
            if member.align and not what.union:
                self.pad(fields, defaults, kind, member, what.packed)
            align = max(align, member.align)
            fields[label] = kind
        base: Any = Union if what.union else Struct
        body = {"__annotations__": fields, "__module__": __name__, **defaults}
        try:
            made = type(base)(name, (base,), body, packed=what.packed)
            schema: StructType = made.__bpf__
        except DeclarationTypeError as error:
            raise refuse(self.text, what.line, error.title, error.help) from None
        made.__bpf_zeroed__ = frozenset(defaults)
        for each in inner:
            if each.__name__ not in fields:
                setattr(made, each.__name__, each)
        if align & (align - 1):
            raise refuse(self.text, what.line, f"an alignment of {align}", "it is a power of two")
        if align > schema.align:
            schema.align = align
            schema.size = (schema.size + align - 1) // align * align
        return made

    def pad(self, fields: dict[str, Any], defaults: dict[str, Any], kind: Any, member: CMember, packed: bool) -> None:
        """Fields that bring the next one to its alignment."""
        before = [(name, self.schema(each)) for name, each in fields.items()]
        offset = layout("", [*before, (member.name, self.schema(kind))], packed=packed).fields[-1].offset
        missing = -offset % member.align
        if missing:
            end = layout("", before, packed=True).size if packed else None
            label = f"_pad{len(fields)}"
            # Bytes that fill up to the natural offset too, as an array of them has alignment 1.
            used = end if end is not None else self.end(before)
            fields[label] = _array[u8, offset + missing - used]
            defaults[label] = [0] * (offset + missing - used)

    def end(self, before: list[tuple[str, Any]]) -> int:
        """Where the last of these fields ends."""
        laid = layout("", [*before, ("end", U8)])
        return laid.fields[-1].offset

    def schema(self, annotation: Any) -> Type | BitField:
        found = getattr(annotation, "__bpf__", None)
        kind = found if isinstance(found, BitField) else type_of(annotation)
        assert kind is not None
        return kind

    def bits(self, kind: Any, member: CMember) -> Any:
        if member.bits == 0:
            raise refuse(self.text, member.line, "a bit field of no bits", "leave it out, and begin the next unit")
        try:
            return _bits[kind, member.bits]
        except DeclarationTypeError as error:
            raise refuse(self.text, member.line, error.title) from None

    def annotation(self, what: Any, name: str, line: int, in_union: bool) -> Any:
        """The class that annotates a field."""
        if isinstance(what, CPointer):
            return u64
        if isinstance(what, CArray):
            if not what.length:
                raise refuse(self.text, line, "an array without a size", "a Struct has a fixed size: give it a length")
            inner = what.element
            while isinstance(inner, CName) and isinstance(self.known(inner), CName):
                inner = self.known(inner)
            if isinstance(inner, CName) and inner.name == "char":
                return _bytes[what.length] if in_union else _text[what.length]
            return _array[self.annotation(what.element, name, line, in_union), what.length]
        if isinstance(what, CRecord):
            made = self.record(what, what.name or name, in_union)
            if what.name:
                self.tags[f"{'union' if what.union else 'struct'} {what.name}"] = made
            return made
        if isinstance(what, CEnum):
            made = self.tags[f"enum {what.name}"] = self.enum(CEnum(what.name or name, what.values, what.line))
            return made
        found = self.known(what)
        if isinstance(found, (CName, CPointer, CArray)):
            return self.annotation(found, name, line, in_union)
        if found is bool and in_union:
            return u8
        if found is None:
            raise self.unknown(what)
        return found

    def named(self, what: Any) -> Any:
        if isinstance(what, CName) and what.name == "void":
            return None
        return self.annotation(what, "", getattr(what, "line", 0), False)


class _Kernel(_Maker):
    """Structs of the kernel, of the members that are declared."""

    def record(self, what: CRecord, name: str) -> Any:
        return class_for(self.struct(what, name), name)

    def struct(self, what: CRecord, name: str) -> KernelType:
        from pybpf.stdlib.kernel.declared import MISMATCH, lay_out, mismatch

        members: list[tuple[str, Type | BitField]] = []
        made = KernelType(name, lambda: lay_out(made, members), "union" if what.union else "struct")
        if name:
            self.tags[f"{made.tag} {name}"] = class_for(made, name)
        for member in what.members:
            if not member.name and member.bits is not None:
                continue  # a gap, which nobody asks for
            kind = self.type(member.type, member.line)
            if member.bits:
                if not isinstance(kind, (IntType, EnumType)) and kind != BOOL:
                    raise refuse(self.text, member.line, "a bit field is a part of an integer")
                members.append((member.name, BitField(kind, member.bits)))  # type: ignore[arg-type]
            else:
                members.append((member.name, kind))
        wrong = mismatch(made, members) if name else None
        if wrong is not None:
            line = next(member.line for member in what.members if member.name == wrong[0])
            declared = f"{name}.{wrong[0]} is declared {MISMATCH[isinstance(wrong[1], KernelType)]}"
            raise refuse(self.text, line, declared)
        return made

    def type(self, what: Any, line: int) -> Type:
        """The type of a member, as KernelMember has it."""
        if isinstance(what, CPointer):
            return self.pointer(what.target, line)
        if isinstance(what, CArray):
            if self.is_char(what.element):
                return TextType(what.length or 0)
            return ArrayType(self.type(what.element, line), what.length or 0)
        if isinstance(what, CRecord):
            made = self.struct(what, what.name)
            return made
        if isinstance(what, CEnum):
            return enum_type(self.enum(CEnum(what.name or "anonymous", what.values, what.line)))
        if what.name == "int128":
            return ArrayType(U64, 2)
        found = self.known(what)
        if isinstance(found, (CName, CPointer, CArray)):
            return self.type(found, line)
        if found is None:
            found = self.of_kernel(what)
        if found is None:
            raise self.unknown(what)
        return _schema(found)

    def pointer(self, target: Any, line: int) -> Type:
        if target is None or (isinstance(target, CName) and target.name == "void"):
            return PtrType(None, Space.KERNEL)
        if isinstance(target, CPointer) and target.target is None:  # to a function
            return PtrType(None, Space.KERNEL)
        if self.is_char(target):
            return PtrType(TextType(0), Space.KERNEL)
        if isinstance(target, CName) and target.tag in ("struct", "union"):
            found = self.known(target) or self.of_kernel(target)
            kind = _schema(found) if found is not None else KernelType(target.name, lambda: (0, ()), target.tag)
            return PtrType(kind, Space.KERNEL)
        return PtrType(self.type(target, line), Space.KERNEL)

    def is_char(self, what: Any) -> bool:
        while isinstance(what, CName) and isinstance(self.known(what), CName):
            what = self.known(what)
        return isinstance(what, CName) and what.name == "char"

    def of_kernel(self, what: CName) -> Any:
        from pybpf.stdlib.kernel.names import lookup

        return lookup(what.name)

    def named(self, what: Any) -> Any:
        if isinstance(what, (CPointer, CArray)) or (isinstance(what, CName) and what.name in ("void", "float")):
            return None
        kind = self.type(what, getattr(what, "line", 0))
        return class_for(kind, kind.name if isinstance(kind, KernelType) else "")


def _schema(found: Any) -> Type:
    """The type of an object, of a kernel struct itself (which as an annotation means a pointer to it)."""
    kind = getattr(found, "__bpf__", None)
    made = kind if isinstance(kind, KernelType) else type_of(found)
    assert made is not None
    return made
