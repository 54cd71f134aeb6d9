"""What the user's objects declare: maps, globals, helpers, contexts, programs.

The compiler meets these as the `__bpf__` attribute of objects in the user function's globals. They are plain
values: nothing here knows a kernel, libbpf or the standard library.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record, factory
from pybpf.compiler.schema.types import NONE, U64, StructType, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "LEVEL_SINCE", "ArgSpec", "BuiltinSpec", "ContextSpec", "CtxField", "FillSpec", "GlobalSpec", "HelperSpec",
    "IterSpec", "KfuncSpec", "MapKind", "MapSpec", "ObjectSpec", "OpsSpec", "ProgramSpec", "StateSpec", "SubprogSpec",
    "Target",
]  # fmt: skip


class MapKind(Record, eq=False):
    """A row of the map-type table (include/uapi/linux/bpf.h, `enum bpf_map_type`)."""

    name: str  # "HASH", as in BPF_MAP_TYPE_HASH
    number: int
    keyed: bool = True  # has keys and values (a ring buffer has neither)
    indexed: bool = False  # the key is an array index: u32, every slot exists, nothing is deleted
    percpu: bool = False  # each CPU sees its own value: a plain add is enough
    since: str = "3.19"
    sleepable: str = ""  # the first release in which programs that may sleep can use it; "" none
    # which operators and methods programs have for it: "hash", "array", "trie", "queue", "bloom", "ring", "programs",
    # "maps", "storage" (the keys are objects of the kernel), "local"; "" where its class has all of them
    family: str = ""
    flags: str = ""  # names of the flags that it may be made with
    user: str = ""  # what user space may do with its elements


class MapSpec(Record, eq=False):
    """A declared map. `name` is its symbol; `max_entries` is bytes for ring buffers.

    `programs` is what the slots of a program array hold from the start, by index: objects that carry a ProgramSpec.
    `held` are the bytes of key and value in the kernel, where programs have neither (`value` then is what an event is);
    `pages` the room of each CPU's ring of perf events. `helpers` are those behind methods, by the method's name.
    """

    name: str
    kind: MapKind
    key: Type | None
    value: Type | None
    max_entries: int
    flags: int = 0
    pinning: int = 0
    extra: int = 0
    programs: dict[int, Any] = factory(dict)
    numa_node: int | None = None
    inner: MapSpec | None = None  # what each map of a map of maps is like
    inners: dict[int, Any] = factory(dict)  # those that it has from the start, by key: objects that carry a MapSpec
    at: Any = None  # an inner map, where it is used in a program: the expression that gives its address
    needs: tuple[tuple[str, str], ...] = ()  # what was asked for, with the release since when the kernel has it
    held: tuple[int, int] = (0, 0)
    pages: int = 0
    lost: GlobalSpec | None = None  # the u64 that counts events without room
    helpers: dict[str, Any] = factory(dict)

    def filled(self) -> dict[int, str]:
        """The symbols of what is in it from the start, programs or maps, in the order of their slots."""
        if self.inners:
            return {index: self.inners[index].__bpf__.name for index in sorted(self.inners)}
        return {index: spec.name for index, spec in self.slots().items()}

    def slots(self) -> dict[int, ProgramSpec]:
        """The programs of a program array, in the order of their slots."""
        return {index: self.programs[index].__bpf__ for index in sorted(self.programs)}


class GlobalSpec(Record, eq=False):
    """A `const()` (section .rodata) or `var()` (.data, or .bss when `init` is all zero) of the program.

    With a `section` it is an extern, whose value the loader supplies: ".kconfig" for a value of the kernel's
    configuration, ".ksyms" for a symbol of the kernel. A `weak` one may be absent, and then reads as zero. `how`:
    "address" for the symbol's own, as a u64; "percpu" for the value that this CPU has; "function" for a
    kernel function that is asked for.
    """

    name: str
    type: Type
    init: bytes  # exactly size_of(type) bytes
    constant: bool
    section: str = ""
    weak: bool = False
    how: str = ""
    arena: MapSpec | None = None  # it lies at the start of that map, which user space shares


class ArgSpec(Record):
    """One argument of a helper, in the verifier's terms (kernel/bpf/helpers.c, `enum bpf_arg_type`).

    `kind` is one of
        scalar    an integer of `type`
        address   any 64-bit address, unchecked (probe reads)
        ctx       the program's context
        map       a map
        key value pointer to the preceding map's key / value
        mem       pointer to readable memory whose size is the next `size` argument
        out       pointer to memory that the helper fills; size likewise
        slot      pointer to memory that the helper fills with a value of the preceding map
        size      byte count of the memory argument before it (`zero` says whether 0 is allowed)
        ptr       pointer to a kernel or BTF object of struct `type`
        func      a callback
        fmt       pointer to a constant format string (with its size next)
    """

    name: str
    kind: str
    type: Type = U64
    zero: bool = False


class HelperSpec(Record, eq=False):
    """A kernel helper: `id` is its number in `enum bpf_func_id`; `result` is NONE for void.

    `nullable`: the returned pointer may be NULL. `programs`: the programs that may call it (empty: all), with the
    release since when ("" as long as there is the helper): a program type, "XDP", or one with an attach type,
    "TRACING/BPF_TRACE_ITER". `targets`: of such a key, the only places where a program may be attached. `first`: by
    program type, the first argument where it is another than in `args`. `maps`: names of the only map types that it
    takes (empty: any), `not_maps`: of those that it does not take. `since`: first kernel release, as "5.8". `release`:
    what gives back its result, where that is a
    reference of its own; `releases`: it gives back its first argument. `dynptr`: what it does with one, beyond looking
    into it: the kind that it makes (dynptrs.py; "clone": the kind of its first argument), "data" or "slice" or
    "slice_rdwr" where it gives memory that one is about, "write" where it may change a packet, "ringbuf+" where it
    wants one of such a record. `body`: it calls the body of a loop; names and types of what it gives to that, in front
    of the body's frame: the last is the loop's element. Nothing may sleep there.
    """

    name: str
    id: int
    args: tuple[ArgSpec, ...]
    result: Type
    nullable: bool = False
    gpl: bool = False
    sleepable: bool = False
    programs: dict[str, str] = factory(dict)
    targets: dict[str, frozenset[str]] = factory(dict)
    first: dict[str, ArgSpec] = factory(dict)
    maps: frozenset[str] = frozenset()
    not_maps: frozenset[str] = frozenset()
    since: str = ""
    doc: str = ""
    signature: str = ""  # C prototype, for messages
    release: HelperSpec | None = None
    releases: bool = False
    dynptr: str = ""
    body: tuple[tuple[str, Type], ...] = ()


class KfuncSpec(Record, eq=False):
    """A function of the kernel that programs may call by name (Documentation/bpf/kfuncs.rst).

    `params` and `result` are C's, as types of the language have them (KernelMember says how): the object's BTF shows
    them, and the loader compares. What the ends of parameters' names say (`__sz`, `__str`, `__ign`, ...) holds.
    `flags` are its KF_ flags, in lower case without KF_; "leaves": it ends a region that another function begins, whose
    `release` it is; "locked": it may be called while a lock is held; "address": its result is an address for
    asm() to use. `programs` are those that may call it, as of HelperSpec; empty: all. `since` is its first release, ""
    where nobody says.
    """

    name: str
    params: tuple[tuple[str, Type], ...]
    result: Type
    flags: frozenset[str] = frozenset()
    programs: dict[str, str] = factory(dict)
    since: str = ""
    release: HelperSpec | KfuncSpec | None = None  # what gives back its result, where that is a reference of its own
    cast: KfuncSpec | None = None  # what makes the kernel's own object of a program's context
    contexts: dict[str, str] = factory(dict)  # by the struct of a context, that object's
    short: str = ""  # under which name programs call it, where that is another
    dynptr: str = ""  # as of HelperSpec

    @property
    def nullable(self) -> bool:
        return "ret_null" in self.flags


class IterSpec(Record, eq=False):
    """What a program loops over by three functions of the kernel (Documentation/bpf/bpf_iterators.rst, open-coded).

    `new` makes the iterator in `size` bytes of the program's stack, which is the first parameter of all three; `next`
    gives an element, or NULL behind the last; `destroy` follows on every way out, also where `new` failed.
    """

    name: str  # "bpf_iter_task", as a program calls it
    new: KfuncSpec
    next: KfuncSpec
    destroy: KfuncSpec
    size: int


class ObjectSpec(Record, eq=False):
    """A function for objects that programs allocate: `obj_new`, `obj_drop`, `refcount_acquire`, by `name`.

    `kfunc` is the kernel's; `release` what gives an object back; `check(class, what)` gives the struct of a class whose
    objects may be allocated, or raises a DeclarationTypeError about `what`.
    """

    name: str
    kfunc: KfuncSpec
    release: KfuncSpec
    check: Callable[[Any, str], StructType]


class FillSpec(Record, eq=False):
    """A value made by a helper that fills memory: `comm()`, `user_str(address)`.

    The value is built where it is wanted (a field of a ring-buffer record, a local), so no copy is made. `call` gives
    the helper's arguments: "dest", "size", the index of an argument of the Python call (the program's context comes
    after those), or a number behind "=". `default` is the type of the value where the place that it is wanted in does
    not ask for a certain size (None: it must). `element`: the value is an array of these, rather than text or bytes.
    """

    name: str
    helper: HelperSpec
    call: tuple[str | int, ...]
    params: tuple[str, ...]
    default: Type | None = None
    element: Type | None = None
    # what the simulator calls: (runtime, *args) -> bytes; set by the standard library
    simulate: Any = None


class CtxField(Record):
    """A field of a context: `type` as Python sees it, loaded as `size` bytes at `offset`.

    `role` is "" for a plain value, "packet" / "packet_end" for the packet's bounds (32-bit in the struct, an address
    once loaded), "packet_meta" for the address of what lies in front of it, likewise, "data_loc" for a tracepoint's
    dynamic string (low half: offset into the record, high half: length),
    "array" for inline arrays and text, which are referred to in place. `since`: the first release that has it there.
    """

    name: str
    type: Type
    offset: int
    size: int
    role: str = ""
    writable: bool = False
    doc: str = ""
    since: str = ""


class StateSpec(Record):
    """A variable that belongs to one run of the program and is kept on the context object (`pkt.cursor`).

    It starts as the context field `init` and lives in a register.
    """

    name: str
    init: str


class ContextSpec(Record, eq=False):
    """A program's first argument. `struct` is the C struct's name, which BTF must show for the kernel to know it.

    `owner` is the Python class that annotates the parameter; plain functions found on it are its methods. `user`:
    addresses in its fields are the process's, as the arguments of system calls are. `packet_writable`: what lies
    between its packet's bounds may be changed there. `in_memory`: the struct is what lies at its address, so an element
    of its
    arrays can be read by any index; of other contexts the verifier makes each access another one.
    """

    struct: str
    fields: tuple[CtxField, ...]
    state: tuple[StateSpec, ...] = ()
    owner: Any = None
    user: bool = False
    packet_writable: bool = True
    in_memory: bool = False
    # names of fields that did exist on other kernels, aliases and the like are told by did-you-mean only

    def field(self, name: str) -> CtxField | None:
        for field in self.fields:
            if field.name == name:
                return field
        return None


class ProgramSpec(Record, eq=False):
    """A decorated function. `section` is libbpf's section name, which also says the program's type.

    `context` is None where the parameters are the arguments themselves. Parameters after the context (all of them,
    without one) are read as u64 from `arg_offsets` of the context, in order: raw tracepoints, BTF tracepoints, and
    the argument registers of a probed function; or are what `arg_values` give. `returns` is the type of the return
    value (NONE: the program always returns `default_return`). An answer that can't be seen to lie in `allowed` is
    `default_return` where it does not.
    """

    name: str
    function: Callable[..., Any]
    section: str
    prog_type: str  # "XDP", as in BPF_PROG_TYPE_XDP
    context: ContextSpec | None
    context_struct: str  # name of the C struct that the kernel passes
    attach_type: str = "0"  # "BPF_TRACE_ITER", as the section name says; "0" for none
    arg_offsets: tuple[int, ...] = ()
    returns: Type = NONE
    void: bool = False  # what the program is attached to has no result that it could change
    default_return: int = 0
    allowed: tuple[int, int] | None = None  # the least and the greatest that the hook may return, where there are such
    sleepable: bool = False
    # the kernel knows the arguments' types, `arg_types` if we do too: pointers among them may be loaded from
    btf: bool = False
    arg_types: tuple[Type | None, ...] = ()
    # functions of the language that compute the arguments from a context of `values_from`, in place of `arg_offsets`
    arg_values: tuple[Any, ...] = ()
    values_from: ContextSpec | None = None
    user: bool = False  # addresses among the arguments are the process's
    attach: dict[str, Any] = factory(dict)  # what the runtime needs to attach it; the compiler does not look
    registers: bool = False  # the parameters come in registers, as those of any function; offsets then just count them
    ops: OpsSpec | None = None  # the table of operations that it belongs to
    since: str = ""  # the first release that has the hook, "" for what all have
    doubt: tuple[str, str] = ("", "")  # what is odd about its hook, to be warned of, and a hint
    maps: tuple[Any, ...] = ()  # declarations of maps that belong to the object, whether the function names them or not


class OpsSpec(Record, eq=False):
    """A table of operations (struct_ops): programs in the place of a kernel struct's functions, and other members.

    `name` is its symbol, `struct` the name of the kernel's struct. `programs` are the symbols of programs, by member;
    `values` type and bytes of the other members that are given. `writable` says to which members of kernel structs its
    programs may store, as paths joined by dots, by the struct's name.
    """

    name: str
    struct: str
    programs: dict[str, str]
    values: dict[str, tuple[Type, bytes]]
    writable: dict[str, frozenset[str]] = factory(dict)
    owner: Any = None  # what the programs' first parameter, `self`, stands for


class SubprogSpec(Record, eq=False):
    """A function that is called rather than inlined. `name` is its symbol.

    A static one (`global_` False) is verified anew at each call, with what is known of the arguments there. A global
    one is verified once, on its own, for any arguments of its parameters' types.
    """

    name: str
    function: Callable[..., Any]
    global_: bool = False


class BuiltinSpec(Record):
    """A function that the frontend itself knows (`printk`, `sizeof`, `min`), by name."""

    name: str


# The oldest kernel that runs each ISA level. What came later than its level is a matter of the instruction
# (isa/levels.py).
LEVEL_SINCE = {1: (3, 18), 2: (4, 14), 3: (5, 1), 4: (6, 6)}
_UNTOLD = (0, 0)


class Target(Record):
    """What to compile for: the ISA level (1-4), the CPU architecture of probed registers, the oldest kernel.

    The level is 3 unless told, or less where the kernel has less; the kernel is 6.1, or the first that has the level.
    Raises DeclarationValueError for a level that there is not, or that the kernel does not run.
    """

    cpu: int = 0
    arch: str = "x86_64"
    kernel: tuple[int, int] = _UNTOLD
    optimise: bool = True
    license: str = "GPL"

    def __post_init__(self) -> None:
        if self.kernel == _UNTOLD:
            self.kernel = max((6, 1), LEVEL_SINCE.get(self.cpu, _UNTOLD))
        best = max([level for level, since in LEVEL_SINCE.items() if since <= self.kernel], default=1)
        self.cpu = self.cpu or min(best, 3)
        if self.cpu not in LEVEL_SINCE or self.cpu > best:
            _no_level(self.cpu, best, self.kernel)


def _no_level(cpu: int, best: int, kernel: tuple[int, int]) -> None:
    """Raise what is wrong with the ISA level of a target."""
    from pybpf.compiler.schema.errors import DeclarationValueError

    if cpu not in LEVEL_SINCE:
        raise DeclarationValueError(f"there is no instruction set v{cpu}", help="it is one of 1, 2, 3 and 4")
    oldest, since = ".".join(map(str, kernel)), ".".join(map(str, LEVEL_SINCE[cpu]))
    raise DeclarationValueError(
        f"instruction set v{cpu} needs Linux {since}, and the programs are to run on Linux {oldest} too",
        label=f"Linux {oldest} has v{best}",
        help=f"build with --cpu v{best}, or with --target {since}",
    )


def in_registers(program: ProgramSpec) -> bool:
    """Whether the arguments are registers as they were at the call, whose upper bits may be anything; the others, of
    tracepoints and iterators, the kernel converts to 64 bits.
    """
    return not program.prog_type.startswith("RAW_TRACEPOINT") and program.attach_type not in (
        "BPF_TRACE_RAW_TP", "BPF_TRACE_ITER",
    )  # fmt: skip


# What came later may call what those may that run at the same places: bpf_prog_has_trampoline() in
# kernel/bpf/trampoline.c.
_ALIKE = {
    "TRACING/BPF_TRACE_FSESSION": "TRACING/BPF_TRACE_FEXIT",
    "TRACING/BPF_TRACE_FENTRY_MULTI": "TRACING/BPF_TRACE_FENTRY",
    "TRACING/BPF_TRACE_FEXIT_MULTI": "TRACING/BPF_TRACE_FEXIT",
    "TRACING/BPF_TRACE_FSESSION_MULTI": "TRACING/BPF_TRACE_FEXIT",
}


def permits(programs: dict[str, str], program: ProgramSpec) -> str | None:
    """Which of the programs that may call a function a program is, as the key; None where it may not."""
    key = f"{program.prog_type}/{program.attach_type}"
    if key not in programs:
        key = _ALIKE.get(key, key)
    return key if key in programs else program.prog_type if program.prog_type in programs else None


def struct_of(type: Type) -> StructType | None:
    """The struct that a struct type or a reference to one names."""
    from pybpf.compiler.schema.types import PtrType

    inner = type.pointee if isinstance(type, PtrType) else type
    return inner if isinstance(inner, StructType) else None
