"""Selection rules for memory: Load, Store, Atomic."""

from __future__ import annotations

from pybpf.compiler.codegen.isel_arith import fits, shift_pair, signed_32
from pybpf.compiler.codegen.machine import ALU_X, CMPXCHG, FETCH, FRAME_POINTER, LOAD, MOV_X, STORE_K, STORE_X
from pybpf.compiler.ir import ops
from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.codegen.isel import Selector
    from pybpf.compiler.ir.function import Slot
    from pybpf.compiler.ir.ops import Value
    from pybpf.compiler.schema.core import CoreFact

__all__ = ["MEMORY", "loads_sign"]

ATOMIC_CODES = {"add": op.ADD, "and": op.AND, "or": op.OR, "xor": op.XOR, "xchg": op.XCHG}


def loads_sign(sel: Selector, extend: ops.Extend) -> bool:
    """The extension is all that is made of a load, and one instruction does both."""
    load = extend.value
    if type(load) is not ops.Load or not extend.signed or load.bits != extend.bits or load.kind != "int":
        return False
    return sel.level >= 4 and sel.uses(load) == 1 and load.core is None and not in_arena(load.addr)


def in_arena(addr: Value) -> bool:
    """Whether an address is one in an arena, from where kernels don't load signed (convert_ctx_accesses)."""
    seen: set[Value] = set()
    waiting = [addr]
    while waiting:
        value = waiting.pop()
        if type(value) is ops.ArenaCast:
            return True
        if type(value) in (ops.Guard, ops.PtrAdd, ops.Phi) and value not in seen:
            seen.add(value)
            waiting += value.args() if type(value) is ops.Phi else value.args()[:1]  # type: ignore[attr-defined]
    return False


def _load(sel: Selector, load: ops.Load) -> None:
    dst, size = sel.vregs[load], op.SIZE_CODE[load.bits // 8]
    ref: Slot | CoreFact | None
    if load.core is not None:
        base, off, ref = sel.vreg(load.addr), load.offset, load.core
    else:
        base, off, ref = sel.address(load.addr, load.offset)
    if not (load.signed or load in sel.sign_loads) or load.bits == 64:
        sel.emit(LOAD, op.LDX | op.MEM | size, dst, (base,), off, 0, ref)
        return
    if sel.level >= 4 and load.core is None and not in_arena(load.addr):
        # (what a loader widens must not extend a narrower sign)
        sel.emit(LOAD, op.LDX | op.MEMSX | size, dst, (base,), off, 0, ref)
        return
    loaded = sel.temp()
    sel.emit(LOAD, op.LDX | op.MEM | size, loaded, (base,), off, 0, ref)
    if sel.level >= 4:
        sel.emit(MOV_X, op.MOV_REG, dst, (loaded,), load.bits)
    else:
        shift_pair(sel, dst, loaded, load.bits, op.ARSH)


def _store(sel: Selector, store: ops.Store) -> None:
    size = op.SIZE_CODE[store.bits // 8]
    base, off, slot = sel.address(store.addr, store.offset)
    value = store.value
    while type(value) is ops.Extend and value.bits >= store.bits:
        value = value.value
    imm = _immediate(value, store.bits)
    # Kernels before 6.4 take no BPF_ST to the context (do_check, kernel/bpf/verifier.c).
    of_context = sel.function.program is not None and store.addr is sel.function.params[0]
    if imm is not None and not of_context:
        sel.emit(STORE_K, op.ST | op.MEM | size, -1, (base,), off, imm, slot)
    else:
        sel.emit(STORE_X, op.STX | op.MEM | size, -1, (base, sel.vreg(value)), off, 0, slot)


def _immediate(value: Value, bits: int) -> int | None:
    """What a store instruction would hold of a constant; None for what is no constant, or doesn't fit."""
    if type(value) is not ops.Const:
        return None
    if bits == 64:
        return value.value if fits(value.value) else None
    return signed_32(value.value) if bits == 32 else value.value & (1 << bits) - 1


def _atomic(sel: Selector, atomic: ops.Atomic) -> None:
    opcode = op.STX | op.ATOMIC | op.SIZE_CODE[atomic.bits // 8]
    base, off, slot = sel.address(atomic.addr, atomic.offset)
    dst = sel.vregs.get(atomic, -1)
    value = sel.vreg(atomic.value)
    if atomic.op == "cmpxchg":
        assert atomic.expected is not None
        sel.emit(CMPXCHG, opcode, dst, (sel.vreg(atomic.expected), base, value), off, op.CMPXCHG, slot)
    elif atomic.op == "xchg" or dst >= 0:
        imm = ATOMIC_CODES[atomic.op] | op.FETCH
        sel.emit(FETCH, opcode, dst if dst >= 0 else sel.temp(), (value, base), off, imm, slot)
    else:
        sel.emit(STORE_X, opcode, -1, (base, value), off, ATOMIC_CODES[atomic.op], slot)


def _hide(sel: Selector, hide: ops.Hide) -> None:
    """The verifier forgets what an atomic instruction has changed in memory (check_atomic, kernel/bpf/verifier.c), and
    knows nothing of what it forgot exclusive-or anything.
    """
    if hide.zero is not None:
        sel.emit(ALU_X, op.ALU64 | op.XOR | op.X, sel.vregs[hide], (sel.vreg(hide.value), sel.vreg(hide.zero)))
        return
    opcode, slot = op.STX | op.ATOMIC | op.DW, sel.hiding_slot()
    imm = _immediate(hide.value, 64)
    if imm is not None:
        sel.emit(STORE_K, op.ST | op.MEM | op.DW, -1, (FRAME_POINTER,), 0, imm, slot)
    else:
        sel.emit(STORE_X, op.STX | op.MEM | op.DW, -1, (FRAME_POINTER, sel.vreg(hide.value)), 0, 0, slot)
    sel.emit(STORE_X, opcode, -1, (FRAME_POINTER, sel.constant(0)), 0, op.ADD, slot)
    sel.emit(LOAD, op.LDX | op.MEM | op.DW, sel.vregs[hide], (FRAME_POINTER,), 0, 0, slot)


MEMORY: dict[type, Callable[[Selector, Any], None]] = {
    ops.Load: _load, ops.Store: _store, ops.Atomic: _atomic, ops.Hide: _hide,
}  # fmt: skip
