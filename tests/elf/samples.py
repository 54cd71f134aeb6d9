"""Hand-assembled programs as object models, for the writer's tests."""

from __future__ import annotations

import struct

from pybpf.compiler.elf.model import (
    CoreReloc,
    ExternSpec,
    LineRecord,
    Literal,
    ObjectFunction,
    ObjectModel,
    Param,
    Reloc,
)
from pybpf.compiler.schema.specs import GlobalSpec, MapKind, MapSpec
from pybpf.compiler.schema.types import (
    BOOL,
    I32,
    NONE,
    U8,
    U16,
    U32,
    U64,
    ArrayType,
    BytesType,
    EnumType,
    IntType,
    PtrType,
    Space,
    TextType,
    Type,
    layout,
)

HASH = MapKind("HASH", 1)
ARRAY = MapKind("ARRAY", 2, indexed=True)
PERCPU_HASH = MapKind("PERCPU_HASH", 5, percpu=True)
PERCPU_ARRAY = MapKind("PERCPU_ARRAY", 6, indexed=True, percpu=True)
LRU_HASH = MapKind("LRU_HASH", 9)
LPM_TRIE = MapKind("LPM_TRIE", 11)
RINGBUF = MapKind("RINGBUF", 27, keyed=False)

ACTION = EnumType("Action", U32, (("ACTION_PASS", 0), ("ACTION_DROP", 1)))
SIGNED = EnumType("Level", I32, (("LEVEL_LOW", -1), ("LEVEL_HIGH", 1)))
TINY = EnumType("Tiny", U8, (("TINY_TWO", 2),))
ROOMY = EnumType("Roomy", U64, (("ROOMY_THREE", 3),))
WIDE = EnumType("Wide", U64, (("WIDE_BIG", 1 << 40), ("WIDE_ONE", 1)))
KEY = layout("Key", [("pid", U32), ("cpu", U32)])
INNER = layout("Inner", [("port", IntType(16, big=True)), ("addr", IntType(32, big=True))])
EVENT = layout(
    "Event",
    [
        ("inner", INNER),
        ("action", ACTION),
        ("level", SIGNED),
        ("wide", WIDE),
        ("tiny_enum", TINY),
        ("comm", TextType(16)),
        ("mac", BytesType(6)),
        ("seen", BOOL),
        ("counts", ArrayType(U64, 4)),
        ("pairs", ArrayType(INNER, 2)),
        ("grid", ArrayType(ArrayType(U16, 3), 2)),
        ("delta", IntType(64, signed=True)),
        ("tiny", IntType(8, signed=True)),
    ],
)
PREFIX = layout("Prefix", [("length", U32), ("addr", IntType(32, big=True))])

FILE = "probe.py"


