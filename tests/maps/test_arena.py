"""Arenas: objects with pointers that programs and user space share."""

from __future__ import annotations

import copy
import ctypes
import os
import struct
import subprocess
import sys
from typing import Any

import pytest

from pybpf import (
    XDP,
    Arena,
    Array,
    Bits,
    HashMap,
    L,
    Ptr,
    RingBuffer,
    Simulation,
    Struct,
    Target,
    Text,
    XdpContext,
    asm,
    be32,
    build,
    fetch_add,
    i16,
    i32,
    i64,
    load,
    open_map,
    printk,
    subprog,
    syscall,
    u32,
    u64,
    xdp,
)
from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.runtime.arenamemory import find
from pybpf.runtime.errors import LoadError, MapFull, ObjectClosed
from tests.maps.bpffs import in_bpffs
from tests.proofs import prove

kernel = pytest.mark.kernel
guest = pytest.mark.guest
NEW = Target(kernel=(6, 12))
PAGE = 4096


class Args(Struct):
    key: u64
    result: i64


class Node(Struct):
    key: u64
    name: Text[L[16]]
    low: Bits[u32, L[3]]
    high: Bits[u32, L[5]]
    address: be32
    values: Array[u32, L[4]]
    small: i16
    next: Ptr[Node]
    other: Ptr[Other]


class Other(Struct):
    back: Ptr[Node]
    value: i32


class Table(Struct):
    head: Ptr[Node]
    buckets: Array[Ptr[Node], L[64]]
    pool: Array[Node, L[100]]
    used: u32
    count: u64


class Entry(Struct):
    node: Ptr[Node]
    at: u64


arena = Arena(max_pages=64)
table = arena.var(Table)
total = arena.var(u64, 7)
entries = HashMap[u32, Entry](max_entries=8)
copies = RingBuffer[Node](4096)


# --- a list, whose nodes have pages of their own


@syscall
def push(ctx: Args) -> i32:
    node = arena.alloc(Node)
    if node is None:
        return -1
    node.key = ctx.key
    node.small = -3
    node.next = table.head
    table.head = node
    return 0


@syscall
def pop(ctx: Args) -> i32:
    node = table.head
    if node is None:
        return -1
    table.head = node.next
    ctx.result = node.key
    arena.free(node)
    return 0


@syscall
def sums(ctx: Args) -> i32:
    found: i64 = 0
    node = table.head
    while node is not None:
        found += node.key + node.small
        node = node.next
    ctx.result = found
    return 0


# --- a hash table, whose nodes are those of an array


def look(key: u64) -> Node | None:
    node = table.buckets[key % 64]
    while node is not None:
        if node.key == key:
            return node
        node = node.next
    return None


@syscall
def insert(ctx: Args) -> i32:
    global total
    key = ctx.key
    if look(key) is not None:
        return 1
    slot = fetch_add(table.used, 1)
    if slot >= 100:
        return -1
    node = table.pool[slot]
    node.key = key
    node.name = "abc"
    node.low = 5
    node.address = 0x01020304
    node.values[2] = u32(key)
    node.next = table.buckets[key % 64]
    table.buckets[key % 64] = node
    table.count += 1
    total += 1
    entries[u32(key)] = Entry(node=node, at=arena.address(node))
    return 0


@syscall
def reads(ctx: Args) -> i32:
    node = look(ctx.key)
    if node is None:
        return -1
    if node.name == "abc" and node.low == 5 and node.address == 0x01020304:
        ctx.result = node.values[2]
    other = node.other
    if other is not None and other.back is node:
        ctx.result += 1000 + other.value
    return 0


@syscall
def follows(ctx: Args) -> i32:
    entry = entries.get(u32(ctx.key))
    if entry is None:
        return -1
    node = entry.node
    if node is None:
        return -2
    if arena.at(Node, entry.at) is not node:
        return -3
    ctx.result = node.key
    return 0


