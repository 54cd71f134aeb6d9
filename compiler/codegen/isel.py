"""Instruction selection: an IR function in, a machine function over virtual registers out.

Operations are visited from the end of the function backwards, and one becomes instructions only if something selected
before wants its result in a register, or if it has an effect. So what is folded into its users (a constant offset
into the address of a load, a comparison into a branch, a mask into a 32-bit operation) costs nothing. The rules are
tables by class of operation: arithmetic in isel_arith.py, comparisons in isel_compare.py, memory in isel_memory.py,
the rest here.

The ISA level decides what rules may use: below 4 no sign-extending moves and loads and no signed division, below 3 no
32-bit arithmetic or jumps and no fetching atomics, below 2 no jumps on less-than.
"""

from __future__ import annotations

from pybpf.compiler.analysis.ranges import Ranges
from pybpf.compiler.codegen.isel_arith import ARITHMETIC, is_redundant, used_whole
from pybpf.compiler.codegen.isel_compare import COMPARISONS, fused_branch
from pybpf.compiler.codegen.isel_memory import MEMORY, loads_sign
from pybpf.compiler.codegen.machine import (
    CALL,
    EXIT,
    FIRST_VREG,
    FRAME,
    FRAME_POINTER,
    JUMP,
    LOAD_64,
    MAY_GOTO,
    MOV_K,
    MBlock,
    MFunction,
    MInsn,
    Symbol,
)
from pybpf.compiler.codegen.order import order_blocks
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Slot
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.schema.core import WIDE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.codegen.machine import Body, Form
    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op, Value
    from pybpf.compiler.schema.core import CoreFact
    from pybpf.compiler.schema.span import Span

__all__ = ["Selector", "select"]


def select(function: Function, level: int, short_first: bool = True) -> MFunction:
    """The function in machine code of the ISA level, 1 to 4; `short_first` as in order.py."""
    return Selector(function, level).run(short_first)


