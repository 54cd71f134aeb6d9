"""Facts about the kernel's types that the loader adapts to the running kernel: CO-RE relocations as data.

A `CoreFact` is what an instruction holds of a type: where a member lies, how large it is, whether it exists. `value` is
what is so by the BTF that the type is from; the loader (libbpf's relo_core.c, cilium/ebpf's btf/core.go) puts in what
is so in the running kernel. In an access string the first number indexes what a pointer to the type points to; each
further one is a member's place among its siblings, or an array's index.
"""

from __future__ import annotations

from pybpf.compiler.schema.kernel import KernelMember
from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import ArrayType, EnumType, IntType, Type, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Step: TypeAlias = KernelMember | int  # into a member; into an array's element

__all__ = [
    "BYTE_OFFSET", "BYTE_SIZE", "ENUM_EXISTS", "ENUM_VALUE", "FIELD_EXISTS", "LSHIFT", "RSHIFT", "SIGNED",
    "TYPE_EXISTS", "TYPE_ID_LOCAL", "TYPE_ID_TARGET", "TYPE_MATCHES", "TYPE_SIZE", "WIDE", "CoreFact", "enum_fact",
    "essential", "field_fact", "offset_of", "type_after", "type_fact",
]  # fmt: skip

# enum bpf_core_relo_kind, include/uapi/linux/bpf.h
BYTE_OFFSET, BYTE_SIZE, FIELD_EXISTS, SIGNED, LSHIFT, RSHIFT = range(6)
TYPE_ID_LOCAL, TYPE_ID_TARGET, TYPE_EXISTS, TYPE_SIZE, ENUM_EXISTS, ENUM_VALUE, TYPE_MATCHES = range(6, 13)

WIDE = (TYPE_ID_LOCAL, TYPE_ID_TARGET, ENUM_EXISTS, ENUM_VALUE)  # held by 64-bit loads, as clang has it


class CoreFact(Record):
    """`type` is a KernelType or an EnumType; `kind` and `access` are those of the relocation, by the type's own BTF."""

    kind: int
    type: Type
    access: str
    value: int


def essential(name: str) -> str:
    """A type's name without its flavour: "task_struct" of "task_struct___old"."""
    return name.partition("___")[0]


def type_after(kind: Type, path: Sequence[Step]) -> Type:
    """The type of what lies at the end of a path into `kind`."""
    for step in path:
        if isinstance(step, KernelMember):
            kind = step.type
        else:
            kind = kind.element if isinstance(kind, ArrayType) else IntType(8)
    return kind


def offset_of(kind: Type, path: Sequence[Step]) -> int:
    """Bytes from the start of `kind` to the end of the path; of a bit field, to the byte that it starts in."""
    offset = 0
    for step in path:
        if isinstance(step, KernelMember):
            offset += step.offset
            kind = step.type
        else:
            kind = kind.element if isinstance(kind, ArrayType) else IntType(8)
            offset += step * size_of(kind)
    return offset


def field_fact(kind: int, root: Type, path: Sequence[Step], first: int = 0) -> CoreFact:
    """A fact (kinds 0 to 5) about the member at the end of a path into `root`, of which `first` are skipped."""
    access = ":".join([str(first), *[str(s.index if isinstance(s, KernelMember) else s) for s in path]])
    return CoreFact(kind, root, access, _field_value(kind, root, path, first))


def _field_value(kind: int, root: Type, path: Sequence[Step], first: int) -> int:
    """As bpf_core_calc_field_relo in libbpf's relo_core.c computes it of the local type."""
    if kind == FIELD_EXISTS:
        return 1
    offset = offset_of(root, path)
    if first:
        offset += first * size_of(root)
    inner = type_after(root, path)
    last = path[-1] if path else None
    bits, start = 0, 8 * offset
    size = size_of(inner)
    if isinstance(last, KernelMember) and last.bits:
        bits, start = last.bits, start + last.bit_offset
        offset = start // 8 // size * size
        while start + bits - 8 * offset > 8 * size:
            size *= 2
            offset = start // 8 // size * size
    if kind == BYTE_OFFSET:
        return offset
    if kind == BYTE_SIZE:
        return size
    if kind == SIGNED:
        base = inner.base if isinstance(inner, EnumType) else inner
        return int(isinstance(base, IntType) and base.signed)
    if kind == LSHIFT:
        return 64 - (start + bits - 8 * offset) if bits else 64 - 8 * size
    return 64 - bits if bits else 64 - 8 * size


def type_fact(kind: int, type: Type) -> CoreFact:
    """A fact (kinds 6 to 9, 12) about a type."""
    value = {TYPE_EXISTS: 1, TYPE_MATCHES: 1}.get(kind, 0)
    return CoreFact(kind, type, "0", size_of(type) if kind == TYPE_SIZE else value)


def enum_fact(kind: int, type: EnumType, name: str) -> CoreFact:
    """A fact (kinds 10, 11) about an enumerator."""
    names = [member for member, _ in type.members]
    at = names.index(name)
    return CoreFact(kind, type, str(at), 1 if kind == ENUM_EXISTS else type.members[at][1])

