"""What the object writer is given: plain data, free of the compiler's inner representations.

Offsets are in bytes. Code is 8 bytes an instruction slot, little-endian (RFC 9669 §3); a 64-bit immediate load takes
two slots.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.schema.specs import GlobalSpec, MapSpec, OpsSpec
    from pybpf.compiler.schema.types import Type

__all__ = ["CoreReloc", "ExternSpec", "LineRecord", "Literal", "ObjectFunction", "ObjectModel", "Param", "Reloc"]


class Reloc(Record):
    """The instruction at `offset` of its function refers to `symbol`. The instruction, by `kind`:

    map       64-bit immediate load of a map's address
    global    64-bit immediate load of a global's, a literal's or an extern variable's address; the immediate is 0 (a
              field's offset belongs in the load or store that follows: cilium/ebpf ignores the immediate)
    call      call of a subprogram: opcode 0x85, source register 1
    callback  64-bit immediate load of a static subprogram's address, to be handed to a helper; source register 0
    extern    call of a kernel function: opcode 0x85, source register 1
    """

    offset: int
    symbol: str
    kind: str


class LineRecord(Record):
    """The instructions from `offset` of the function come from this place. Line and column are 1-based.

    The kernel's log shows `text` at the first instruction of each record.
    """

    offset: int
    file: str
    text: str
    line: int
    column: int


class CoreReloc(Record):
    """The instruction at `offset` of the function holds a fact of `type` that the loader adapts to the running kernel.

    `type` is a local type (a struct with just the members that are used will do; what follows `___` in its name is
    ignored). `access` is the path to the member, as indices joined by colons: "0:1" is the second member of what the
    pointer points to; "0" is the type itself. `kind` is a number of `enum bpf_core_relo_kind`:

     0 field byte offset   1 field byte size   2 field exists   3 field signed   4 left shift   5 right shift
     6 local type id       7 target type id    8 type exists    9 type size
    10 enumerator exists  11 enumerator value 12 type matches

    The instruction already holds the value for the local type.
    """

    offset: int
    type: Type
    access: str
    kind: int


class Param(Record):
    """A parameter. `type` is a type of the language, or the name of the struct that it points to.

    A program's context is given by the struct's name ("xdp_md"), or as a pointer to a StructType of that name.
    `tags` become BTF declaration tags, by which the kernel (6.8) tells the arguments of global functions apart:
    "arg:nonnull", and "arg:ctx" for a context that it does not know by the struct's name. The latter is needed in
    programs of types TRACEPOINT, TRACING (`u64 *`, or the iterator's struct) and SYSCALL.
    """

    name: str
    type: Type | str
    tags: tuple[str, ...] = ()


class ObjectFunction(Record):
    """A program, or a subprogram: a function of section ".text".

    `linkage` is "global" or "static". Programs are global. A global subprogram is verified on its own, and can't be
    a callback; a static one is verified with its callers. `lines` is in ascending order of offsets.
    """

    name: str
    section: str
    code: bytes
    params: tuple[Param, ...]
    result: Type
    relocs: tuple[Reloc, ...] = ()
    lines: tuple[LineRecord, ...] = ()
    core: tuple[CoreReloc, ...] = ()
    linkage: str = "global"


class Literal(Record):
    """Constant bytes that are no variable of the program, such as a format string. They go to .rodata, after the
    globals, with a local symbol and no type: skeletons don't show them.
    """

    name: str
    data: bytes
    align: int = 1


class ExternSpec(Record):
    """What the loader supplies: a kernel configuration value, or a kernel function.

    `section` is ".kconfig" (a variable of type `result`; `params` is None) or ".ksyms" (a function with `params` that
    returns `result`; or a variable, of type NONE where only its address is asked for). A weak one may be absent: a
    variable then reads as 0, and a call must not be reached.
    """

    name: str
    section: str
    result: Type
    params: tuple[Param, ...] | None = None
    weak: bool = False


class ObjectModel(Record):
    """A whole object. Everything is written in the order given here; names are distinct over all of it.

    Sections of programs appear in the order of their first function. Subprograms may stand anywhere.
    """

    functions: tuple[ObjectFunction, ...]
    maps: tuple[MapSpec, ...] = ()
    globals: tuple[GlobalSpec, ...] = ()
    literals: tuple[Literal, ...] = ()
    externs: tuple[ExternSpec, ...] = ()
    license: str = "GPL"
    ops: tuple[OpsSpec, ...] = ()
