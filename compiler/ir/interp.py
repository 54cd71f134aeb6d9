"""An exact interpreter of IR functions: what a program means, for tests of passes and of code generation.

    machine = Machine(module, helpers={1: lookup})
    ctx = machine.memory.add(bytes(24), "ctx")
    result = machine.run("firewall", [ctx.base])

Memory is a set of regions with gaps between them. An access outside a region, to a read-only one, or of a byte that
was never written raises `Trap`, and so does arithmetic on a null pointer; a pass that moves an access in front of its
check is found that way. Helpers are the caller's functions of the machine and the argument values. Values are 64-bit
patterns as unsigned ints.
"""

from __future__ import annotations

from bisect import bisect_right

from pybpf.compiler.ir import arith, ops
from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from pybpf.compiler.ir.function import Block, Function, Module, Slot

__all__ = ["Machine", "Memory", "OutOfFuel", "Region", "Trap"]

MASK = arith.MASK64


class Trap(Exception):
    """The program did what the verifier forbids."""


class OutOfFuel(Exception):
    """The program ran longer than the machine lets it."""


class Region(Record, eq=False):
    """Bytes at `base`. `written` has a 1 for each byte that holds a value."""

    name: str
    base: int
    data: bytearray
    written: bytearray
    writable: bool


class Memory(Record, eq=False):
    """Regions in order of address; equal sequences of `add` give equal addresses."""

    regions: list[Region] = factory(list)
    bases: list[int] = factory(list)
    low: int = 0x10_0000
    high: int = 0x7F00_0000_0000

    def add(self, data: bytes | int, name: str, *, writable: bool = True, low: bool = False) -> Region:
        """A new region with these bytes, or with that many unwritten ones.

        `low`: its address fits 32 bits, as a packet's seems to in a context.
        """
        content = bytearray(data)
        base = self.low if low else self.high
        region = Region(name, base, content, bytearray(len(content)) if isinstance(data, int) else
                        bytearray(b"\1" * len(content)), writable)  # fmt: skip
        step = (len(content) + 0xFFFF) // 0x1_0000 * 0x1_0000 + 0x1_0000
        if low:
            self.low += step
        else:
            self.high += step
        at = bisect_right(self.bases, base)
        self.bases.insert(at, base)
        self.regions.insert(at, region)
        return region

    def remove(self, region: Region) -> None:
        at = self.regions.index(region)
        del self.regions[at], self.bases[at]

    def find(self, address: int, size: int) -> tuple[Region, int]:
        """The region that holds the bytes, and their offset in it."""
        at = bisect_right(self.bases, address) - 1
        region = self.regions[at] if at >= 0 else None
        if region is None or address + size > region.base + len(region.data):
            raise Trap(f"access of {size} bytes at {address:#x}, outside any region")
        return region, address - region.base

    def read(self, address: int, size: int) -> bytes:
        region, offset = self.find(address, size)
        if not all(region.written[offset : offset + size]):
            raise Trap(f"read of unwritten bytes in {region.name} at {offset}")
        return bytes(region.data[offset : offset + size])

    def write(self, address: int, data: bytes) -> None:
        region, offset = self.find(address, len(data))
        if not region.writable:
            raise Trap(f"write to {region.name}, which is read-only")
        region.data[offset : offset + len(data)] = data
        region.written[offset : offset + len(data)] = b"\1" * len(data)


class Machine:
    """A module with its memory. `symbols` has the address of each map, global and function."""

    def __init__(
        self,
        module: Module,
        helpers: Mapping[int, Callable[[Machine, list[int]], int]] | None = None,
        fuel: int = 100_000,
        watch: Callable[[ops.Op, int], None] | None = None,
        kfuncs: Mapping[str, Callable[[Machine, list[int]], int]] | None = None,
    ) -> None:
        self.module = module
        self.helpers = helpers or {}
        self.kfuncs = kfuncs or {}
        self.fuel = fuel
        self.watch = watch  # called with each operation and its result
        self.memory = Memory()
        self.functions = {f.name: f for f in module.functions}
        self.symbols: dict[str, int] = {}
        for spec in module.maps:
            self.symbols[spec.name] = self.memory.add(b"", spec.name).base
        for variable in module.globals:
            region = self.memory.add(variable.init, variable.name, writable=not variable.constant)
            self.symbols[variable.name] = region.base
        for function in module.functions:
            self.symbols[function.name] = self.memory.add(b"", function.name).base
        self._at = {address: name for name, address in self.symbols.items()}

    def symbol(self, address: int) -> str:
        """The map, global or function at the address: what a helper gets as an argument."""
        if address not in self._at:
            raise Trap(f"nothing is at {address:#x}")
        return self._at[address]

    def run(self, name: str, arguments: Sequence[int]) -> int:
        """Call the function and return R0."""
        function = self.functions[name]
        frame = {slot: self.memory.add(slot.size, slot.name) for slot in function.slots}
        try:
            return self._run(function, arguments, frame)
        finally:
            for region in frame.values():
                self.memory.remove(region)

    def _run(self, function: Function, arguments: Sequence[int], frame: dict[Slot, Region]) -> int:
        values: dict[ops.Value, int] = {p: a & MASK for p, a in zip(function.params, arguments, strict=True)}

        def get(value: ops.Value) -> int:
            return value.value & MASK if type(value) is ops.Const else values[value]

        block, before = function.blocks[0], None
        while True:
            self.fuel -= len(block.ops)
            if self.fuel < 0:
                raise OutOfFuel
            phis = block.phis()
            if phis:
                values.update([(phi, get(_incoming(phi, before))) for phi in phis])
            for op in block.ops[len(phis) : -1]:
                values[op] = _RUN[type(op)](self, op, get) if type(op) is not ops.SlotAddr else frame[op.slot].base
            if self.watch is not None:
                for op in block.ops[:-1]:
                    self.watch(op, values[op])
            before, last = block, block.ops[-1]
            if type(last) is ops.Jump:
                block = last.target
            elif type(last) is ops.Branch:
                block = last.then if arith.compare(last.pred, get(last.lhs), get(last.rhs), last.width) else last.other
            elif type(last) is ops.MayGoto:
                block = last.then  # the fuel runs out first
            elif type(last) is ops.Return:
                return get(last.value)
            else:
                raise Trap("reached what cannot be reached")


