"""Tables of operations -> `.struct_ops` and its BTF.

A table is a variable of the kernel's struct of that name: programs in the place of its functions, values in its other
members. Only members that are given are written: the loader finds each in the running kernel's struct by its name
(libbpf, bpf_map__init_kern_struct_ops). Which program stands where is a relocation each, as in C.
"""

from __future__ import annotations

from pybpf.compiler.btf import types as t
from pybpf.compiler.elf.image import (
    R_BPF_64_ABS64,
    SHF_ALLOC,
    SHF_WRITE,
    SHT_PROGBITS,
    STT_OBJECT,
    Relocation,
    Section,
    Symbol,
)
from pybpf.compiler.schema.core import essential
from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import align_of, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.btf.build import TypeBuilder
    from pybpf.compiler.schema.specs import OpsSpec

__all__ = ["OPS", "PlacedOps", "ops_section", "ops_symbols", "ops_types", "place_ops"]

OPS = ".struct_ops"
_POINTER = 8


class PlacedOps(Record):
    """A table and where it lies in the section; `members` are the offset and size of each of its members, in bytes."""

    spec: OpsSpec
    start: int
    size: int
    members: dict[str, tuple[int, int]]


def place_ops(tables: tuple[OpsSpec, ...]) -> list[PlacedOps]:
    """Lay the tables out one after the other, with C's alignment."""
    placed, at = [], 0
    for spec in tables:
        members: dict[str, tuple[int, int]] = {}
        end = 0
        for name in [*spec.programs, *spec.values]:
            kind = spec.values[name][0] if name in spec.values else None
            align, size = (align_of(kind), size_of(kind)) if kind is not None else (_POINTER, _POINTER)
            end += -end % align
            members[name] = end, size
            end += size
        end += -end % _POINTER
        placed.append(PlacedOps(spec, at, end, members))
        at += end
    return placed


def ops_section(placed: list[PlacedOps]) -> Section:
    data = bytearray(sum([table.size for table in placed]))
    relocations = []
    for table in placed:
        for name, (offset, size) in table.members.items():
            at = table.start + offset
            if name in table.spec.programs:
                relocations.append(Relocation(at, table.spec.programs[name], R_BPF_64_ABS64))
            else:
                data[at : at + size] = table.spec.values[name][1]
    return Section(OPS, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, bytes(data), _POINTER, tuple(relocations))


def ops_symbols(placed: list[PlacedOps]) -> list[Symbol]:
    return [Symbol(table.spec.name, OPS, table.start, table.size, STT_OBJECT) for table in placed]


def ops_types(builder: TypeBuilder, placed: list[PlacedOps]) -> None:
    """Describe the section: a variable for each table, of a struct with the kernel's name."""
    function = builder.add(t.Ptr(builder.prototype([], builder.integer(32, signed=True))))
    variables = []
    for table in placed:
        members = []
        for name, (offset, _) in table.members.items():
            kind = builder.of(table.spec.values[name][0]) if name in table.spec.values else function
            members.append(t.Member(name, kind, 8 * offset))
        struct = builder.add(t.Struct(essential(table.spec.struct), table.size, tuple(members)))
        number = builder.add(t.Var(table.spec.name, struct, t.GLOBAL))
        variables.append(t.SectionVar(number, table.start, table.size))
    builder.add(t.Datasec(OPS, sum([table.size for table in placed]), tuple(variables)))