@syscall
def unnamed(ctx: Args) -> i32:
    """Names no arena: that of the object is meant."""
    entry = entries.get(u32(ctx.key))
    if entry is None:
        return -1
    node = entry.node
    if node is None:
        return -2
    ctx.result = node.key
    return 0


@xdp
def packet(pkt: XdpContext) -> XDP:
    node = look(7)
    if node is not None:
        node.values[0] += 1
        table.count += 1
    return XDP.PASS


Run = Any


def runner(obj: Any) -> Run:
    def run(program: Any, key: int = 0) -> tuple[int, int]:
        made = obj[program].test(context=struct.pack("<Qq", key, 0))
        return made.retval, struct.unpack("<Qq", made.context)[1]

    return run


def simulated(sim: Simulation) -> Run:
    def run(program: Any, key: int = 0) -> tuple[int, int]:
        made = sim.run(program, context=struct.pack("<Qq", key, 0))
        return made.retval, struct.unpack("<Qq", made.context)[1]

    return run


def keys(node: Any) -> list[int]:
    found = []
    while node is not None:
        found.append(node.key)
        node = node.next
    return found


def list_of_both(run: Run, obj: Any) -> None:
    """A program builds the list, this process walks through it and adds to it, the program walks, and takes apart."""
    for key in range(1, 6):
        assert run(push, key)[0] == 0
    assert run(sums) == (0, 15 - 15)
    assert keys(obj[table].head) == [5, 4, 3, 2, 1]
    first = obj[table].head
    assert first.small == -3 and first.next.next.key == 3
    first.next.key = 40
    mine = obj[arena].alloc(Node, key=100, next=first)
    obj[table].head = mine
    assert obj[table].head is mine
    assert run(sums) == (0, 100 + 15 - 15 + 36)
    assert run(pop) == (0, 100)
    assert [run(pop)[1] for _ in range(5)] == [5, 40, 3, 2, 1]
    assert run(pop) == (-1, 0)
    assert obj[table].head is None


def table_of_both(run: Run, obj: Any) -> None:
    for key in (1, 65, 7, 3):
        assert run(insert, key)[0] == 0
        assert run(reads, key) == (0, key)
        assert run(follows, key) == (0, key)
    assert run(insert, 65)[0] == 1
    assert run(reads, 66) == (-1, 0)
    shared = obj[table]
    assert (shared.count, shared.used, obj[total]) == (4, 4, 11)
    assert keys(shared.buckets[1]) == [65, 1]
    node = shared.buckets[7]
    assert node is shared.pool[2]
    assert (node.name, node.low, node.high, node.address) == ("abc", 5, 0, 0x01020304)
    assert node.values == [0, 0, 7, 0]
    node.high = 17
    assert (node.low, node.high) == (5, 17)
    node.other = obj[arena].alloc(Other, back=node, value=-5)
    assert run(reads, 7) == (0, 7 + 1000 - 5)
    entry = obj[entries][7]
    assert entry.node is node and entry.at == obj[arena].address(node)
    obj[entries][7] = Entry(node=None, at=0)
    assert run(follows, 7) == (-2, 0)
    obj[entries][7] = Entry(node=shared.pool[0], at=obj[arena].address(shared.pool[0]))
    assert run(follows, 7) == (0, 1)
    obj[total] = 40
    assert run(insert, 8)[0] == 0 and obj[total] == 41


@kernel
@guest
def test_a_list_of_pages() -> None:
    need_arenas()
    with load(push, pop, sums) as obj:
        assert obj[arena].max_entries == 64
        list_of_both(runner(obj), obj)
    prove("map", "ARENA", "create")
    prove("map", "ARENA", "in program")
    prove("map", "ARENA", "lookup")
    prove("map", "ARENA", "update")


@kernel
@guest
def test_a_table_in_an_array() -> None:
    need_arenas()
    with load(insert, reads, follows, unnamed, packet) as obj:
        run = runner(obj)
        table_of_both(run, obj)
        assert run(unnamed, 3) == (0, 3)
        counted = obj[table].count
        assert obj[packet].test(bytes(64)).retval == XDP.PASS
        assert obj[table].count == counted + 1
        assert look_up(obj, 7).values[0] == 1


