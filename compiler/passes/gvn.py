"""Computes once what is computed twice.

    %1 = load.u64 const [%ctx+8]           %1 = load.u64 const [%ctx+8]
    %2 = add %1, 4                         %2 = add %1, 4
    ...                              =>    ...
    %3 = load.u64 const [%ctx+8]           ret %2
    %4 = add %3, 4
    ret %4

An operation is replaced by an equal one that dominates it: pure operations, and loads of memory that never changes.
Addresses of slots, maps and globals cost a register less when they are made again where they are used, so they are
shared only within a block and up to the next call.
"""

from __future__ import annotations

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op, Value

    Number = int | tuple[str, int]  # of an operation, or of a constant
    Key = tuple[object, ...]

__all__ = ["run"]

COMMUTATIVE = ("add", "mul", "and", "or", "xor")
ADDRESSES = (ops.SlotAddr, ops.MapAddr, ops.GlobalAddr, ops.FuncAddr)


def run(function: Function) -> bool:
    """Walk the dominator tree; an operation is known to the blocks below its own."""
    tree = dominators(function)
    state = _Numbering()
    stack: list[tuple[Block, bool]] = [(tree.order[0], False)]
    scopes: list[list[Key]] = []
    while stack:
        block, done = stack.pop()
        if done:
            for key in scopes.pop():
                del state.first[key]
            continue
        scopes.append(state.block(block))
        stack.append((block, True))
        stack += [(child, False) for child in reversed(tree.children[block])]
    function.replace_uses(state.new)
    return bool(state.new)


class _Numbering:
    def __init__(self) -> None:
        self.number: dict[Value, int] = {}
        self.first: dict[Key, Op] = {}
        self.new: dict[Value, Value] = {}

    def of(self, value: Value) -> Number:
        if type(value) is Const:
            return "c", value.value
        number = self.number.get(value)
        if number is None:
            number = self.number[value] = len(self.number)
        return number

    def block(self, block: Block) -> list[Key]:
        """Number the block's operations; returns what it adds to `first`."""
        added: list[Key] = []
        kept: list[Op] = []
        near: dict[Key, Op] = {}  # addresses made since the last call
        for op in block.ops:
            if self.new and type(op) is not ops.Phi:
                op.map_args(self.resolve)
            rule = _KEYS.get(type(op))
            key = rule(self, op) if rule is not None else None
            if type(op) in (ops.Call, ops.CallHelper):
                near.clear()
            if key is None:
                kept.append(op)
                continue
            known = self.first.get(key)
            if known is None:
                self.first[key] = op
                added.append(key)
            cheap = _is_address(op)
            if cheap:
                if known is not None:
                    self.number[op] = self.number.setdefault(known, len(self.number))
                known = near.get(key)
                near.setdefault(key, op)
            if known is None:
                kept.append(op)
                continue
            if type(op) is ops.Load and type(known) is ops.Load and not known.name:
                known.name = op.name
            self.new[op] = known
        block.ops = kept
        return added

    def resolve(self, value: Value) -> Value:
        return self.new.get(value, value)


def _is_address(op: Op) -> bool:
    """Cheaper to make again than to keep."""
    return type(op) in ADDRESSES or (type(op) is ops.PtrAdd and type(op.offset) is Const and type(op.base) in ADDRESSES)


def _binary(state: _Numbering, op: ops.Binary) -> Key:
    lhs, rhs = state.of(op.lhs), state.of(op.rhs)
    if op.op in COMMUTATIVE and str(lhs) > str(rhs):
        lhs, rhs = rhs, lhs
    return op.op, op.width, lhs, rhs


def _load(state: _Numbering, op: ops.Load) -> Key | None:
    if not op.constant:
        return None
    return "load", state.of(op.addr), op.offset, op.bits, op.signed, op.kind


_KEYS: dict[type, Callable[[_Numbering, Any], Key | None]] = {
    ops.Binary: _binary,
    ops.PtrAdd: lambda state, op: ("ptradd", state.of(op.base), state.of(op.offset)),
    ops.Extend: lambda state, op: ("extend", op.bits, op.signed, state.of(op.value)),
    ops.Swap: lambda state, op: ("swap", op.bits, state.of(op.value)),
    ops.Cmp: lambda state, op: ("cmp", op.pred, op.width, state.of(op.lhs), state.of(op.rhs)),
    ops.Load: _load,
    ops.SlotAddr: lambda state, op: ("slot", op.slot),
    ops.MapAddr: lambda state, op: ("map", op.symbol),
    ops.GlobalAddr: lambda state, op: ("global", op.symbol),
    ops.FuncAddr: lambda state, op: ("func", op.symbol),
}