def ins(op: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """One instruction slot (RFC 9669 §3)."""
    return struct.pack("<BBhi", op, src << 4 | dst, off, imm)


def load_address(dst: int) -> bytes:
    """A 64-bit immediate load, both slots, for a relocation."""
    return ins(0x18, dst) + ins(0)


def move(dst: int, imm: int) -> bytes:
    return ins(0xB7, dst, imm=imm)


def helper(number: int) -> bytes:
    return ins(0x85, imm=number)


CALL = ins(0x85, src=1, imm=-1)
EXIT = ins(0x95)
RETURN_0 = move(0, 0) + EXIT


def line(offset: int, number: int, text: str, column: int = 5) -> LineRecord:
    return LineRecord(offset, FILE, text, number, column)


def map_spec(name: str, kind: MapKind, key: Type | None, value: Type | None, max_entries: int = 16) -> MapSpec:
    return MapSpec(name, kind, key, value, max_entries)


def context(struct_name: str) -> tuple[Param, ...]:
    return (Param("ctx", struct_name),)


def count_program(name: str, section: str, map_name: str, struct_name: str, first_line: int) -> ObjectFunction:
    """Counts in slot 0 of a map of u32 -> u64: `m[0] += 1`."""
    code = (
        ins(0x62, 10, off=-4)  # *(u32 *)(r10 - 4) = 0
        + ins(0xBF, 2, 10)
        + ins(0x07, 2, imm=-4)
        + load_address(1)  # at 24
        + helper(1)  # at 40
        + ins(0x15, 0, off=2)
        + move(1, 1)
        + ins(0xDB, 0, 1)  # lock *(u64 *)(r0 + 0) += r1
        + RETURN_0  # at 72
    )
    return ObjectFunction(
        name,
        section,
        code,
        context(struct_name),
        I32,
        relocs=(Reloc(24, map_name, "map"),),
        lines=(line(0, first_line, f"    {map_name}[0] += 1"), line(72, first_line + 1, "    return 0")),
    )


def minimal() -> ObjectModel:
    """One program that returns 0."""
    program = ObjectFunction(
        "hello", "raw_tp/sys_enter", RETURN_0, context("bpf_raw_tracepoint_args"), I32, lines=(line(0, 3, "return 0"),)
    )
    return ObjectModel((program,))


def all_maps() -> ObjectModel:
    """A map of each kind, with plain and struct keys and values."""
    maps = (
        map_spec("counts", HASH, U32, U64),
        map_spec("events_by_key", HASH, KEY, EVENT),
        map_spec("slots", ARRAY, U32, EVENT),
        map_spec("per_cpu", PERCPU_ARRAY, U32, U64, 1),
        map_spec("per_cpu_keyed", PERCPU_HASH, KEY, INNER),
        map_spec("recent", LRU_HASH, TextType(16), ACTION),
        map_spec("by_action", ARRAY, ACTION, U64, 2),
        MapSpec("blocked", LPM_TRIE, PREFIX, U32, 8, flags=1),
        map_spec("stream", RINGBUF, None, None, 4096),
    )
    args = "bpf_raw_tracepoint_args"
    programs = (
        count_program("count_plain", "raw_tp/sys_enter", "counts", args, 10),
        count_program("count_per_cpu", "raw_tp/sys_enter", "per_cpu", args, 20),
    )
    return ObjectModel(programs, maps)


GLOBALS = (
    GlobalSpec("only_pid", U32, bytes(4), constant=True),
    GlobalSpec("prefix", TextType(8), b"abc\0\0\0\0\0", constant=True),
    GlobalSpec("limit", KEY, struct.pack("<II", 7, 9), constant=True),
    GlobalSpec("threshold", U64, struct.pack("<Q", 1000), constant=False),
    GlobalSpec("mode", ACTION, struct.pack("<I", 1), constant=False),
    GlobalSpec("flag", U8, b"\0", constant=False),
    GlobalSpec("total", U64, bytes(8), constant=False),
    GlobalSpec("tiny", TINY, b"\2", constant=False),
    GlobalSpec("roomy", ROOMY, struct.pack("<Q", 3), constant=False),
    GlobalSpec("table", ArrayType(EVENT, 2), bytes(2 * EVENT.size), constant=False),
)


def global_data() -> ObjectModel:
    """A program that touches variables of all three data sections, a field in one, and a literal."""
    code = (
        load_address(1)  # 0: only_pid
        + ins(0x61, 2, 1)
        + ins(0x15, 2, off=9)  # if it is 0, go to 104
        + load_address(1)  # 32: threshold
        + ins(0x79, 3, 1)
        + load_address(1)  # 56: total
        + ins(0x7B, 1, 3)
        + load_address(1)  # 80: limit, second field
        + ins(0x61, 4, 1, off=4)
        + load_address(1)  # 104: the format
        + move(2, 7)
        + move(3, 5)
        + helper(6)  # trace_printk
        + RETURN_0
    )
    program = ObjectFunction(
        "use_data",
        "raw_tp/sys_enter",
        code,
        context("bpf_raw_tracepoint_args"),
        I32,
        relocs=(
            Reloc(0, "only_pid", "global"),
            Reloc(32, "threshold", "global"),
            Reloc(56, "total", "global"),
            Reloc(80, "limit", "global"),
            Reloc(104, "use_data____fmt", "global"),
        ),
        lines=(line(0, 5, "if only_pid:"), line(32, 6, "    total = threshold"), line(104, 7, "printk('5')")),
    )
    return ObjectModel((program,), globals=GLOBALS, literals=(Literal("use_data____fmt", b"n = %d\0"),))


def data_sums() -> ObjectModel:
    """An XDP program that returns the sum of some variables, and copies one into `total`."""
    code = (
        load_address(1)  # 0: threshold
        + ins(0x79, 0, 1)
        + load_address(2)  # 24: total
        + ins(0x7B, 2, 0)
        + load_address(1)  # 48: limit, second field
        + ins(0x61, 4, 1, off=4)
        + ins(0x0F, 0, 4)
        + load_address(1)  # 80: mode
        + ins(0x61, 4, 1)
        + ins(0x0F, 0, 4)
        + EXIT
    )
    names = {0: "threshold", 24: "total", 48: "limit", 80: "mode"}
    relocs = tuple(Reloc(at, name, "global") for at, name in names.items())
    program = ObjectFunction("sum_data", "xdp", code, context("xdp_md"), I32, relocs, (line(0, 1, "return a + b"),))
    return ObjectModel((program,), globals=GLOBALS)


def subprograms() -> ObjectModel:
    """XDP programs that call a static and a global subprogram, and hand a static one to bpf_loop."""
    double = ObjectFunction(
        "double_it",
        ".text",
        ins(0xBF, 0, 1) + ins(0x67, 0, imm=1) + EXIT,
        (Param("x", U32),),
        U32,
        lines=(line(0, 31, "    return x * 2"),),
        linkage="static",
    )
    each = ObjectFunction(
        "each_round",
        ".text",
        load_address(3) + ins(0x79, 4, 3) + ins(0x07, 4, imm=1) + ins(0x7B, 3, 4) + RETURN_0,
        (Param("index", U64), Param("state", PtrType(None, Space.STACK))),
        I32,
        relocs=(Reloc(0, "rounds", "global"),),
        lines=(line(0, 35, "    rounds += 1"), line(40, 36, "    return 0")),
        linkage="static",
    )
    checked = ObjectFunction(
        "length_of",
        ".text",
        ins(0x61, 0, 1, off=4) + ins(0x61, 1, 1) + ins(0x1F, 0, 1) + EXIT,
        (Param("ctx", "xdp_md"), Param("seed", U32)),
        U32,
        lines=(line(0, 40, "    return ctx.data_end - ctx.data"),),
    )
    main = ObjectFunction(
        "filter_packets",
        "xdp",
        ins(0xBF, 6, 1)
        + move(1, 4)
        + CALL  # 16: double_it
        + move(1, 3)
        + load_address(2)  # 32: each_round
        + move(3, 0)
        + move(4, 0)
        + helper(181)  # bpf_loop
        + ins(0xBF, 1, 6)
        + move(2, 1)
        + CALL  # 88: length_of
        + move(0, 2)
        + EXIT,
        context("xdp_md"),
        I32,
        relocs=(
            Reloc(16, "double_it", "call"),
            Reloc(32, "each_round", "callback"),
            Reloc(88, "length_of", "call"),
        ),
        lines=(
            line(0, 51, "    double_it(4)"),
            line(24, 52, "    loop(3, each_round)"),
            line(96, 53, "    return PASS"),
        ),
    )
    other = ObjectFunction(
        "pass_all", "xdp", move(0, 2) + EXIT, context("xdp_md"), I32, lines=(line(0, 60, "    return PASS"),)
    )
    rounds = GlobalSpec("rounds", U64, bytes(8), constant=False)
    return ObjectModel((main, double, checked, other, each), globals=(rounds,))


def externs() -> ObjectModel:
    """A program that reads what libbpf supplies: the kernel's version, and an option that doesn't exist."""
    code = (
        load_address(1)
        + ins(0x61, 0, 1)
        + load_address(2)
        + ins(0x71, 2, 2)
        + ins(0x15, 2, off=1)  # the weak option reads as 0: the call is dead code
        + CALL  # 56
        + RETURN_0
    )
    function = ObjectFunction(
        "use_externs",
        "tc",
        code,
        context("__sk_buff"),
        I32,
        relocs=(
            Reloc(0, "LINUX_KERNEL_VERSION", "global"),
            Reloc(24, "CONFIG_NO_SUCH_THING", "global"),
            Reloc(56, "pybpf_no_such_function", "extern"),
        ),
        lines=(line(0, 1, "return LINUX_KERNEL_VERSION"),),
    )
    return ObjectModel(
        (function,),
        externs=(
            ExternSpec("LINUX_KERNEL_VERSION", ".kconfig", I32),
            ExternSpec("CONFIG_NO_SUCH_THING", ".kconfig", BOOL, weak=True),
            ExternSpec("pybpf_no_such_function", ".ksyms", NONE, (), weak=True),
        ),
    )


def kernel_function() -> ObjectModel:
    """A program that calls a kernel function (a kfunc of 6.4)."""
    context_pointer = PtrType(layout("__sk_buff", []), Space.CTX)
    code = move(2, 0) + ins(0xBF, 3, 10) + ins(0x07, 3, imm=-16) + CALL + RETURN_0
    function = ObjectFunction(
        "use_kfunc",
        "tc",
        code,
        (Param("ctx", context_pointer),),
        I32,
        relocs=(Reloc(24, "bpf_dynptr_from_skb", "extern"),),
        lines=(line(0, 1, "dynptr(skb)"),),
    )
    dynptr = PtrType(layout("bpf_dynptr", [("opaque", ArrayType(U64, 2))]), Space.STACK)
    params = (Param("s", context_pointer), Param("flags", U64), Param("ptr", dynptr))
    return ObjectModel((function,), externs=(ExternSpec("bpf_dynptr_from_skb", ".ksyms", I32, params),))


def core_field(member: str = "tgid", struct_name: str = "task_struct___ours") -> ObjectModel:
    """A raw tracepoint program that reads a field of the current task, wherever the running kernel has it."""
    task = layout(struct_name, [("pid", I32), (member, I32)])
    function = ObjectFunction(
        "read_task",
        "raw_tp/sys_enter",
        helper(158) + ins(0x61, 1, 0, off=4) + RETURN_0,  # get_current_task_btf; w1 = *(u32 *)(r0 + 4)
        context("bpf_raw_tracepoint_args"),
        I32,
        lines=(line(0, 3, "task = current()"), line(8, 4, "task.tgid")),
        core=(CoreReloc(8, task, "0:1", 0),),
    )
    return ObjectModel((function,))


def core_enumerator(name: str = "BPF_MAP_TYPE_RINGBUF") -> ObjectModel:
    """A program that returns the running kernel's value of an enumerator, which is 5 in the local enumeration."""
    enum = EnumType("bpf_map_type___ours", U32, ((name, 5),))
    function = ObjectFunction(
        "enum_value",
        "xdp",
        move(0, 5) + EXIT,
        context("xdp_md"),
        I32,
        lines=(line(0, 3, "return RINGBUF"),),
        core=(CoreReloc(0, enum, "0", 11),),
    )
    return ObjectModel((function,))


SAMPLES = {f.__name__: f for f in (minimal, all_maps, global_data, data_sums, subprograms)}