def look_up(obj: Any, key: int) -> Any:
    node = obj[table].buckets[key % 64]
    while node is not None and node.key != key:
        node = node.next
    return node


def test_simulated() -> None:
    sim = Simulation(target=NEW)
    list_of_both(simulated(sim), sim)
    run = simulated(sim)
    table_of_both(run, sim)
    assert run(unnamed, 3) == (0, 3)


# --- views


@kernel
def test_views_are_live_and_strict() -> None:
    need_arenas()
    with load(insert, reads) as obj:
        run = runner(obj)
        run(insert, 9)
        node = look_up(obj, 9)
        assert isinstance(node, Node)
        assert repr(node).startswith("Node(key=9, name='abc', low=5") and "next=None" in repr(node)
        same = copy.copy(node)
        assert type(same) is Node and node == same and same == node and hash(node) == hash(same)
        node.key = 10
        assert node != same and same.key == 9
        assert bytes(node)[:8] == struct.pack("<Q", 10) and len(bytes(node)) == 72
        node.values = [1, 2, 3, 4]
        assert node.values == [1, 2, 3, 4] and node.values[-1] == 4 and 3 in node.values and node.values[1:3] == [2, 3]
        node.values[1:3] = [20, 30]
        assert list(node.values) == [1, 20, 30, 4]
        obj[table].pool[5] = node
        assert obj[table].pool[5] == node and obj[table].pool[5] is not node
        for wrong, error, text in (
            (lambda: setattr(node, "key", -1), OverflowError, "Node.key: -1 is outside u64"),
            (lambda: setattr(node, "low", 8), OverflowError, "Node.low: 8 is outside"),
            (lambda: setattr(node, "name", "x" * 17), ValueError, "Node.name"),
            (lambda: setattr(node, "next", 5), TypeError, "Node.next: a pointer leads to an object in an arena"),
            (lambda: setattr(node, "next", same), TypeError, "Node.next: a pointer leads to an object in an arena"),
            (lambda: setattr(node, "other", node), TypeError, "Node.other: a pointer to a Other can't lead to a Node"),
            (lambda: setattr(node, "values", [1]), ValueError, "Node.values"),
            (lambda: node.values[4], IndexError, "index 4"),
            (lambda: obj[arena].at(Node, 4096), ValueError, "not inside of it"),
            (lambda: obj[arena].alloc(int), TypeError, "an arena holds objects of a Struct or an Array"),
            (lambda: obj[arena].free(same), TypeError, "not Node"),
        ):
            with pytest.raises(error, match=text):
                wrong()
        assert obj[arena].at(Node, 0) is None
        assert obj[arena].at(Node, obj[arena].address(node)) is node


@kernel
def test_nothing_is_touched_after_the_end() -> None:
    need_arenas()
    with load(push, pop, sums) as obj:
        runner(obj)(push, 1)
        node, shared, memory, array = obj[table].head, obj[table], obj[arena], obj[table].pool
        start = memory.start
        assert find(start) is not None
    for use in (
        lambda: node.key, lambda: setattr(node, "key", 1), lambda: shared.head, lambda: array[0], lambda: bytes(node),
        lambda: memory.alloc(Node), lambda: memory.at(Node, start), lambda: node == node,
        lambda: copy.copy(node), lambda: list(array),
    ):  # fmt: skip
        with pytest.raises(ObjectClosed):
            use()
    assert repr(node) == "<Node in a closed arena>"
    assert find(start) is None


@kernel
def test_a_forked_child_has_no_arena() -> None:
    need_arenas()
    with load(push, pop, sums) as obj:
        runner(obj)(push, 1)
        node = obj[table].head
        child = os.fork()
        if not child:
            code = 1
            try:
                node.key  # noqa: B018
            except ObjectClosed:
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert node.key == 1


