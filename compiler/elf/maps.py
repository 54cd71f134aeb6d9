"""Map declarations -> `.maps` and its BTF.

A map is a variable whose anonymous struct spells the definition in types (libbpf, parse_btf_map_def): an integer N as
`int (*member)[N]`, a type T as `T *member`. The bytes of the section are all zero; the slots of a program array are
filled by relocations.

    struct {
        int (*type)[1];
        int (*max_entries)[1024];
        unsigned int *key;
        unsigned long long *value;
    } counts;
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
from pybpf.compiler.schema.types import EnumType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.btf.build import TypeBuilder
    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["MAPS", "map_definition", "map_section", "map_symbols"]

MAPS = ".maps"
_POINTER = 8


def map_section(maps: tuple[MapSpec, ...], sizes: list[int]) -> Section:
    """The section of maps whose definitions have these sizes in bytes.

    What the slots of a program array hold from the start is a relocation each (libbpf, bpf_object__collect_map_relos),
    at the end of the definition.
    """
    relocations, end = [], 0
    for map_, size in zip(maps, sizes):
        end += size
        for index, symbol in map_.filled().items():
            first = end - _slots(map_) * _POINTER
            relocations.append(Relocation(first + index * _POINTER, symbol, R_BPF_64_ABS64))
    return Section(MAPS, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, bytes(sum(sizes)), 8, tuple(relocations))


def _slots(map_: MapSpec) -> int:
    """How many slots the definition has room for."""
    return max(map_.programs or map_.inners, default=-1) + 1


def map_symbols(maps: tuple[MapSpec, ...], sizes: list[int]) -> list[Symbol]:
    """A global symbol for each map: libbpf does not find those of other bindings, and says nothing."""
    symbols, offset = [], 0
    for map_, size in zip(maps, sizes):
        symbols.append(Symbol(map_.name, MAPS, offset, size, STT_OBJECT))
        offset += size
    return symbols


def map_definition(builder: TypeBuilder, map_: MapSpec) -> tuple[int, int]:
    """Id of the map's struct, and the definition's size in bytes, with the slots of a program array behind the struct.

    Members that say nothing are left out: cilium/ebpf and aya know fewer of them than libbpf.
    """
    members: list[tuple[str, int]] = [("type", _number(builder, map_.kind.number))]
    for name, number in (("max_entries", map_.max_entries), ("map_flags", map_.flags), ("map_extra", map_.extra)):
        if number >> 32:  # more than an array's length can say: libbpf 1.4 takes an enumerator (__ulong)
            members.append((name, builder.add(t.Enum64("", 8, False, ((f"{map_.name}_{name}", number),)))))
        elif number:
            members.append((name, _number(builder, number)))
    if map_.numa_node is not None:
        members.append(("numa_node", _number(builder, map_.numa_node)))
    for name, number in zip(("key_size", "value_size"), map_.held):
        if number:
            members.append((name, _number(builder, number)))
    key = map_.key
    if map_.kind.indexed and isinstance(key, EnumType):
        key = key.base  # the kernel wants an integer as an array's index (array_map_check_btf)
    for name, type_ in (("key", key), ("value", map_.value)):
        if type_ is None or (map_.inner is not None and name == "value"):
            continue
        if map_.kind.keyed or "peek" in map_.kind.user:
            members.append((name, builder.pointer(type_)))
        else:
            # The map itself has neither key nor value (ringbuf_map_alloc), but its consumers need to know what it
            # holds: `bpftool btf dump format c` and bpf2go -type find it among the types.
            builder.of(type_)
    if map_.pinning:
        members.append(("pinning", _number(builder, map_.pinning)))
    size = len(members) * _POINTER
    if map_.inner is not None:
        # `struct { ... } *values[]`, the definition of the maps in it, which has to be the last
        inner, _ = map_definition(builder, map_.inner)
        members.append(("values", builder.array(builder.add(t.Ptr(inner)), 0)))
    if map_.programs:
        # `int (*values[])(void *)`, which has to be the last
        parameter = t.Parameter("", builder.add(t.Ptr(0)))
        program = builder.add(t.Ptr(builder.prototype([parameter], builder.integer(32, signed=True))))
        members.append(("values", builder.array(program, 0)))
    fields = tuple([t.Member(name, type_, i * _POINTER * 8) for i, (name, type_) in enumerate(members)])
    return builder.add(t.Struct("", size, fields)), size + _slots(map_) * _POINTER


def _number(builder: TypeBuilder, number: int) -> int:
    return builder.add(t.Ptr(builder.array(builder.integer(32, signed=True), number)))
