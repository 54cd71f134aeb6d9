"""Typed trees written by hand, and running what they lower to in the IR's interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.compiler.frontend import tree
from pybpf.compiler.ir.checker import check
from pybpf.compiler.ir.interp import Machine
from pybpf.compiler.irbuild.program import build
from pybpf.compiler.schema import types
from pybpf.compiler.schema.span import Source, Span
from pybpf.compiler.schema.specs import GlobalSpec, HelperSpec, MapKind, MapSpec, ProgramSpec, Target
from pybpf.compiler.schema.types import BOOL, I64, NONE, U32, U64, OptionalType, PtrType, Space, Type
from pybpf.simulator import Simulation, SimulationError
from pybpf.simulator.tables import Table

if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Module

SOURCE = Source("test.py", "", ["def f(): ..."])
SPAN = Span(SOURCE, 1, 0, 1, 12)

HASH = MapKind("HASH", 1, family="hash")
ARRAY = MapKind("ARRAY", 2, indexed=True, family="array")
PERCPU_HASH = MapKind("PERCPU_HASH", 5, percpu=True, family="hash")
RINGBUF = MapKind("RINGBUF", 27, keyed=False, family="ring")

RANDOM = HelperSpec("bpf_get_prandom_u32", 7, (), U64)


def num(value: int, type: Type = U64) -> tree.Const:
    return tree.Const(type, SPAN, value)


def local(var: tree.Var) -> tree.Local:
    return tree.Local(var.type, SPAN, var)


def op(lhs: tree.Expr, sign: str, rhs: tree.Expr) -> tree.Binary:
    return tree.Binary(lhs.type, SPAN, sign, lhs, rhs)


def cmp(lhs: tree.Expr, sign: str, rhs: tree.Expr) -> tree.Compare:
    return tree.Compare(BOOL, SPAN, sign, lhs, rhs)


def conv(value: tree.Expr, type: Type) -> tree.Convert:
    return tree.Convert(type, SPAN, value)


def ref(type: Type, space: str = Space.STACK) -> PtrType:
    return PtrType(type, space)


def new(struct: types.StructType, **values: tree.Expr) -> tree.New:
    pairs = []
    for name, value in values.items():
        field = struct.field(name)
        assert field is not None
        pairs.append((field, value))
    return tree.New(ref(struct), SPAN, tuple(pairs))


def field(base: tree.Expr, name: str) -> tree.Field:
    kind = base.type
    assert isinstance(kind, PtrType) and isinstance(kind.pointee, types.StructType)
    found = kind.pointee.field(name)
    assert found is not None
    inner = found.type
    if types.is_aggregate(inner):
        return tree.Field(PtrType(inner, kind.space), SPAN, base, found)
    if isinstance(inner, types.IntType) and inner.big:
        inner = types.IntType(inner.bits, inner.signed)
    return tree.Field(inner, SPAN, base, found)


def let(var: tree.Var, value: tree.Expr) -> tree.Assign:
    return tree.Assign(SPAN, var, value)


def ret(value: tree.Expr | None = None) -> tree.Return:
    return tree.Return(SPAN, value)


def do(value: tree.Expr) -> tree.ExprStmt:
    return tree.ExprStmt(SPAN, value)


def random() -> tree.HelperCall:
    return tree.HelperCall(U64, SPAN, RANDOM, ())


def call(name: str, number: int, result: Type, *args: Any) -> tree.HelperCall:
    return tree.HelperCall(result, SPAN, HelperSpec(name, number, (), result), args)


def get(spec: MapSpec, key: tree.Expr) -> tree.MapGet:
    assert spec.value is not None
    space = Space.PERCPU if spec.kind.percpu else Space.MAP
    inner = PtrType(spec.value, space) if types.is_aggregate(spec.value) else spec.value
    return tree.MapGet(OptionalType(inner), SPAN, spec, key)


def unwrap(var: tree.Var) -> tree.Unwrap:
    assert isinstance(var.type, OptionalType)
    return tree.Unwrap(var.type.inner, SPAN, local(var))


def is_none(var: tree.Var) -> tree.IsNone:
    return tree.IsNone(BOOL, SPAN, local(var))


def function(name: str, params: tuple[tree.Var, ...], result: Type, *body: tree.Stmt) -> tree.Function:
    return tree.Function(name, params, result, list(body), SPAN, SOURCE)


def typed(
    *body: tree.Stmt,
    args: tuple[tree.Var, ...] = (),
    maps: tuple[MapSpec, ...] = (),
    globals: tuple[GlobalSpec, ...] = (),
    result: Type = I64,
) -> tree.Typed:
    """One program `f` whose arguments lie in the context, 8 bytes each."""
    spec = ProgramSpec(
        "f", lambda: None, "raw_tp/x", "RAW_TRACEPOINT", None, "", tuple(8 * i for i in range(len(args))), result
    )
    program = tree.Program(spec, function("f", args, result, *body), tuple((v, 8 * i) for i, v in enumerate(args)))
    return tree.Typed([program], list(maps), list(globals))


def lowered(*body: tree.Stmt, **more: Any) -> Module:
    made = typed(*body, **more)
    module = build(made, Target())
    check(module)
    SOURCES[module] = made
    return module


SOURCES: dict[Module, tree.Typed] = {}


class World:
    """A machine with helpers for hash and array maps, ring buffers and random numbers."""

    def __init__(self, module: Module, seed: int = 0) -> None:
        self.machine = Machine(module, helpers={
            1: self.lookup, 2: self.update, 3: self.delete, 7: self.random, 130: self.output, 131: self.reserve,
            132: self.submit, 133: self.discard, 6: self.printk, 177: self.vprintk, 16: self.comm,
            113: self.probe_read, 115: self.probe_read_str,
        })  # fmt: skip
        self.maps: dict[str, dict[bytes, Any]] = {m.name: {} for m in module.maps}
        self.specs = {m.name: m for m in module.maps}
        for spec in module.maps:
            if spec.kind.indexed:
                for i in range(spec.max_entries):
                    self.put(spec.name, i.to_bytes(4, "little"), bytes(types.size_of(spec.value)))  # type: ignore[arg-type]
        self.events: list[bytes] = []
        self.printed: list[tuple[bytes, list[int]]] = []
        self.full = False
        self.reserved: dict[int, Any] = {}
        self.next_random = seed
        self.twin = Twin(SOURCES[module], self) if module in SOURCES else None

    def run(self, *args: int) -> int:
        """Run in the interpreter and in the simulator; both must give the same and leave the same behind."""
        twin = self.twin.run(args) if self.twin is not None else None
        result = self._run(*args)
        if self.twin is not None and self.twin.faults is False:
            assert twin is not None and (twin - result) % (1 << 64) == 0, (
                f"the simulator gives {twin}, the interpreter {result}"
            )
            self.twin.compare()
        return result

    def _run(self, *args: int) -> int:
        data = b"".join((a & (1 << 64) - 1).to_bytes(8, "little") for a in args)
        context = self.machine.memory.add(data or bytes(8), "ctx", writable=False)
        result = self.machine.run("f", [context.base])
        assert not self.reserved, "a reserved record was lost"
        return result - (1 << 64) if result >> 63 else result

    def put(self, name: str, key: bytes, value: bytes) -> None:
        self.maps[name][key] = self.machine.memory.add(value, f"{name}[{key.hex()}]")

    def value(self, name: str, key: int, bits: int = 64) -> int | None:
        size = types.size_of(self.specs[name].key or U32)
        region = self.maps[name].get(key.to_bytes(size, "little"))
        return None if region is None else int.from_bytes(region.data[: bits // 8], "little")

    def _key(self, args: list[int]) -> tuple[str, bytes]:
        name = self.machine.symbol(args[0])
        return name, self.machine.memory.read(args[1], types.size_of(self.specs[name].key or U32))

    def lookup(self, machine: Machine, args: list[int]) -> int:
        name, key = self._key(args)
        region = self.maps[name].get(key)
        return 0 if region is None else region.base

    def update(self, machine: Machine, args: list[int]) -> int:
        name, key = self._key(args)
        value = machine.memory.read(args[2], types.size_of(self.specs[name].value or U64))
        exists = key in self.maps[name]
        if (
            (args[3] == 1 and exists)
            or (args[3] == 2 and not exists)
            or (not exists and len(self.maps[name]) >= self.specs[name].max_entries)
        ):
            return -17
        if exists:
            machine.memory.write(self.maps[name][key].base, value)
        else:
            self.put(name, key, value)
        return 0

    def delete(self, machine: Machine, args: list[int]) -> int:
        name, key = self._key(args)
        return 0 if self.maps[name].pop(key, None) is not None else -2

    def random(self, machine: Machine, args: list[int]) -> int:
        self.next_random += 1
        return self.next_random

    def output(self, machine: Machine, args: list[int]) -> int:
        if self.full:
            return -11
        self.events.append(machine.memory.read(args[1], args[2]))
        return 0

    def reserve(self, machine: Machine, args: list[int]) -> int:
        assert args[1] == types.size_of(self.specs[machine.symbol(args[0])].value or U64)
        if self.full:
            return 0
        region = machine.memory.add(args[1], "record")
        self.reserved[region.base] = region
        return region.base

    def submit(self, machine: Machine, args: list[int]) -> int:
        region = self.reserved.pop(args[0])
        self.events.append(bytes(region.data))
        assert all(region.written), f"bytes {[i for i, w in enumerate(region.written) if not w]} were never written"
        machine.memory.remove(region)
        return 0

    def discard(self, machine: Machine, args: list[int]) -> int:
        machine.memory.remove(self.reserved.pop(args[0]))
        return 0

    def printk(self, machine: Machine, args: list[int]) -> int:
        self.printed.append((machine.memory.read(args[0], args[1]), args[2:]))
        return 0

    def vprintk(self, machine: Machine, args: list[int]) -> int:
        data = machine.memory.read(args[2], args[3])
        values = [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]
        self.printed.append((machine.memory.read(args[0], args[1]), values))
        return 0

    def comm(self, machine: Machine, args: list[int]) -> int:
        machine.memory.write(args[0], b"python3".ljust(args[1], b"\0"))
        return 0

    def probe_read(self, machine: Machine, args: list[int]) -> int:
        machine.memory.write(args[0], machine.memory.read(args[2], args[1]))
        return 0

    def probe_read_str(self, machine: Machine, args: list[int]) -> int:
        region, offset = machine.memory.find(args[2], 1)
        text = bytes(region.data[offset:]).split(b"\0")[0][: args[1] - 1] + b"\0"
        machine.memory.write(args[0], text)
        return len(text)


class Twin:
    """The same program in the simulator, over the same maps. `faults`: it found what must not happen, and stopped."""

    def __init__(self, made: tree.Typed, world: World) -> None:
        self.world = world
        self.program = made.programs[0]
        self.sim = Simulation(comm="python3")
        self.next_random = world.next_random
        self.function = self.sim.translate(self.program)
        self.sim.helper("bpf_get_prandom_u32", self.random)
        self.faults = False

    def random(self, *args: int) -> int:
        self.next_random += 1
        return self.next_random

    def run(self, args: tuple[int, ...]) -> int:
        for name, spec in self.world.specs.items():
            table = self.sim.table(spec)
            if isinstance(table, Table):
                table.entries = {key: [bytearray(value.data)] for key, value in self.world.maps[name].items()}
            else:
                table.events = list(self.world.events) if not self.world.full else [bytes(spec.max_entries - 8)]
        names = [var.name for var, _ in self.program.args]
        try:
            return self.sim.run_typed(self.program, self.function, None, None, dict(zip(names, args))).retval
        except SimulationError:
            self.faults = True
            return 0

    def compare(self) -> None:
        for name, spec in self.world.specs.items():
            table = self.sim.table(spec)
            if isinstance(table, Table):
                held = {key: bytes(value.data) for key, value in self.world.maps[name].items()}
                assert {key: bytes(values[0]) for key, values in table.entries.items()} == held
            elif not self.world.full:
                assert table.events == self.world.events
        assert len(self.sim.printed) == len(self.world.printed)


def run(*body: tree.Stmt, given: tuple[int, ...] = (), **more: Any) -> int:
    return World(lowered(*body, **more)).run(*given)


__all__ = [name for name in dir() if not name.startswith("_")] + ["NONE"]