@kernel
@guest
def test_full() -> None:
    need_arenas()
    with load(push, pop, sums) as obj:
        run = runner(obj)
        taken = 0
        while run(push, taken)[0] == 0:
            taken += 1
        assert taken == 64 - 2  # the variables have two
        with pytest.raises(MapFull, match="no 1 free pages"):
            obj[arena].alloc(Node)
        run(pop)
        node = obj[arena].alloc(Node, key=3)
        assert node.key == 3
        obj[arena].free(node)
        wide = Array[u64, L[1024]]
        with pytest.raises(MapFull, match="no 2 free pages"):
            obj[arena].alloc(wide)
        run(pop)
        numbers = obj[arena].alloc(wide)
        numbers[1023] = 5
        assert len(numbers) == 1024 and sum(numbers) == 5


# --- addresses and pins

placed = Arena(max_pages=8, address=1 << 44, pin=True, name="arena_placed")
root = placed.var(Entry)


class Own(Struct):
    value: u64
    next: Ptr[Own]


@syscall
def stores(ctx: Args) -> i32:
    root.at = ctx.key
    return 0


@kernel
def test_pinned_at_an_address(tmp_path: Any) -> None:
    need_arenas()
    place = str(tmp_path)

    def test() -> None:
        with load(stores, pin_path=place) as obj:
            assert obj[placed].start == 1 << 44
            runner(obj)(stores, 5)
            with pytest.raises(LoadError, match="something else is mapped there"):
                load(stores, pin_path=place)
        with load(stores, pin_path=place) as obj:  # what is there stays
            assert obj[root].at == 5
        with open_map(os.path.join(place, "arena_placed"), Arena) as again:
            assert again.start == 1 << 44
            found = again.at(Entry, again.start)
            assert found is not None and found.at == 5
            found.at = 6
            assert again.alloc(Own, value=3).value == 3
        with pytest.raises(ObjectClosed):
            found.at  # noqa: B018
        with load(stores, pin_path=place) as obj:
            assert obj[root].at == 6
            obj[placed].unpin(os.path.join(place, "arena_placed"))
        prove("map", "ARENA", "pin")

    in_bpffs(tmp_path, test)


# --- all that a program may do with objects


class Pos(Struct):
    x: i16
    y: i16


class Item(Struct):
    value: i64
    pos: Pos
    next: Ptr[Item]


class Big(Struct):
    words: Array[u64, L[100]]
    text: Text[L[40]]
    wide: i32


class Root(Struct):
    one: Big
    two: Big
    items: Array[Item, L[16]]
    head: Ptr[Item]
    slots: Array[Ptr[Item], L[8]]
    counts: Array[u32, L[8]]


many = Arena(max_pages=16)
objects = many.var(Root)
events = RingBuffer[Item](4096)
kept = HashMap[u32, Item](max_entries=4)
placed_at = HashMap[Pos, u64](max_entries=4)


@subprog
def times(item: Item, n: u32) -> i64:
    return item.value * n


@subprog
def following(item: Item) -> Item | None:
    return item.next


@subprog(global_=True)
def length(limit: u32) -> u32:
    n: u32 = 0
    item = objects.head
    while item is not None and n < limit:
        n += 1
        item = item.next
    return n


@syscall
def fill(ctx: Args) -> i32:
    for i in range(16):
        item = objects.items[i]
        item.value = i - 8
        item.pos = Pos(x=i, y=-i)
        item.next = objects.head
        objects.head = item
    for i in range(8):
        objects.slots[i] = objects.items[2 * i]
        objects.counts[i] += i
    return 0


@syscall
def uses(ctx: Args) -> i32:
    head = objects.head
    if head is None:
        return -1
    found = times(head, 2)
    second = following(head)
    if second is not None:
        found += second.value
        pos = second.pos
        pos.x += 1
        found += pos.x - pos.y
    ctx.result = found + length(100)
    events.emit(head)
    kept[1] = head
    placed_at[head.pos] = 3
    if head.pos in placed_at:
        ctx.result += 100
    own = Item(value=1, pos=head.pos, next=head)
    if own.pos == head.pos and own != head:
        ctx.result += 1000
    either = head if ctx.key else second
    if either is not None:
        either.value = 77
    return 0


