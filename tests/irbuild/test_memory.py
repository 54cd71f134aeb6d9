"""Structs, arrays, text; maps and ring buffers: every byte that leaves the program is written, and as Python would."""

from __future__ import annotations

import struct

import pytest

from pybpf.compiler.frontend import tree
from pybpf.compiler.ir import ops
from pybpf.compiler.schema import types
from pybpf.compiler.schema.specs import FillSpec, GlobalSpec, HelperSpec, MapSpec
from pybpf.compiler.schema.types import (
    BOOL,
    I16,
    I64,
    NONE,
    U8,
    U16,
    U32,
    U64,
    ArrayType,
    IntType,
    OptionalType,
    PtrType,
    Space,
    TextType,
)
from tests.irbuild import trees as t

PAIR = types.layout("Pair", [("x", U64), ("y", U64)])
MIXED = types.layout("Mixed", [("a", U8), ("b", U32), ("c", U16), ("d", U64), ("e", U8)])  # holes everywhere
OUTER = types.layout("Outer", [("id", U32), ("pos", PAIR), ("name", TextType(12)), ("tail", U8)])
PACKED = types.layout("Packed", [("kind", U8), ("size", U32), ("addr", IntType(64, big=True))], packed=True)
EVENTS = MapSpec("events", t.RINGBUF, None, MIXED, 4096)
OUTERS = MapSpec("outers", t.RINGBUF, None, OUTER, 4096)
COUNTS = MapSpec("counts", t.HASH, U32, U64, 8)
PAIRS = MapSpec("pairs", t.HASH, MIXED, PAIR, 8)
SLOTS = MapSpec("slots", t.ARRAY, U32, I16, 4)
COMM = FillSpec("comm", HelperSpec("bpf_get_current_comm", 16, (), I64), ("dest", "size"), ())
KERNEL_STR = FillSpec("kernel_str", HelperSpec("bpf_probe_read_kernel_str", 115, (), I64), ("dest", "size", 0), ("a",))


def n(value: int) -> tree.Const:
    return t.num(value, I64)


def fill(spec: FillSpec, size: int, *args: tree.Expr) -> tree.Fill:
    return tree.Fill(t.ref(TextType(size)), t.SPAN, spec, args)


def text(value: bytes, size: int) -> tree.TextConst:
    return tree.TextConst(t.ref(TextType(size)), t.SPAN, value.ljust(size, b"\0"))


def store(place: tree.Expr, value: tree.Expr) -> tree.Store:
    return tree.Store(t.SPAN, place, value)


# --- building in place


def emit(value: tree.Expr, ring: MapSpec) -> tree.RingEmit:
    return tree.RingEmit(BOOL, t.SPAN, ring, value)


def test_event_is_built_in_the_record_with_its_padding_cleared() -> None:
    event = t.new(MIXED, a=t.num(1, U8), b=t.conv(t.random(), U32), d=t.num(3), e=t.num(4, U8))
    module = t.lowered(t.ret(t.conv(emit(event, EVENTS), I64)), maps=(EVENTS,))
    world = t.World(module)
    assert world.run() == 1
    assert world.events == [struct.pack("<BxxxIHxxxxxxQBxxxxxxx", 1, 1, 0, 3, 4)]
    assert not module.functions[0].slots
    world.full = True
    assert world.run() == 0


def test_event_with_effects_is_made_even_if_the_ring_is_full() -> None:
    drawn = t.call("bpf_get_prandom_u32", 7, U64, t.num(0))  # a helper with an argument may do anything
    module = t.lowered(t.do(emit(t.new(PAIR, x=drawn), MapSpec("ring", t.RINGBUF, None, PAIR, 4096))), maps=(
        MapSpec("ring", t.RINGBUF, None, PAIR, 4096),))  # fmt: skip
    world = t.World(module)
    world.full = True
    world.run()
    assert world.next_random == 1


def test_nested_struct_and_text() -> None:
    event = t.new(OUTER, id=t.num(9, U32), pos=t.new(PAIR, y=t.num(2)), name=fill(COMM, 12), tail=t.num(1, U8))
    world = t.World(t.lowered(t.do(emit(event, OUTERS)), maps=(OUTERS,)))
    world.run()
    assert world.events == [struct.pack("<IxxxxQQ12sBxxx", 9, 0, 2, b"python3", 1)]