class Selector:
    """State of one selection, and what rules work with: `emit`, `vreg`, `temp`, `address`es and constants.

    A rule is called with the selector and the operation, and emits in order of execution.
    """

    def __init__(self, function: Function, level: int) -> None:
        self.function = function
        self.level = level
        self.vregs: dict[Value, int] = {}
        self.next = FIRST_VREG
        self.recipes: dict[int, MInsn] = {}
        self.names: dict[int, str] = {}
        self.tested: dict[int, Value] = {}
        self.blocks: dict[Block, MBlock] = {}
        self.sign_loads: set[Value] = set()  # loads that sign-extend for the only extension that uses them
        self.ranges = Ranges()
        self.whole: set[Value] = set()  # extensions of which something uses all bits
        self.out: list[MInsn] = []
        self.span: Span | None = None
        self._known_recipes: dict[tuple[Any, ...], int] = {}
        self._uses: dict[Value, int] = {}
        self._slots: dict[Slot, None] = {}
        self._hiding: Slot | None = None

    def run(self, short_first: bool) -> MFunction:
        order = self.function.reverse_postorder()
        self.blocks = {block: MBlock(block.label) for block in order}
        extended: list[tuple[Op, ops.Extend]] = []
        for block in order:
            for operation in block.ops:
                for value in operation.args():
                    self._uses[value] = self._uses.get(value, 0) + 1
                    if type(value) is ops.Extend:
                        extended.append((operation, value))
        if extended:
            self.whole = used_whole(self, extended)
        for block in reversed(order):
            self._block(block)
        params = [self.vregs.get(param, -1) for param in self.function.params]
        blocks = order_blocks(self.blocks[order[0]], short_first)
        slots = [slot for slot in self.function.slots if slot in self._slots]
        slots += [self._hiding] if self._hiding is not None else []
        return MFunction(
            self.function.name, params, blocks, self.recipes, self.names, slots, self.next, self.level,
            tested=self.tested,
        )  # fmt: skip

    def _block(self, block: Block) -> None:
        made = self.blocks[block]
        groups = []
        for operation in reversed(block.ops):
            kind = type(operation)
            if kind is ops.Phi:
                made.params.append(self.vreg(operation))
                continue
            if not operation.effect and operation not in self.vregs:
                continue
            self.out = []
            self.span = operation.span
            if operation.terminator:
                self._terminator(block, operation, made)
            else:
                RULES[kind](self, operation)
            groups.append(self.out)
        made.params.reverse()
        for group in reversed(groups):
            made.insns += group

    def _terminator(self, block: Block, operation: Op, made: MBlock) -> None:
        kind = type(operation)
        targets: list[Block] = []
        if kind is ops.Jump:
            self.emit(JUMP, op.GOTO)
            targets = operation.targets()
        elif kind is ops.Branch:
            targets = fused_branch(self, operation)  # type: ignore[arg-type]
        elif kind is ops.MayGoto:
            self.emit(MAY_GOTO, op.MAY_GOTO)
            targets = operation.targets()[::-1]
        elif kind is ops.Return:
            self.emit(EXIT, op.EXIT_INSN, srcs=(self.vreg(operation.value),))  # type: ignore[attr-defined]
        else:
            # Never executed; but control must not run off the end of the code, and the verifier looks.
            self.emit(EXIT, op.EXIT_INSN, srcs=(self.constant(0),))
        for target in targets:
            made.succs.append(self.blocks[target])
            made.args.append([self.vreg(_incoming(phi, block)) for phi in target.phis()])

    # ---- what rules use

    def emit(
        self, form: Form, opcode: int, dst: int = -1, srcs: tuple[int, ...] = (), off: int = 0, imm: int = 0,
        ref: Slot | Symbol | Body | CoreFact | None = None,
    ) -> None:  # fmt: skip
        self.out.append(MInsn(form, opcode, dst, srcs, off, imm, ref, self.span))

    def temp(self) -> int:
        """A new virtual register."""
        self.next += 1
        return self.next - 1

    def vreg(self, value: Value) -> int:
        """The register of a value: asking for it makes the operation that computes it be selected."""
        found = self.vregs.get(value)
        if found is not None:
            return found
        kind = type(value)
        if kind is ops.Guard or (kind is ops.Extend and is_redundant(value)):  # type: ignore[arg-type]
            found = self.vreg(value.value)  # type: ignore[attr-defined]
        elif kind is ops.Extend and loads_sign(self, value):  # type: ignore[arg-type]
            self.sign_loads.add(value.value)  # type: ignore[attr-defined]
            found = self.vreg(value.value)  # type: ignore[attr-defined]
        else:
            found = self._recipe_of(value)
            if found is None:
                found = self.vregs[value] = self.temp()
        if value.name:
            self.names.setdefault(found, value.name)
        return found

    def uses(self, value: Value) -> int:
        """How many operands of operations the value is."""
        return self._uses.get(value, 0)

    def constant(self, value: int) -> int:
        """A register for a 64-bit constant; signed or unsigned makes no difference."""
        value = (value + (1 << 63) & (1 << 64) - 1) - (1 << 63)
        if -0x8000_0000 <= value < 0x8000_0000:
            return self._recipe(MOV_K, op.MOV_IMM, value, None)
        if 0 < value < 1 << 32 and self.level >= 3:
            return self._recipe(MOV_K, op.MOV32_IMM, value - (1 << 32), None)
        return self._recipe(LOAD_64, op.LD_IMM64, value, None)

    def slot_address(self, slot: Slot, offset: int) -> int:
        """A register for the address of a stack slot."""
        self._slots[slot] = None
        return self._recipe(FRAME, op.MOV_REG, offset, slot)

    def hiding_slot(self) -> Slot:
        """The word of the stack through which values are hidden from the verifier."""
        if self._hiding is None:
            self._hiding = Slot("hidden", 8)
            self._slots[self._hiding] = None
        return self._hiding

    def address(self, value: Value, offset: int) -> tuple[int, int, Slot | None]:
        """Base register, offset and stack slot for a memory access at value + offset."""
        while True:
            kind = type(value)
            if kind is ops.Guard:
                value = value.value  # type: ignore[attr-defined]
            elif kind is ops.PtrAdd and type(value.offset) is ops.Const:  # type: ignore[attr-defined]
                further = offset + value.offset.value  # type: ignore[attr-defined]
                if not -0x8000 <= further < 0x8000:
                    break
                offset, value = further, value.base  # type: ignore[attr-defined]
            else:
                break
        if kind is ops.SlotAddr:
            self._slots[value.slot] = None  # type: ignore[attr-defined]
            return FRAME_POINTER, offset, value.slot  # type: ignore[attr-defined]
        return self.vreg(value), offset, None

    def _recipe(self, form: Form, opcode: int, imm: int, ref: Slot | Symbol | Body | CoreFact | None) -> int:
        key = (form.name, opcode, imm, ref)
        found = self._known_recipes.get(key)
        if found is None:
            found = self._known_recipes[key] = self.temp()
            self.recipes[found] = MInsn(form, opcode, found, (), 0, imm, ref)
        return found

    def _recipe_of(self, value: Value) -> int | None:
        """The register of a value that is a constant or an address known before the program runs."""
        kind: Any = type(value)
        v: Any = value
        if kind is ops.Const:
            return self.constant(v.value)
        if kind is ops.SlotAddr:
            return self.slot_address(v.slot, 0)
        if kind is ops.PtrAdd and type(v.base) is ops.SlotAddr and type(v.offset) is ops.Const:
            return self.slot_address(v.base.slot, v.offset.value)
        if kind is ops.Relocated:
            fact = v.fact
            if fact.kind in WIDE:
                wide = (fact.value + (1 << 63) & (1 << 64) - 1) - (1 << 63)
                return self._recipe(LOAD_64, op.LD_IMM64, wide, fact)
            return self._recipe(MOV_K, op.MOV_IMM, fact.value, fact)
        if kind in SYMBOLS:
            return self._recipe(LOAD_64, op.LD_IMM64, 0, Symbol(SYMBOLS[kind], v.symbol))
        return None