def _incoming(phi: ops.Phi, before: Block | None) -> ops.Value:
    for block, value in phi.incoming:
        if block is before:
            return value
    raise Trap("phi without a value for its predecessor")


def _ptradd(machine: Machine, op: ops.PtrAdd, get: Callable[[ops.Value], int]) -> int:
    if not get(op.base):
        raise Trap("arithmetic on a null pointer")
    return get(op.base) + get(op.offset) & MASK


def _load(machine: Machine, op: ops.Load, get: Callable[[ops.Value], int]) -> int:
    data = machine.memory.read(get(op.addr) + op.offset & MASK, op.bits // 8)
    return arith.extend(int.from_bytes(data, "little"), op.bits, op.signed)


def _store(machine: Machine, op: ops.Store, get: Callable[[ops.Value], int]) -> int:
    value = get(op.value) & (1 << op.bits) - 1
    machine.memory.write(get(op.addr) + op.offset & MASK, value.to_bytes(op.bits // 8, "little"))
    return 0


def _atomic(machine: Machine, op: ops.Atomic, get: Callable[[ops.Value], int]) -> int:
    address, size, value = get(op.addr) + op.offset & MASK, op.bits // 8, get(op.value)
    old = int.from_bytes(machine.memory.read(address, size), "little")
    mask = (1 << op.bits) - 1
    if op.op == "xchg":
        new = value
    elif op.op == "cmpxchg":
        assert op.expected is not None
        new = value if old == get(op.expected) & mask else old
    else:
        new = arith.binary(op.op, old, value, op.bits)
    machine.memory.write(address, (new & mask).to_bytes(size, "little"))
    return old


def _helper(machine: Machine, op: ops.CallHelper, get: Callable[[ops.Value], int]) -> int:
    if op.id not in machine.helpers:
        raise Trap(f"no helper {op.helper}#{op.id}")
    return machine.helpers[op.id](machine, [get(a) for a in op.arguments]) & MASK


def _kernel(machine: Machine, op: ops.CallKernel, get: Callable[[ops.Value], int]) -> int:
    if op.function not in machine.kfuncs:
        raise Trap(f"no kfunc {op.function}")
    return machine.kfuncs[op.function](machine, [get(a) for a in op.arguments]) & MASK


def _asm(machine: Machine, op: ops.Asm, get: Callable[[ops.Value], int]) -> int:
    from pybpf.compiler.isa.asm import assemble
    from pybpf.compiler.isa.effects import OPERAND
    from pybpf.compiler.isa.execute import TooLong, execute

    def helper(number: int, arguments: list[int]) -> int:
        if number not in machine.helpers:
            raise Trap(f"no helper #{number}")
        return machine.helpers[number](machine, arguments)

    operands = {str(number): OPERAND + number for number in range(len(op.inputs) + 1)}
    registers = {OPERAND + 1 + number: get(value) for number, value in enumerate(op.inputs)}
    memory = machine.memory
    try:
        execute(assemble(op.text, operands), registers, memory.read, memory.write, helper, machine.fuel)
    except TooLong:
        raise OutOfFuel from None
    return registers.get(OPERAND, 0)


_RUN: dict[type, Callable[[Machine, Any, Callable[[ops.Value], int]], int]] = {
    ops.Binary: lambda m, op, get: arith.binary(op.op, get(op.lhs), get(op.rhs), op.width),
    ops.PtrAdd: _ptradd,
    ops.Extend: lambda m, op, get: arith.extend(get(op.value), op.bits, op.signed),
    ops.Swap: lambda m, op, get: arith.swap(get(op.value), op.bits),
    ops.Cmp: lambda m, op, get: int(arith.compare(op.pred, get(op.lhs), get(op.rhs), op.width)),
    ops.Guard: lambda m, op, get: get(op.value),
    ops.Hide: lambda m, op, get: get(op.value),
    ops.Load: _load,
    ops.Relocated: lambda m, op, get: op.fact.value & MASK,
    ops.ArenaCast: lambda m, op, get: get(op.value),  # one address space will do
    ops.ToInt: lambda m, op, get: get(op.value),
    ops.Store: _store,
    ops.Atomic: _atomic,
    ops.MapAddr: lambda m, op, get: m.symbols[op.symbol],
    ops.GlobalAddr: lambda m, op, get: m.symbols[op.symbol],
    ops.ExternAddr: lambda m, op, get: m.symbols[op.symbol],
    ops.FuncAddr: lambda m, op, get: m.symbols[op.symbol],
    ops.CallHelper: _helper,
    ops.CallKernel: _kernel,
    ops.Asm: _asm,
    ops.Call: lambda m, op, get: m.run(op.function, [get(a) for a in op.arguments]),
}