@syscall
def texts(ctx: Args) -> i32:
    objects.one.text = "hello"
    objects.one.wide = -70000
    objects.one.words[99] = 4
    objects.two = objects.one
    if objects.two.text == "hello" and objects.two.text == objects.one.text:
        ctx.result = objects.two.words[99] + objects.two.wide
    printk(f"{objects.two.text} {objects.two.wide}")
    objects.one.text = "x"
    if objects.one.text[0] == "x" and objects.one.text != objects.two.text:
        ctx.result += 100000
    return len(objects.two.text)


@syscall
def instructions(ctx: Args) -> i32:
    head = objects.head
    if head is None:
        return -1
    ctx.result = asm(i64, "{out} = *(u64 *)({item} +0)", item=head)
    asm("*(u64 *)({item} +0) = {n}", item=head, n=5)
    return i32(head.value)


@syscall
def loops(ctx: Args) -> i32:
    found: i64 = 0
    for item in objects.slots:
        if item is not None:
            found += item.value
    for count in objects.counts:
        found += count * 1000
    for each in objects.items:
        found += each.pos.x * 100000
    ctx.result = found
    return 1 if any(slot is None for slot in objects.slots) else 0


def all_of_it(run: Run, obj: Any) -> None:
    assert run(fill) == (0, 0)
    assert run(loops) == (0, 12027992)
    assert run(instructions) == (5, 7)
    obj[objects].head.value = 7
    assert run(uses, 1) == (0, 14 + 6 + 15 + 14 + 16 + 100 + 1000)
    assert run(texts) == (5, 4 - 70000 + 100000)
    shared = obj[objects]
    assert (shared.two.text, shared.two.wide, shared.two.words[99], shared.one.text) == ("hello", -70000, 4, "x")
    assert shared.head.value == 77 and shared.head.pos == Pos(x=15, y=-15)
    assert [slot.value for slot in shared.slots] == [-8, -6, -4, -2, 0, 2, 4, 6]
    assert list(shared.counts) == list(range(8))
    [copied] = list(dict(obj[kept]).values())
    assert (copied.value, copied.pos, copied.next) == (7, Pos(x=15, y=-15), shared.head.next)
    assert dict(obj[placed_at]) == {Pos(x=15, y=-15): 3}


@kernel
@guest
@pytest.mark.parametrize("cpu", [1, 3, 4])
def test_everything(cpu: int) -> None:
    need_arenas()
    release = tuple([int(part) for part in os.uname().release.split("-")[0].split(".")[:2]])
    if cpu == 1:
        programs: tuple[Any, ...] = (fill, texts, loops, instructions, length_only)
    else:
        programs = (fill, uses, texts, loops, instructions)
    with load(*programs, target=Target(kernel=release, cpu=cpu)) as obj:  # type: ignore[arg-type]
        if cpu > 1:
            all_of_it(runner(obj), obj)


@syscall
def length_only(ctx: Args) -> i32:
    return i32(length(5))


def test_everything_simulated() -> None:
    sim = Simulation(target=NEW)
    all_of_it(simulated(sim), sim)


# --- declarations, and old libraries