def test_swapping_fields_in_place_reads_before_it_writes() -> None:
    e = tree.Var("e", t.ref(PAIR))
    outer = tree.Var("o", t.ref(OUTER))
    swapped = t.new(
        PAIR, x=t.field(t.field(t.local(outer), "pos"), "y"), y=t.field(t.field(t.local(outer), "pos"), "x")
    )
    body = [
        t.let(outer, t.new(OUTER, pos=t.new(PAIR, x=t.num(3), y=t.num(4)))),
        store(t.field(t.local(outer), "pos"), swapped),
        t.let(e, t.field(t.local(outer), "pos")),
        t.ret(t.op(t.op(t.field(t.local(e), "x"), "*", t.num(10)), "+", t.field(t.local(e), "y"))),
    ]
    assert t.run(*body) == 43


def test_swapping_inside_a_loop_uses_one_slot_safely() -> None:
    """Rounds after the first build into the slot that the operands are read from."""
    e, i = tree.Var("e", t.ref(PAIR)), tree.Var("i", I64)
    again = t.let(e, t.new(PAIR, x=t.field(t.local(e), "y"), y=t.op(t.field(t.local(e), "x"), "+", t.num(1))))
    body = [
        t.let(e, t.new(PAIR, x=t.num(10), y=t.num(20))),
        tree.ForRange(t.SPAN, i, n(0), n(5), 1, [again]),
        t.ret(t.op(t.op(t.field(t.local(e), "x"), "*", t.num(1000)), "+", t.field(t.local(e), "y"))),
    ]
    x, y = 10, 20
    for _ in range(5):
        x, y = y, x + 1
    assert t.run(*body) == x * 1000 + y


def test_aggregates_swapped_in_a_loop_are_built_aside() -> None:
    two = types.layout("Two", [("a", TextType(8)), ("b", TextType(8))])
    e, i = tree.Var("e", t.ref(two)), tree.Var("i", I64)
    again = t.let(e, t.new(two, a=t.field(t.local(e), "b"), b=t.field(t.local(e), "a")))
    is_x = tree.TextCompare(BOOL, t.SPAN, t.field(t.local(e), "a"), text(b"x", 8))
    for rounds in (0, 1, 2, 3):
        loop = tree.ForRange(t.SPAN, i, n(0), n(rounds), 1, [again])
        body = [t.let(e, t.new(two, a=text(b"x", 8), b=text(b"y", 8))), loop, t.ret(t.conv(is_x, I64))]
        assert t.run(*body) == (rounds + 1) % 2


