"""The kernel's types as a program's own BTF shows them: only what its CO-RE relocations name.

A loader looks up each relocated type in the running kernel by its name, and a member by the names on the way to it; how
large a local struct is, and where a member lies in it, must be what the instructions hold. So a struct is written with
its size and the members that are used, at their offsets, and access strings count those members. Pointers lead to a
struct that is written anyway, or to nothing: any two pointers match (bpf_core_fields_are_compat, libbpf's relo_core.c).
"""

from __future__ import annotations

from pybpf.compiler.btf import types as t
from pybpf.compiler.schema.core import ENUM_EXISTS, ENUM_VALUE, TYPE_MATCHES
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import ArrayType, EnumType, PtrType, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybpf.compiler.btf.build import TypeBuilder
    from pybpf.compiler.elf.model import CoreReloc

__all__ = ["LocalTypes"]

_ENUMERATORS = (ENUM_EXISTS, ENUM_VALUE)


class LocalTypes:
    """What `relocs` use of which type. `of` and `access` give a relocation's type and access string in `builder`."""

    def __init__(self, builder: TypeBuilder, relocs: Iterable[CoreReloc]) -> None:
        self._builder = builder
        self._members: dict[KernelType, set[int]] = {}
        self._enumerators: dict[EnumType, set[int]] = {}
        self._ids: dict[Type, int] = {}
        for reloc in relocs:
            self._use(reloc.type, reloc.access, reloc.kind)
        builder.kernel = self.of

    def _use(self, kind: Type, access: str, relocation: int) -> None:
        first, *rest = map(int, access.split(":"))
        if isinstance(kind, EnumType):
            used = self._enumerators.setdefault(kind, set())
            if relocation in _ENUMERATORS:
                used.add(first)
            return
        if not isinstance(kind, KernelType):
            return
        if relocation == TYPE_MATCHES:
            self._use_all(kind)
        inner: Type = self._enter(kind)
        for step in rest:
            if isinstance(inner, KernelType):
                self._members[inner].add(step)
                inner = inner.members[step].type
            else:
                assert isinstance(inner, ArrayType), f"access {access} of {kind} enters {inner}"
                inner = inner.element
            inner = self._enter(inner)

    def _enter(self, kind: Type) -> Type:
        if isinstance(kind, KernelType):
            self._members.setdefault(kind, set())
        return kind

    def _use_all(self, kind: Type) -> None:
        """Of a type that must match as a whole: all members, and those of the structs inside."""
        while isinstance(kind, ArrayType):
            kind = kind.element
        if isinstance(kind, EnumType):
            self._enumerators.setdefault(kind, set()).update(range(len(kind.members)))
        if isinstance(kind, KernelType):
            self._enter(kind)
            self._members[kind].update(range(len(kind.members)))
            for member in kind.members:
                self._use_all(member.type)

    def access(self, kind: Type, access: str, relocation: int) -> str:
        """The access string, counting the members and enumerators that are written."""
        steps = list(map(int, access.split(":")))
        if isinstance(kind, EnumType):
            return str(sorted(self._enumerators[kind]).index(steps[0])) if relocation in _ENUMERATORS else access
        if not isinstance(kind, KernelType):
            return access
        found = steps[:1]
        for step in steps[1:]:
            if isinstance(kind, KernelType):
                found.append(sorted(self._members[kind]).index(step))
                kind = kind.members[step].type
            else:
                assert isinstance(kind, ArrayType)
                found.append(step)
                kind = kind.element
        return ":".join(map(str, found))

    def of(self, kind: Type) -> int:
        """The id of a type, which is written if it is not there yet."""
        if isinstance(kind, PtrType):
            pointee = kind.pointee
            return self._builder.add(t.Ptr(self.of(pointee) if pointee in self._members else 0))
        if isinstance(kind, ArrayType):
            return self._builder.array(self.of(kind.element), kind.length)
        if not isinstance(kind, (KernelType, EnumType)):
            return self._builder.of(kind)
        number = self._ids.get(kind)
        if number is None:
            number = self._enum(kind) if isinstance(kind, EnumType) else self._struct(kind)
            self._ids[kind] = number
        return number

    def _enum(self, kind: EnumType) -> int:
        """With the enumerators that are used; without any it is like a declaration of the enum."""
        values = tuple([kind.members[at] for at in sorted(self._enumerators.get(kind, ()))])
        low, high = (-(1 << 31), (1 << 31) - 1) if kind.base.signed else (0, (1 << 32) - 1)
        narrow = kind.base.bits <= 32 and all(low <= value <= high for _, value in values)
        return self._builder.add(
            (t.Enum if narrow else t.Enum64)(kind.name, kind.base.bits // 8, kind.base.signed, values)
        )

    def _struct(self, kind: KernelType) -> int:
        """A struct may be reached again through its members, so it has its id before they are written."""
        types = self._builder.types
        number = self._ids[kind] = len(types)
        types.append(t.VOID)
        used = [kind.members[at] for at in sorted(self._members.get(kind, ()))]
        members = tuple([t.Member(m.name, self.of(m.type), 8 * m.offset + m.bit_offset, m.bits) for m in used])
        starts = [m.offset for m in members]
        typedef = kind.tag == "typedef"
        union = kind.tag == "union" or (typedef and len(starts) > 1 and len(set(starts)) == 1)
        types[number] = (t.Union if union else t.Struct)("" if typedef else kind.name, kind.size, members)
        return self._builder.add(t.Typedef(kind.name, number)) if typedef else number
