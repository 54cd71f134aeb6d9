"""Types of the kernel, by name: what an attribute of `pybpf.kernel` carries in `__bpf__`.

A `KernelType` is a struct or union whose place in memory only the running kernel knows. The compiler works with the
layout of the BTF that it was given, and writes a CO-RE relocation for each fact that it took from it (RFC 9669 does
not know them; Documentation/bpf/btf.rst and llvm's BPFCoreReloc do). Members are read when they are asked for: a
kernel has 10,000 structs, of which a program names three.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KernelMember", "KernelType"]


class KernelMember(Record):
    """A member. `name` is "" for an anonymous struct or union, whose members belong to the outer one in C.

    `offset` is in bytes; bit fields have `bits` > 0 and start `bit_offset` bits into the byte at `offset`. `index` is
    the member's place among its siblings, from 0: a step of the access string. The type is, by what C says:

        integers, _Bool         IntType (`big` where the typedef is __be16, __be32, __be64), BoolType
        enum                    EnumType
        char[n]                 TextType(n); other arrays ArrayType (length 0: flexible)
        struct, union           KernelType, also where it is anonymous
        struct x *              PtrType(KernelType, Space.KERNEL); Space.USER where the pointer is tagged __user
        u32 *, char *, u8 **    PtrType(what it points to, ...); char * points to TextType(0)
        void *, functions *     PtrType(None, ...)
    """

    name: str
    type: Type
    offset: int
    index: int
    bits: int = 0
    bit_offset: int = 0


class KernelType(Type, eq=False):
    """A struct or union of the kernel, or one that the user declared of members that it needs (a flavour).

    `name` is C's, with the flavour if there is one ("task_struct___old"), "" where it is anonymous. Two of the same
    name from the same source are the same object. `read` gives the size in bytes and the members; it is called once.
    `tag` is "struct", "union", or "typedef" for an anonymous one that only a typedef names.
    """

    name: str
    read: Callable[[], tuple[int, tuple[KernelMember, ...]]]
    tag: str = "struct"
    _known: tuple[int, tuple[KernelMember, ...]] | None = None

    def __str__(self) -> str:
        return self.name or f"anonymous {self.tag}"

    def __repr__(self) -> str:
        return f"KernelType({self.name})"

    @property
    def size(self) -> int:
        """Bytes that it takes, by the BTF that it is from."""
        return self._all()[0]

    @property
    def members(self) -> tuple[KernelMember, ...]:
        return self._all()[1]

    def _all(self) -> tuple[int, tuple[KernelMember, ...]]:
        if self._known is None:
            self._known = self.read()
        return self._known

    def find(self, name: str) -> tuple[KernelMember, ...] | None:
        """The way to a member by its name, through anonymous ones: the outermost first. None: there is none.

        A name that is a Python keyword has an underscore behind it: `in_` finds `in`.
        """
        way = self._find(name)
        if way is None and name.endswith("_"):
            from keyword import iskeyword

            if iskeyword(name[:-1]):
                return self._find(name[:-1])
        return way

    def _find(self, name: str) -> tuple[KernelMember, ...] | None:
        for member in self.members:
            if member.name == name:
                return (member,)
        for member in self.members:
            if not member.name and isinstance(member.type, KernelType):
                inner = member.type._find(name)
                if inner is not None:
                    return (member, *inner)
        return None
