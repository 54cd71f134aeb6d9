"""Random well-formed IR modules that the verifier would accept, and what running one shows.

    @given(modules())
    def test(module):
        before = observe(module, packet)

A module is an XDP program `prog` (its context is a `struct xdp_md`), sometimes with a subprogram `sub`, over

    state   .data, 64 bytes         table   .rodata, 64 bytes
    counts  ARRAY, u32 -> 16 bytes, 8 entries
    seen    HASH, u32 -> 16 bytes, 64 entries

It has loops (at most four rounds each) that permute what they carry, branches, phis of numbers and of addresses, the
(present, value) pairs of optional ints, null checks, packet bounds checks, range checks, atomics, and stack slots: some
escape, some don't, many are of odd sizes and wanted one after the other or one inside the other. The subprogram takes
four numbers and an address of its caller's stack. A module always ends, never traps, and its answer depends on nothing
but the packet: so every stage, the interpreter and the kernel must agree on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Block, Function, Module, Slot
from pybpf.compiler.ir.interp import Machine, Region
from pybpf.compiler.schema import types
from pybpf.compiler.schema.specs import GlobalSpec, MapKind, MapSpec
from tests.ir import random_objects

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from pybpf.compiler.ir.ops import Value

ARRAY = MapKind("ARRAY", 2, indexed=True)
HASH = MapKind("HASH", 1)
VALUE = types.ArrayType(types.U64, 2)
CONSTANTS = (0, 0, 1, 1, 2, 3, 7, 8, 16, 31, 32, 63, 64, 255, 256, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
             1 << 40, (1 << 63) - 1, -(1 << 63), -1, -2, -8, -128, -4096)  # fmt: skip


def modules(size: int = 20) -> st.SearchStrategy[Module]:
    """Modules of up to `size` statements; examples shrink."""
    return st.builds(random_module, st.randoms(use_true_random=False), st.integers(1, size))


def random_module(rng: random.Random, size: int = 20) -> Module:
    """One module; the same numbers give the same module."""
    content = bytes(rng.randrange(256) for _ in range(8)) * 8
    module = Module(
        [],
        [MapSpec("counts", ARRAY, types.U32, VALUE, 8), MapSpec("seen", HASH, types.U32, VALUE, 64)],
        [
            GlobalSpec("state", types.ArrayType(types.U64, 8), content, constant=False),
            GlobalSpec("table", types.ArrayType(types.U64, 8), content[::-1], constant=True),
        ],
        name="random",
    )
    with_sub = rng.random() < 0.25
    if with_sub:
        params = [*[ops.Param(n, "int", name) for n, name in enumerate("abcd")], ops.Param(4, "ptr", "p")]
        sub = Function("sub", ".text", params, static=True)
        _Generator(rng, sub, 6, calls=False, room=40).fill()
        module.functions.append(sub)
    prog = Function("prog", "xdp", [ops.Param(0, "ptr", "ctx")])
    _Generator(rng, prog, size, calls=with_sub).fill()
    module.functions.insert(0, prog)
    return module


class _Generator:
    """Writes one function, statement by statement; `vars` are the int variables' current values.

    `room`: bytes of the stack for objects of odd sizes.
    """

    def __init__(self, rng: random.Random, function: Function, size: int, *, calls: bool, room: int = 120) -> None:
        self.rng = rng
        self.function = function
        self.left = size
        self.calls = calls
        self.room = room
        self.block = Block("entry")
        self.function.blocks.append(self.block)
        self.buffer, self.local = Slot("buf", 32), Slot("local", 8)
        self.key = Slot("key", 4, 4)
        function.slots += [self.buffer, self.local, self.key]
        self.ctx = function.params[0] if function.params[0].kind == "ptr" else None
        self.given = next((p for p in function.params[1:] if p.kind == "ptr"), None)
        self.vars: list[Value] = [p for p in function.params if p.kind == "int"] or [ops.Const(5)]

    # building blocks

    def fill(self) -> None:
        for slot, start in ((self.buffer, 0), (self.buffer, 8), (self.buffer, 16), (self.buffer, 24), (self.local, 0)):
            self.emit(ops.Store(self.emit(ops.SlotAddr(slot)), start, 64, ops.Const(self.rng.choice(CONSTANTS))))
        while len(self.vars) < 4:
            self.vars.append(self.load(self.emit(ops.GlobalAddr("state")), 8 * len(self.vars), 64))
        self.statements(0)
        total = self.vars[0]
        for value in self.vars[1:]:
            total = self.emit(ops.Binary("xor", total, value))
        self.emit(ops.Return(self.emit(ops.Binary("and", total, ops.Const(3))) if self.ctx else total))

    def emit(self, op: ops.Op) -> ops.Op:
        self.block.ops.append(op)
        return op

    def start(self, label: str) -> Block:
        self.block = Block(f"{label}.{len(self.function.blocks)}")
        self.function.blocks.append(self.block)
        return self.block

    def value(self) -> Value:
        return self.rng.choice(self.vars) if self.rng.random() < 0.7 else ops.Const(self.rng.choice(CONSTANTS))

    def load(self, addr: Value, offset: int, bits: int, constant: bool = False) -> ops.Op:
        return self.emit(ops.Load(addr, offset, bits, self.rng.random() < 0.3, "int", constant))

    def assign(self, value: Value) -> None:
        self.vars[self.rng.randrange(len(self.vars))] = value

    def test(self) -> tuple[str, Value, Value, int]:
        width = self.rng.choice((64, 64, 32))
        return self.rng.choice(ops.PREDICATES), self.value(), self.value(), width

    def branch(self) -> ops.Branch:
        """End the block with a branch whose targets are filled in later."""
        pred, lhs, rhs, width = self.test()
        if self.rng.random() < 0.4:
            lhs, rhs, pred, width = self.emit(ops.Cmp(pred, lhs, rhs, width)), ops.Const(0), "ne", 64
        branch = ops.Branch(pred, lhs, rhs, self.block, self.block, width)
        self.emit(branch)
        return branch

    def join(self, label: str, arms: list[tuple[Block, list[Value]]]) -> None:
        """Start the block where the arms (with their variables) meet."""
        for block, _ in arms:
            block.ops.append(ops.Jump(block))
        target = self.start(label)
        for block, _ in arms:
            block.ops[-1] = ops.Jump(target)
        columns = list(zip(*(values for _, values in arms), strict=True))
        self.vars = [
            column[0] if all(v is column[0] for v in column) and self.rng.random() < 0.8
            else self.emit(ops.Phi([(block, v) for (block, _), v in zip(arms, column, strict=True)], "int", "v"))
            for column in columns
        ]  # fmt: skip

    # statements

    def statements(self, depth: int) -> None:
        for _ in range(self.rng.randint(1, 6 if depth else 30)):
            if self.left <= 0:
                return
            self.left -= 1
            self.rng.choice(self.DEEP if depth < 3 else self.FLAT)(self, depth)

    def arithmetic(self, depth: int) -> None:
        width = self.rng.choice((64, 64, 32))
        self.assign(self.emit(ops.Binary(self.rng.choice(ops.BINARY), self.value(), self.value(), width)))

    def convert(self, depth: int) -> None:
        if self.rng.random() < 0.7:
            self.assign(self.emit(ops.Extend(self.value(), self.rng.choice((8, 16, 32)), self.rng.random() < 0.5)))
        else:
            self.assign(self.emit(ops.Swap(self.value(), self.rng.choice((16, 32, 64)))))

    def comparison(self, depth: int) -> None:
        pred, lhs, rhs, width = self.test()
        self.assign(self.emit(ops.Cmp(pred, lhs, rhs, width)))

    def access(self, addr: Value, size: int, *, writable: bool = True, atomic: bool = False) -> None:
        """Read or write somewhere in the `size` bytes at addr."""
        bits = self.rng.choice([b for b in (8, 16, 32, 64) if b <= size * 8])
        offset = self.rng.randrange(size * 8 // bits) * bits // 8
        if atomic and self.rng.random() < 0.3:
            self.atomic(addr, size)
        elif writable and self.rng.random() < 0.5:
            self.emit(ops.Store(addr, offset, bits, self.value()))
        else:
            self.assign(self.load(addr, offset, bits, not writable))

    def atomic(self, addr: Value, size: int) -> None:
        bits = self.rng.choice((32, 64))
        offset = self.rng.randrange(size * 8 // bits) * bits // 8
        op = self.rng.choice(("add", "and", "or", "xor", "xchg", "cmpxchg"))
        fetch = op in ("xchg", "cmpxchg") or self.rng.random() < 0.5
        expected = self.value() if op == "cmpxchg" else None
        done = self.emit(ops.Atomic(op, addr, offset, bits, self.value(), expected, fetch))
        if fetch:
            self.assign(done)

    def memory(self, depth: int) -> None:
        match self.rng.randrange(5):
            case 4 if self.given is not None:
                self.access(self.given, 8)
            case 0 | 4:
                self.access(self.emit(ops.SlotAddr(self.buffer)), 32)
            case 1:
                self.access(self.emit(ops.SlotAddr(self.local)), 8)
            case 2:
                self.access(self.emit(ops.GlobalAddr("state")), 64, atomic=True)
            case 3:
                self.access(self.emit(ops.GlobalAddr("table")), 64, writable=False)

    def tick(self, depth: int) -> None:
        """A call that leaves nothing but what lives across it."""
        self.emit(ops.CallHelper(5, "bpf_ktime_get_ns", []))

    def element(self, depth: int) -> None:
        """state[i] for an index that a mask, or a checked branch, keeps in range."""
        index = self.emit(ops.Binary("and", self.value(), ops.Const(self.rng.choice((7, 15, 31)))))
        if self.rng.random() < 0.5:
            self.access(self.emit(ops.PtrAdd(self.emit(ops.GlobalAddr("state")), index)), 32, atomic=False)
            return
        saved = list(self.vars)
        branch = ops.Branch("ult", index, ops.Const(6), self.block, self.block)
        before = self.block
        self.emit(branch)
        branch.then = self.start("inside")
        inside = self.emit(ops.Guard(index, "int"))
        offset = self.emit(ops.Binary("shl", inside, ops.Const(3)))
        self.access(self.emit(ops.PtrAdd(self.emit(ops.GlobalAddr("state")), offset)), 16)
        arms = [(self.block, self.vars)]
        branch.other = self.start("outside")
        arms.append((self.block, saved))
        assert before is not self.block
        self.join("after", arms)

    def put_key(self) -> ops.Op:
        small = self.emit(ops.Binary("and", self.value(), ops.Const(15)))
        addr = self.emit(ops.SlotAddr(self.key))
        self.emit(ops.Store(addr, 0, 32, small))
        return addr

    def lookup(self, depth: int) -> None:
        """A map lookup, its null check, and work with the value on one side."""
        addr = self.put_key()
        name = self.rng.choice(("counts", "seen"))
        table = self.emit(ops.MapAddr(name))
        found = self.emit(ops.CallHelper(1, "bpf_map_lookup_elem", [table, addr], "ptr", "found"))
        saved = list(self.vars)
        branch = ops.Branch("eq", found, ops.Const(0), self.block, self.block)
        self.emit(branch)
        branch.then = self.start("missing")
        self.statements(3)
        arms = [(self.block, self.vars)]
        branch.other = self.start("found")
        self.vars = saved
        value = self.emit(ops.Guard(found, "ptr", "found"))
        for _ in range(self.rng.randint(1, 3)):
            self.access(value, 16, atomic=True)
        self.statements(depth + 1)
        if name == "counts":  # a hash's element may have been replaced by an update meanwhile
            self.access(value, 16, atomic=True)
        self.join("looked", [*arms, (self.block, self.vars)])

    def update(self, depth: int) -> None:
        addr = self.put_key()
        table = self.emit(ops.MapAddr("seen"))
        value = self.emit(ops.PtrAdd(self.emit(ops.SlotAddr(self.buffer)), ops.Const(8)))
        done = self.emit(ops.CallHelper(2, "bpf_map_update_elem", [table, addr, value, ops.Const(0)]))
        if self.rng.random() < 0.5:
            self.assign(done)

    def packet(self, depth: int) -> None:
        """A bounds check of the packet, and accesses behind it."""
        if self.ctx is None:
            return self.memory(depth)
        data = self.emit(ops.Load(self.ctx, 0, 32, False, "ptr", True, "data"))
        end = self.emit(ops.Load(self.ctx, 4, 32, False, "ptr", True, "data_end"))
        if self.rng.random() < 0.2:
            self.assign(self.emit(ops.Binary("sub", end, data)))
        size = self.rng.choice((8, 16, 40, 64))
        limit = self.emit(ops.PtrAdd(data, ops.Const(size)))
        saved = list(self.vars)
        branch = ops.Branch("ugt", limit, end, self.block, self.block)
        self.emit(branch)
        branch.then = self.start("short")
        arms = [(self.block, saved)]
        branch.other = self.start("fits")
        self.vars = list(saved)
        inside = self.emit(ops.Guard(data, "ptr", "pkt"))
        for _ in range(self.rng.randint(1, 3)):
            self.access(inside, size)
        self.statements(depth + 1)
        self.access(self.emit(ops.PtrAdd(inside, ops.Const(size // 2))), size // 2)
        self.join("parsed", [*arms, (self.block, self.vars)])
        return None

    def conditional(self, depth: int) -> None:
        branch = self.branch()
        saved = list(self.vars)
        branch.then = self.start("then")
        self.statements(depth + 1)
        if self.rng.random() < 0.15:
            self.emit(ops.Return(ops.Const(self.rng.randrange(4))))
            branch.other = self.start("else")
            self.vars = saved
            return
        arms = [(self.block, self.vars)]
        branch.other = self.start("else")
        self.vars = saved
        if self.rng.random() < 0.5:
            self.statements(depth + 1)
        self.join("joined", [*arms, (self.block, self.vars)])

    def optional(self, depth: int) -> None:
        """x = a if c else None; ...; y = b if x is None else x + 1: as (present, value) phis."""
        branch = self.branch()
        saved = list(self.vars)
        branch.then = then = self.start("some")
        some = self.emit(ops.Binary("add", self.value(), ops.Const(1)))
        self.emit(ops.Jump(then))
        branch.other = other = self.start("none")
        self.emit(ops.Jump(other))
        both = self.start("either")
        then.ops[-1], other.ops[-1] = ops.Jump(both), ops.Jump(both)
        present = self.emit(ops.Phi([(then, ops.Const(1)), (other, ops.Const(0))], "int", "present"))
        value = self.emit(ops.Phi([(then, some), (other, ops.Const(0))], "int", "value"))
        if self.rng.random() < 0.4:
            self.vars = saved
            self.statements(depth + 1)
            saved = self.vars
        again = ops.Branch("ne", present, ops.Const(0), self.block, self.block)
        self.emit(again)
        again.then = self.start("is.some")
        self.vars = list(saved)
        self.assign(self.emit(ops.Binary("add", value, ops.Const(1))))
        arms = [(self.block, self.vars)]
        again.other = self.start("is.none")
        self.vars = list(saved)
        self.statements(depth + 1)
        self.join("chosen", [*arms, (self.block, self.vars)])

    def loop(self, depth: int) -> None:
        """for i in range(n): ..., perhaps with a break; the test before each turn, or behind it."""
        before = self.block
        self.emit(ops.Jump(before))
        start = self.vars
        header = self.start("head")
        before.ops[-1] = ops.Jump(header)
        counter = ops.Phi([(before, ops.Const(0))], "int", "i")
        carried = [ops.Phi([(before, v)], "int", "v") for v in start]
        header.ops += [counter, *carried]
        turns = ops.Const(self.rng.randint(1, 4))
        first = self.rng.random() < 0.6
        branch = ops.Branch("ult", counter, turns, header, header)
        if first:
            self.emit(branch)
            branch.then = self.start("body")
        self.vars = [*carried]
        self.vars[self.rng.randrange(len(carried))] = counter
        self.statements(depth + 1)
        exits: list[tuple[Block, list[Value]]] = []
        if self.rng.random() < 0.4:
            leave = self.branch()
            values = list(self.vars)
            leave.then = self.start("break")
            exits.append((self.block, values))
            leave.other = self.start("next")
        following = self.emit(ops.Binary("add", counter, ops.Const(1)))
        if self.rng.random() < 0.5:
            self.rng.shuffle(self.vars)
        counter.incoming.append((self.block, following))
        for phi, value in zip(carried, self.vars, strict=True):
            phi.incoming.append((self.block, value))
        if first:
            self.emit(ops.Jump(header))
            branch.other = self.start("done")
            exits.append((self.block, [*carried]))
        else:
            branch.lhs = following
            behind = list(self.vars) if self.rng.random() < 0.5 else [*carried]
            self.emit(branch)
            branch.other = self.start("done")
            exits.append((self.block, behind))
        self.join("left", exits)

    def call(self, depth: int) -> None:
        if not self.calls:
            return self.arithmetic(depth)
        slot = self.local
        if self.rng.random() < 0.5:
            slot, _ = random_objects.new(self)
            slot = slot if slot.size >= 8 and slot.align == 8 else self.buffer
        address = self.emit(ops.SlotAddr(slot))
        return self.assign(self.emit(ops.Call("sub", [*[self.value() for _ in range(4)], address])))

    FLAT = (arithmetic, arithmetic, convert, comparison, memory, memory, update, call, tick)
    DEEP = (*FLAT, arithmetic, element, lookup, packet, conditional, conditional, optional, loop, loop,
            random_objects.scratch, random_objects.scratch, random_objects.either)  # fmt: skip


def _model(contents: dict[str, dict[bytes, Region]], specs: dict[str, MapSpec]) -> dict[int, Callable[..., int]]:
    """Helpers: lookups and updates over dicts of key bytes to value regions, the time, a copy of memory."""

    def lookup(machine: Machine, args: list[int]) -> int:
        name = machine.symbol(args[0])
        found = contents[name].get(machine.memory.read(args[1], 4))
        return found.base if found else 0

    def update(machine: Machine, args: list[int]) -> int:
        name = machine.symbol(args[0])
        key, value = machine.memory.read(args[1], 4), machine.memory.read(args[2], 16)
        if key in contents[name]:
            machine.memory.write(contents[name][key].base, value)
        elif specs[name].kind.indexed:
            return -7
        else:
            contents[name][key] = machine.memory.add(value, f"{name}[]")
        return 0

    def read(machine: Machine, args: list[int]) -> int:
        machine.memory.write(args[0], machine.memory.read(args[2], args[1]))
        return 0

    return {1: lookup, 2: update, 5: lambda machine, args: 0, 113: read}


def observe(
    module: Module,
    packet: bytes,
    function: str = "prog",
    watch: Callable[[ops.Op, int], None] | None = None,
    machine: Callable[..., Machine] = Machine,
) -> tuple[object, ...]:
    """Run the program on a packet: (result, state, counts, seen, packet afterwards)."""
    contents: dict[str, dict[bytes, Region]] = {"counts": {}, "seen": {}}
    running = machine(module, _model(contents, {m.name: m for m in module.maps}), watch=watch)
    for index in range(8):
        contents["counts"][index.to_bytes(4, "little")] = running.memory.add(bytes(16), "counts[]")
    region = running.memory.add(packet, "packet", low=True)
    end = region.base + len(packet)
    ctx = running.memory.add(
        region.base.to_bytes(4, "little") + end.to_bytes(4, "little") + bytes(16), "ctx", writable=False
    )
    result = running.run(function, [ctx.base])
    state = bytes(running.memory.read(running.symbols["state"], 64))
    maps = [sorted((k, bytes(r.data)) for k, r in contents[name].items()) for name in ("counts", "seen")]
    return (result, state, *maps, bytes(region.data))