SYMBOLS = {ops.MapAddr: "map", ops.GlobalAddr: "global", ops.ExternAddr: "global", ops.FuncAddr: "callback"}


def _incoming(phi: ops.Phi, source: Block) -> Value:
    for block, value in phi.incoming:
        if block is source:
            return value
    raise AssertionError(f"phi has no value from {source.label}")


def _call_helper(sel: Selector, call: ops.CallHelper) -> None:
    sel.emit(CALL, op.CALL_IMM, sel.vregs.get(call, -1), tuple(map(sel.vreg, call.arguments)), imm=call.id)


def _call(sel: Selector, call: ops.Call) -> None:
    arguments = tuple(map(sel.vreg, call.arguments))
    sel.emit(CALL, op.CALL_IMM, sel.vregs.get(call, -1), arguments, imm=-1, ref=Symbol("call", call.function))


def _call_kernel(sel: Selector, call: ops.CallKernel) -> None:
    arguments = tuple(map(sel.vreg, call.arguments))
    sel.emit(CALL, op.CALL_IMM, sel.vregs.get(call, -1), arguments, imm=-1, ref=Symbol("extern", call.function))


def _asm(sel: Selector, asm: ops.Asm) -> None:
    from pybpf.compiler.codegen.inline import select_asm

    select_asm(sel, asm)


CALLS: dict[type, Callable[[Selector, Any], None]] = {
    ops.CallHelper: _call_helper,
    ops.Call: _call,
    ops.CallKernel: _call_kernel,
    ops.Asm: _asm,
}
RULES = CALLS | ARITHMETIC | COMPARISONS | MEMORY
