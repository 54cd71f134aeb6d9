"""BTF of a kernel -> the types that programs name, one at a time.

    types = KernelTypes(decode_btf(data))
    types.named("task_struct")          KernelType, whose members are read when they are asked for
    types.of(114)                       the type with that id

A name means, in this order, a struct, a union, an enum, a typedef. Every id gives the same object each time. What C can
say and the language can't is an array of its bytes: `float`, `__int128`.
"""

from __future__ import annotations

from pybpf.compiler.btf import types as t
from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelMember, KernelType
from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import (
    BOOL,
    NONE,
    U8,
    U64,
    ArrayType,
    EnumType,
    IntType,
    PtrType,
    Space,
    TextType,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.btf.decode import Btf

__all__ = ["KernelTypes", "Prototype"]

_BIG = {"__be16": 16, "__be32": 32, "__be64": 64}
_FUNCTION_TAGS = ("bpf_fastcall", "bpf_kfunc")
_QUALIFIERS = (t.Const, t.Volatile, t.Restrict)
_INNER = (t.Const, t.Volatile, t.Restrict, t.Typedef, t.TypeTag)
_TAGS: dict[type[t.BtfType], str] = {t.Struct: "struct", t.Union: "union"}


class Prototype(Record):
    """A kernel function's signature: `params` are (name, type) in order, "" where BTF has no name.

    Types are as those of KernelMember: `struct x *` is PtrType(KernelType, Space.KERNEL), `void *` PtrType(None, ...).
    `result` is NONE for void. `variadic`: `...` follows. `tags` are the texts of its declaration tags, sorted:
    "bpf_kfunc" for what programs may call, "bpf_fastcall".
    """

    name: str
    params: tuple[tuple[str, Type], ...]
    result: Type
    variadic: bool = False
    tags: tuple[str, ...] = ()


class KernelTypes:
    """The types of one BTF.

    `known(tag, name)` may give the type of a struct or union from elsewhere, to be taken in place of the one here;
    `declared(tag, name)` gives what a struct that is only declared here has as size and members. `base`: the types of
    the BTF that this one, a kernel module's, continues.
    """

    def __init__(
        self,
        btf: Btf,
        known: Callable[[str, str], KernelType | None] | None = None,
        declared: Callable[[str, str], tuple[int, tuple[KernelMember, ...]]] | None = None,
        base: KernelTypes | None = None,
    ) -> None:
        self.btf = btf
        self._base = base
        self._first = len(base.btf) if base is not None else 0
        self._known = known
        self._declared = declared
        self._made: dict[int, Type] = {}
        self._busy: set[int] = set()
        self._tagged: dict[str, set[int]] | None = None  # by tag: ids of functions

    def named(self, name: str) -> Type | None:
        """The type of that name; None if there is none. A typedef of a struct is that struct."""
        for kind in (t.Struct, t.Union, t.Enum, t.Enum64, t.Typedef, t.Fwd):
            found = self.btf.find(name, kind)
            if found:
                return self.of(found)
        return None

    def enumerator(self, name: str) -> tuple[EnumType, int] | None:
        """The enumeration that has an enumerator of that name, and its value; None if there is none."""
        found = self.of(self.btf.find_enumerator(name))
        return (found, dict(found.members)[name]) if isinstance(found, EnumType) else None

    def struct(self, tag: str, name: str) -> KernelType | None:
        """The "struct" or "union" of that name, if only a declared one; None if there is none."""
        number = self.btf.find(name, t.Struct if tag == "struct" else t.Union) or self.btf.find(name, t.Fwd)
        found = self.of(number)
        return found if isinstance(found, KernelType) and found.tag == tag else None

    def layout(self, tag: str, name: str) -> tuple[int, tuple[KernelMember, ...]] | None:
        """Size in bytes and members of the "struct" or "union" of that name; None if it is not here."""
        number = self.btf.find(name, t.Struct if tag == "struct" else t.Union)
        return self._members(number) if number else None

    def function(self, name: str) -> Prototype | None:
        """The signature of the kernel's function of that name; None if there is none."""
        numbers = self.btf.find_all(name, t.Func)
        if not numbers:
            return None
        tagged = self._tagged
        if tagged is None:
            tagged = self._tagged = {tag: self._targets(tag) for tag in _FUNCTION_TAGS}
        numbers.sort(key=lambda number: number not in tagged["bpf_kfunc"])  # a static one may have the name too
        return self._prototype(numbers[0], tuple([tag for tag in _FUNCTION_TAGS if numbers[0] in tagged[tag]]))

    def raw_tracepoint(self, name: str) -> Prototype | None:
        """What a raw tracepoint's programs get: the kernel's typedef `btf_trace_NAME` without its first, a void *."""
        typedef = self._item(self.btf.find(f"btf_trace_{name}", t.Typedef))
        pointer = self._item(typedef.type) if isinstance(typedef, t.Typedef) else None
        signature = self._item(pointer.type) if isinstance(pointer, t.Ptr) else None
        if not isinstance(signature, t.FuncProto):
            return None
        return Prototype(name, tuple([(param.name, self.of(param.type)) for param in signature.params[1:]]), NONE)

    def operation(self, struct: str, member: str) -> Prototype | None:
        """The signature of what a struct's member points to; None where it is no function, or not told here."""
        item = self._item(self.btf.find(struct, t.Struct))
        found = [each for each in item.members if each.name == member] if isinstance(item, t.Struct) else []
        pointer = self._item(found[0].type) if found else None
        while isinstance(pointer, _INNER):
            pointer = self._item(pointer.type)
        signature = self._item(pointer.type) if isinstance(pointer, t.Ptr) else None
        if not isinstance(signature, t.FuncProto):
            return None
        named = tuple([(param.name, self.of(param.type)) for param in signature.params])
        return Prototype(member, named, self.of(signature.result))

    def of(self, number: int) -> Type:
        """The type with id `number`; NONE for void and for functions. Raises BtfError for a broken one."""
        if self._base is not None and number < self._first:
            return self._base.of(number)
        found = self._made.get(number)
        if found is None:
            if number in self._busy:
                raise t.BtfError(f"BTF type [{number}] leads back to itself")
            self._busy.add(number)
            try:
                found = self._made[number] = self._make(number)
            finally:
                self._busy.discard(number)
        return found

    def _targets(self, text: str) -> set[int]:
        tags = [self._item(number) for number in self.btf.find_all(text, t.DeclTag)]
        return {tag.type for tag in tags if isinstance(tag, t.DeclTag) and tag.index < 0}

    def _prototype(self, number: int, tags: tuple[str, ...]) -> Prototype:
        function = self._item(number)
        signature = self._item(function.type) if isinstance(function, t.Func) else None
        if not isinstance(function, t.Func) or not isinstance(signature, t.FuncProto):
            raise t.BtfError(f"BTF type [{number}] is not a function")
        params = signature.params
        variadic = bool(params) and params[-1].type == 0
        named = [(param.name, self.of(param.type)) for param in (params[:-1] if variadic else params)]
        return Prototype(function.name, tuple(named), self.of(signature.result), variadic, tags)

    def _make(self, number: int) -> Type:
        item = self._item(number)
        if isinstance(item, t.Int):
            return _integer(item)
        if isinstance(item, (t.Struct, t.Union)):
            return self._struct(number, item.name, _TAGS[type(item)])
        if isinstance(item, t.Ptr):
            return self._pointer(item.type)
        if isinstance(item, t.Array):
            return self._array(item)
        if isinstance(item, t.Typedef):
            return self._typedef(number, item)
        if isinstance(item, (t.Enum, t.Enum64)):
            return EnumType(item.name, IntType(item.size * 8, item.signed), item.values)
        if isinstance(item, _INNER):
            return self.of(item.type)
        if isinstance(item, t.Fwd):
            return self._forward(item)
        if isinstance(item, t.Float):
            return ArrayType(U8, item.size)
        return NONE

    def _struct(self, number: int, name: str, tag: str) -> KernelType:
        if name and self._known is not None and self.btf.find(name, type(self._item(number))) == number:
            found = self._known(tag, name)
            if found is not None:
                return found
        return KernelType(name, lambda: self._members(number), tag)

    def _forward(self, item: t.Fwd) -> KernelType:
        tag, name = "union" if item.union else "struct", item.name
        found = self._known(tag, name) if self._known is not None else None
        if found is not None:
            return found
        declared = self._declared
        return KernelType(name, lambda: declared(tag, name) if declared is not None else (0, ()), tag)

    def _typedef(self, number: int, item: t.Typedef) -> Type:
        if item.name in _BIG:
            return IntType(_BIG[item.name], big=True)
        inner = self._item(item.type)
        if isinstance(inner, (t.Struct, t.Union)) and not inner.name:
            where = item.type
            return KernelType(item.name, lambda: self._members(where), "typedef")
        if isinstance(inner, (t.Enum, t.Enum64)) and not inner.name:
            return EnumType(item.name, IntType(inner.size * 8, inner.signed), inner.values)
        return self.of(item.type)

    def _pointer(self, number: int) -> PtrType:
        space = Space.KERNEL
        pointee = self.of(number)  # first, since it finds a type that leads to itself
        item = self._item(number)
        while isinstance(item, _INNER):
            if isinstance(item, t.TypeTag) and item.tag in ("user", "address_space(1)"):
                space = Space.USER
            if isinstance(item, t.Typedef):
                break
            item = self._item(item.type)
        if isinstance(item, t.Int) and item.name == "char":
            pointee = TextType(0)
        return PtrType(None if pointee is NONE else pointee, space)

    def _array(self, item: t.Array) -> Type:
        kind = self.of(item.element)
        element = self._item(item.element)
        while isinstance(element, _QUALIFIERS):
            element = self._item(element.type)
        if isinstance(element, t.Int) and element.name == "char":
            return TextType(item.length)
        return ArrayType(kind, item.length)

    def _members(self, number: int) -> tuple[int, tuple[KernelMember, ...]]:
        """Size and members of the struct with id `number`. Raises DeclarationTypeError where the BTF is broken."""
        item = self._item(number)
        assert isinstance(item, (t.Struct, t.Union))
        try:
            self._check_nesting(number, ())
            return item.size, self._listed(item)
        except t.BtfError as problem:
            raise DeclarationTypeError(f"the BTF that {item.name or 'a struct'} is from is broken: {problem}") from None

    def _item(self, number: int) -> t.BtfType:
        try:
            return self.btf[number]
        except IndexError as problem:
            raise t.BtfError(str(problem)) from None

    def _check_nesting(self, number: int, around: tuple[int, ...]) -> None:
        """Refuse a struct inside itself where it has no name, or the member has none: its members would have no end."""
        if number in around:
            raise t.BtfError(f"BTF type [{number}] lies inside itself")
        item = self._item(number)
        assert isinstance(item, (t.Struct, t.Union))
        for member in item.members:
            inside = member.type
            kind = self._item(inside)
            seen = 0
            while isinstance(kind, (t.Array, *_INNER)) and seen < 32:  # `of` finds those that lead to themselves
                inside = kind.element if isinstance(kind, t.Array) else kind.type
                kind = self._item(inside)
                seen += 1
            if isinstance(kind, (t.Struct, t.Union)) and not (kind.name and member.name):
                self._check_nesting(inside, (*around, number))

    def _listed(self, item: t.Struct | t.Union) -> tuple[KernelMember, ...]:
        made = []
        for index, member in enumerate(item.members):
            kind = self.of(member.type)
            bits = member.bits or self._odd_width(member.type)
            made.append(KernelMember(member.name, kind, member.offset // 8, index, bits, member.offset % 8))
        return tuple(made)

    def _odd_width(self, number: int) -> int:
        """Width of a bit field whose BTF is of the old kind: an integer of fewer bits than its bytes have."""
        item = self._item(number)
        while isinstance(item, _INNER):  # `of` has been here: there is an end
            item = self._item(item.type)
        if isinstance(item, t.Int) and not item.encoding & t.INT_BOOL and item.bits < item.size * 8:
            return item.bits
        return 0


def _integer(item: t.Int) -> Type:
    if item.encoding & t.INT_BOOL:
        return BOOL
    if item.size > 8:
        return ArrayType(U64, item.size // 8)
    return IntType(item.size * 8, bool(item.encoding & t.INT_SIGNED))