def test_packed_struct_on_the_stack_is_accessed_at_its_alignment() -> None:
    p = tree.Var("p", t.ref(PACKED))
    module = t.lowered(
        t.let(p, t.new(PACKED, kind=t.num(7, U8), size=t.num(0x8899AABB, U32), addr=t.num(0x0102030405060708))),
        t.ret(
            t.op(t.op(t.field(t.local(p), "size"), "^", t.field(t.local(p), "addr")), "+", t.field(t.local(p), "kind"))
        ),
    )
    assert t.World(module).run() == (0x8899AABB ^ 0x0102030405060708) + 7
    for op in module.functions[0].ops():
        if isinstance(op, ops.Load | ops.Store):
            assert op.offset % (op.bits // 8) == 0


def test_bit_fields() -> None:
    u4 = types.StructType(
        "Bits", (types.Field("lo", U8, 0, 4, 0), types.Field("hi", U8, 0, 4, 4), types.Field("s", I16, 2, 5, 3)), 4, 2
    )
    e = tree.Var("e", t.ref(u4))
    a = tree.Var("a", I64)
    made = t.new(u4, lo=t.num(5, U8), hi=t.conv(t.local(a), U8), s=t.conv(t.local(a), I16))
    lo, hi, top = (t.conv(t.field(t.local(e), name), I64) for name in ("lo", "hi", "s"))
    total = t.op(t.op(lo, "+", t.op(hi, "*", n(100))), "+", t.op(top, "*", n(10000)))
    module = t.lowered(t.let(e, made), store(t.field(t.local(e), "lo"), t.num(3, U8)), t.ret(total), args=(a,))
    for given, high, signed in ((9, 9, 9), (-1, 15, -1), (-16, 0, -16), (15, 15, 15)):
        assert t.World(module).run(given) == 3 + high * 100 + signed * 10000


def test_large_records_are_cleared_by_a_loop() -> None:
    big = types.layout("Big", [("n", U32), ("data", ArrayType(U8, 1000))])
    ring = MapSpec("ring", t.RINGBUF, None, big, 4096)
    module = t.lowered(t.do(emit(t.new(big, n=t.num(7, U32)), ring)), maps=(ring,))
    world = t.World(module)
    world.run()
    assert world.events == [struct.pack("<I1000x", 7)]
    assert sum(1 for _ in module.functions[0].ops()) < 30


# --- arrays


@pytest.mark.parametrize(("element", "length"), [(U8, 8), (U32, 6), (PAIR, 3)])
def test_index(element: types.Type, length: int) -> None:
    kind = ArrayType(element, length)
    v, i, k = tree.Var("v", t.ref(kind)), tree.Var("i", U64), tree.Var("k", U64)

    def at(index: tree.Expr) -> tree.Expr:
        if isinstance(element, types.StructType):
            return t.field(tree.Index(t.ref(element), t.SPAN, t.local(v), index), "y")
        return tree.Index(element, t.SPAN, t.local(v), index)

    fill_all = tree.ForRange(t.SPAN, i, t.num(0), t.num(length), 1, [
        store(at(t.local(i)), t.op(t.local(i), "*", t.num(3)))])  # fmt: skip
    body = [
        t.let(v, tree.Zero(t.ref(kind), t.SPAN)), fill_all,
        t.ret(t.op(t.conv(at(t.op(t.local(k), "%", t.num(length))), I64), "+", t.conv(at(t.num(1)), I64))),
    ]  # fmt: skip
    module = t.lowered(*body, args=(k,))
    assert [t.World(module).run(x) for x in (0, 1, length + 2)] == [3, 6, 9]


# --- text


TEXTS = [b"", b"a", b"python3", b"python3.1", b"sixteen-bytes--x", b"seventeen bytes..", b"\xc3\xbc"]


@pytest.mark.parametrize("size", [8, 16, 40])
def test_text_compare(size: int) -> None:
    kind = TextType(size)
    one, two = tree.Var("one", t.ref(kind)), tree.Var("two", t.ref(TextType(24)))
    for x in TEXTS:
        if len(x) > size:
            continue
        for y in TEXTS:
            expected = int(x == y)
            let_one = t.let(one, text(x, size))
            constant = tree.TextCompare(BOOL, t.SPAN, t.local(one), text(y, 24))
            assert t.run(let_one, t.ret(t.conv(constant, I64))) == expected, (x, y)
            other = tree.TextCompare(BOOL, t.SPAN, t.local(one), t.local(two), equal=False)
            assert t.run(let_one, t.let(two, text(y, 24)), t.ret(t.conv(other, I64))) == 1 - expected, (x, y)


def test_text_after_the_nul_does_not_count() -> None:
    one, two = tree.Var("one", t.ref(TextType(8))), tree.Var("two", t.ref(TextType(8)))
    raw = tree.TextConst(t.ref(TextType(8)), t.SPAN, b"ab\0junk!")
    same = tree.TextCompare(BOOL, t.SPAN, t.local(one), t.local(two))
    assert t.run(t.let(one, raw), t.let(two, text(b"ab", 8)), t.ret(t.conv(same, I64))) == 1
    constant = tree.TextCompare(BOOL, t.SPAN, t.local(one), text(b"ab", 8))
    assert t.run(t.let(one, raw), t.ret(t.conv(constant, I64))) == 1


def test_dynamic_string_of_a_tracepoint_is_read_by_a_probe() -> None:
    from pybpf.compiler.schema.specs import CtxField

    name = CtxField("name", TextType(64), 8, 4, "data_loc")
    load = tree.CtxLoad(PtrType(TextType(64), Space.CTX), t.SPAN, name)
    pair = types.layout("Named", [("n", U8), ("name", TextType(16))])
    ring = MapSpec("ring", t.RINGBUF, None, pair, 4096)
    module = t.lowered(t.do(emit(t.new(pair, n=t.num(1, U8), name=load), ring)), maps=(ring,))
    world = t.World(module)
    record = bytes(8) + struct.pack("<I", 5 << 16 | 20) + bytes(8) + b"eth0\0"
    base = world.machine.memory.add(record, "ctx").base
    world.submit = lambda machine, args: world.events.append(bytes(world.reserved.pop(args[0]).data)) or 0  # type: ignore
    world.machine.helpers[132] = world.submit  # type: ignore[index]
    world.machine.run("f", [base])
    assert world.events[0][:6] == b"\x01eth0\0"
    is_eth0 = tree.TextCompare(BOOL, t.SPAN, load, text(b"eth0", 64))
    compare = t.World(t.lowered(t.ret(t.conv(is_eth0, I64))))
    assert compare.machine.run("f", [compare.machine.memory.add(record, "ctx").base]) == 1


# --- globals


def test_globals() -> None:
    limit = GlobalSpec("limit", IntType(32, big=True), (300).to_bytes(4, "big"), True)
    total = GlobalSpec("total", I64, bytes(8), False)

    def value(spec: GlobalSpec, kind: types.Type) -> tree.Global:
        return tree.Global(kind, t.SPAN, spec)

    body = [
        store(value(total, I64), n(-5)),
        tree.Update(t.SPAN, value(total, I64), "-", n(7), atomic=True),
        tree.Update(t.SPAN, value(total, I64), "//", n(5)),
        t.ret(t.op(value(total, I64), "+", t.conv(value(limit, U32), I64))),
    ]
    assert t.run(*body, globals=(limit, total)) == 300 + (-12 // 5)


# --- maps


def test_get_set_delete_contains() -> None:
    a = tree.Var("a", U32)
    v = tree.Var("v", OptionalType(U64))
    got = t.get(COUNTS, t.local(a))
    body = [
        t.let(v, got),
        tree.If(t.SPAN, t.is_none(v), [
            t.do(tree.MapSet(NONE, t.SPAN, COUNTS, t.local(a), t.num(5))), t.ret(n(-1))]),
        tree.If(t.SPAN, t.cmp(t.unwrap(v), ">", t.num(6)), [
            t.do(tree.MapDelete(NONE, t.SPAN, COUNTS, t.local(a))),
            t.ret(t.conv(tree.MapContains(BOOL, t.SPAN, COUNTS, t.local(a)), I64))]),
        t.do(tree.MapSet(NONE, t.SPAN, COUNTS, t.local(a), t.op(t.unwrap(v), "+", t.num(1)))),
        t.ret(t.conv(t.unwrap(v), I64)),
    ]  # fmt: skip
    world = t.World(t.lowered(*body, args=(a,), maps=(COUNTS,)))
    assert [world.run(3) for _ in range(5)] == [-1, 5, 6, 0, -1]
    assert world.run(4) == -1


@pytest.mark.parametrize("kind", [t.HASH, t.PERCPU_HASH])
@pytest.mark.parametrize(("sign", "expected"), [("+", 9), ("-", (1 << 32) - 9), ("|", 3), ("<<", 0)])
def test_update_inserts_zero_first(kind: object, sign: str, expected: int) -> None:
    spec = MapSpec("m", kind, U16, U32, 1)  # type: ignore[arg-type]
    a = tree.Var("a", U16)
    world = t.World(t.lowered(
        t.do(tree.MapUpdate(NONE, t.SPAN, spec, t.local(a), sign, t.num(3, U32))), t.ret(n(0)), args=(a,), maps=(spec,)
    ))  # fmt: skip
    for _ in range(3):
        world.run(77)
    assert world.value("m", 77, 32) == expected
    world.run(78)  # the map is full
    assert world.value("m", 78, 32) is None


def test_array_map() -> None:
    a = tree.Var("a", U32)
    slot = tree.MapIndex(I16, t.SPAN, SLOTS, t.local(a))
    body = [
        tree.Update(t.SPAN, slot, "-", t.conv(t.num(40_000), I64)),
        t.ret(t.conv(slot, I64)),
    ]
    world = t.World(t.lowered(*body, args=(a,), maps=(SLOTS,)))
    assert world.run(2) == 40_000 * -1 + 65536
    assert world.value("slots", 2, 16) == -40_000 & 0xFFFF
    assert world.run(9) == 0  # what the compiler rules out ends the program


def test_struct_keys_have_their_padding_cleared() -> None:
    a = tree.Var("a", U32)
    ref = tree.Var("p", OptionalType(t.ref(PAIR, Space.MAP)))
    key = t.new(MIXED, b=t.local(a), e=t.num(1, U8))
    default = t.new(PAIR, y=t.num(100))
    body = [
        t.let(ref, tree.MapSetDefault(ref.type, t.SPAN, PAIRS, key, default)),
        tree.If(t.SPAN, t.is_none(ref), [t.ret(n(-1))]),
        tree.Update(t.SPAN, t.field(t.unwrap(ref), "y"), "+", t.num(1), atomic=True),
        t.ret(t.conv(t.field(t.unwrap(ref), "y"), I64)),
    ]
    module = t.lowered(*body, args=(a,), maps=(PAIRS,))
    world = t.World(module)
    assert [world.run(3), world.run(3), world.run(4)] == [101, 102, 101]
    assert sorted(world.maps["pairs"]) == [struct.pack("<BxxxIHxxxxxxQBxxxxxxx", 0, k, 0, 0, 1) for k in (3, 4)]
    for k in range(20):
        world.run(k)
    assert world.run(50) == -1  # full


def test_pop() -> None:
    v = tree.Var("v", OptionalType(U64))
    body = [
        t.let(v, tree.MapPop(v.type, t.SPAN, COUNTS, t.num(1, U32))),
        tree.If(t.SPAN, t.is_none(v), [t.ret(n(-1))]),
        t.ret(t.conv(t.unwrap(v), I64)),
    ]
    world = t.World(t.lowered(*body, maps=(COUNTS,)))
    assert world.run() == -1
    world.put("counts", struct.pack("<I", 1), struct.pack("<Q", 17))
    assert [world.run(), world.run()] == [17, -1]


def test_reference_in_a_map_is_live_and_copied_when_stored() -> None:
    found = tree.Var("found", OptionalType(t.ref(PAIR, Space.MAP)))
    key, other = t.new(MIXED, a=t.num(1, U8)), t.new(MIXED, a=t.num(2, U8))
    body = [
        t.let(found, t.get(PAIRS, key)),
        tree.If(t.SPAN, t.is_none(found), [t.ret(n(-1))]),
        store(t.field(t.unwrap(found), "x"), t.num(8)),
        t.do(tree.MapSet(NONE, t.SPAN, PAIRS, other, t.unwrap(found))),
        store(t.field(t.unwrap(found), "x"), t.num(9)),
        t.ret(n(0)),
    ]
    world = t.World(t.lowered(*body, maps=(PAIRS,)))
    assert world.run() == -1
    keys = [struct.pack("<B31x", k) for k in (1, 2)]
    world.put("pairs", keys[0], struct.pack("<QQ", 5, 6))
    assert world.run() == 0
    assert [bytes(world.maps["pairs"][k].data) for k in keys] == [struct.pack("<QQ", 9, 6), struct.pack("<QQ", 8, 6)]


# --- reservations


def reserve(var: tree.Var, *body: tree.Stmt) -> tree.WithReserve:
    return tree.WithReserve(t.SPAN, var, tree.RingReserve(var.type, t.SPAN, EVENTS), list(body))


@pytest.mark.parametrize("full", [False, True])
def test_every_way_out_releases_the_record(full: bool) -> None:
    e, a, i = tree.Var("e", OptionalType(t.ref(MIXED, Space.RINGBUF))), tree.Var("a", I64), tree.Var("i", I64)

    def when(value: int, *body: tree.Stmt) -> tree.If:
        return tree.If(t.SPAN, t.cmp(t.local(a), "==", n(value)), list(body))

    body = [
        tree.ForRange(t.SPAN, i, n(0), n(2), 1, [
            reserve(
                e,
                when(1, tree.Break(t.SPAN)),
                tree.If(t.SPAN, t.is_none(e), [t.ret(n(-1))]),
                store(t.field(t.unwrap(e), "b"), t.conv(t.op(t.local(i), "+", n(1)), U32)),
                when(2, t.ret(n(2))),
                when(3, tree.Continue(t.SPAN)),
                when(4, t.do(tree.Discard(NONE, t.SPAN, e)), tree.Break(t.SPAN)),
                when(5, t.do(tree.Discard(NONE, t.SPAN, e))),
            ),
        ]),
        t.ret(n(0)),
    ]  # fmt: skip
    module = t.lowered(*body, args=(a,), maps=(EVENTS,))
    made = {0: [1, 2], 1: [0], 2: [1], 3: [1, 2], 4: [], 5: []}
    for given, expected in made.items():
        world = t.World(module)
        world.full = full
        result = world.run(given)
        if full:
            assert (result, world.events) == (0 if given == 1 else -1, [])
        else:
            assert result == (2 if given == 2 else 0)
            assert [struct.unpack_from("<I", e, 4)[0] for e in world.events] == expected


def test_return_from_an_inlined_function_releases_only_its_own() -> None:
    outer, inner = (tree.Var(x, OptionalType(t.ref(MIXED, Space.RINGBUF))) for x in ("outer", "inner"))
    helper = t.function("helper", (), BOOL, reserve(inner, t.ret(tree.Not(BOOL, t.SPAN, t.is_none(inner)))))
    test = tree.FuncCall(BOOL, t.SPAN, helper, ())
    body = [reserve(outer, tree.If(t.SPAN, test, [t.ret(n(5))])), t.ret(n(6))]
    world = t.World(t.lowered(*body, maps=(EVENTS,)))
    assert (world.run(), len(world.events)) == (5, 2)
    world.full = True
    assert world.run() == 6


# --- printk


def test_printk() -> None:
    values = [t.num(k) for k in (1, 2, 3, 4)]
    body = [
        t.do(tree.Printk(NONE, t.SPAN, b"three %llu %llu %llu", tuple(values[:3]))),
        t.do(tree.Printk(NONE, t.SPAN, b"four %llu %llu %llu %llu", tuple(values))),
        t.do(tree.Printk(NONE, t.SPAN, b"three %llu %llu %llu", tuple(values[1:]))),
        t.do(tree.Printk(NONE, t.SPAN, b"%s", (fill(COMM, 16),))),
        t.ret(n(0)),
    ]
    module = t.lowered(*body)
    assert [g.init[:5] for g in module.globals] == [b"three", b"four ", b"%s\0"[:5]]
    world = t.World(module)
    seen: list[bytes] = []
    plain = world.printk

    def printk(machine, args):  # type: ignore[no-untyped-def]
        if machine.memory.read(args[0], args[1]) == b"%s\0":
            seen.append(machine.memory.read(args[2], 16))
        return plain(machine, args)

    world.machine.helpers[6] = printk  # type: ignore[index]
    world.run()
    assert world.printed[0] == (b"three %llu %llu %llu\0", [1, 2, 3])
    assert world.printed[1] == (b"four %llu %llu %llu %llu\0", [1, 2, 3, 4])
    assert world.printed[2] == (b"three %llu %llu %llu\0", [2, 3, 4])
    assert seen == [b"python3".ljust(16, b"\0")]


def test_printed_text_has_an_end() -> None:
    """The kernel prints up to a NUL, which a text that fills its field has not."""
    tag = types.layout("Tag", [("name", TextType(4)), ("rest", U32)])
    e = tree.Var("e", t.ref(tag))
    body = [
        t.let(e, t.new(tag, name=text(b"full", 4), rest=t.num(0x41414141, U32))),
        t.do(tree.Printk(NONE, t.SPAN, b"%s", (t.field(t.local(e), "name"),))),
        t.ret(n(0)),
    ]
    world = t.World(t.lowered(*body))
    seen = []
    world.machine.helpers[6] = lambda machine, args: seen.append(machine.memory.read(args[2], 5)) or 0  # type: ignore
    world.twin = None
    world.run()
    assert seen == [b"full\0"]