def test_declarations() -> None:
    for make, error, text in (
        (lambda: Arena(0), DeclarationValueError, "max_pages must lie between 1 and 1048576"),
        (lambda: Arena("1"), DeclarationTypeError, "max_pages must be an int"),
        (lambda: Arena(1, address=5), DeclarationValueError, "must be that of a page"),
        (lambda: Arena(2, address=(1 << 44) - PAGE), DeclarationValueError, "a multiple of 4 GiB"),
        (lambda: Arena(2, pin=True), DeclarationValueError, "a pinned arena needs an address"),
        (lambda: Arena(1).var(Table), DeclarationValueError, "take 7736 bytes"),
        (lambda: Arena(1).var(int), DeclarationTypeError, "int has no width"),
        (lambda: Arena(1).var(Ptr[Node]), DeclarationTypeError, "a pointer by itself"),
        (lambda: HashMap[u32, Ptr[Node]](4, name="m").__bpf__, DeclarationTypeError, "a pointer by itself"),
        (lambda: Ptr[u32].__bpf__, DeclarationTypeError, "a pointer leads to a Struct"),
    ):
        with pytest.raises(error, match=text):
            make()  # type: ignore[no-untyped-call]


def test_structs_that_lead_to_each_other() -> None:
    node, other = Node.__bpf__, Other.__bpf__
    assert (node.size, other.size) == (72, 16)
    leads = [field.type.inner.pointee for field in (*node.fields[-2:], other.fields[0])]  # type: ignore[attr-defined]
    assert leads[0] is node and leads[1] is other and leads[2] is node
    ring = Other(back=None, value=1)
    first = Own(value=1, next=None)
    first.next = first
    assert repr(first) == "Own(value=1, next=<Own>)" and first == first
    assert first != Own(value=1, next=None) and ring == Other(back=None, value=1)


_OLD_LIBRARY = """
from tests.maps import test_arena as t
from pybpf import load
from pybpf.runtime.libbpf import library
assert not library().knows_arenas, library().version
for _ in range(3):
    with load(t.push, t.pop, t.sums) as obj:
        t.list_of_both(t.runner(obj), obj)
with load(t.insert, t.reads, t.follows) as obj:
    t.table_of_both(t.runner(obj), obj)
"""


@kernel
def test_a_library_without_arenas() -> None:
    """libbpf before 1.4 is told that the variables are in a data section."""
    need_arenas()
    system = {**os.environ, "PYBPF_LIBBPF": "libbpf.so.1"}
    made = subprocess.run([sys.executable, "-c", _OLD_LIBRARY], env=system, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


def test_objects_say_what_loaders_want(tmp_path: Any) -> None:
    made = build(push, target=NEW)
    assert b".addr_space.1\0" in made.elf
    assert made.elf == build(push, target=NEW).elf


def need_arenas() -> None:
    release = tuple([int(part) for part in os.uname().release.split("-")[0].split(".")[:2]])
    if release < (6, 10):
        pytest.skip("this kernel has no arenas")


far = Arena(max_pages=4, address=1 << 44)
five = far.var(u64, 5)


@xdp
def counts(pkt: XdpContext) -> XDP:
    global five
    five += 1
    return XDP.PASS


@kernel
def test_a_variable_is_set_before_the_load() -> None:
    need_arenas()
    with load(counts, five=41) as obj:
        assert obj[five] == 41
        obj[counts].test(bytes(64))
        assert obj[five] == obj["five"] == 42
    with pytest.raises(OverflowError, match="outside u64"):
        load(counts, five=-1)
    assert find(1 << 44) is None  # given back


@kernel
def test_libbpf_loads_the_object_by_itself() -> None:
    """As loaders written in C do: the arena at its address, the variable with its value."""
    need_arenas()
    from pybpf.runtime.libbpf import library

    lib = library()
    if not lib.knows_arenas:
        pytest.skip(f"no pylibbpf for this Python, and libbpf {lib.version} knows no arenas")
    elf = build(counts, target=NEW).elf
    handle = lib.bpf_object__open_mem(elf, len(elf), None)
    try:
        assert lib.bpf_object__load(handle) == 0
        size = ctypes.c_size_t()
        start = lib.bpf_map__initial_value(lib.bpf_object__next_map(handle, None), ctypes.byref(size))
        assert (start, size.value) == (1 << 44, 8)
        assert ctypes.c_uint64.from_address(start).value == 5
    finally:
        lib.bpf_object__close(handle)
