"""Computes once what is computed twice.

    %1 = load.u64 const [%ctx+8]           %1 = load.u64 const [%ctx+8]
    %2 = add %1, 4                         %2 = add %1, 4
    ...                              =>    ...
    %3 = load.u64 const [%ctx+8]           ret %2
    %4 = add %3, 4
    ret %4

An operation is replaced by an equal one that dominates it: pure operations, and loads of memory that never changes. But
not where a branch between the two has tested what they are computed from: to the verifier the second one is narrower,
and an access behind the branch may depend on that.

The context's fields are constant unless the function hands the context to a helper, which may move the packet.
Addresses of slots, maps and globals cost a register less when they are made again where they are used, so they are
shared only within a block and up to the next call. A number that was guarded above, and not tested again since, needs
no other guard, so that an address computed from it is computed once and is the one that was checked. Facts that the
loader puts in are immediates where they are used.
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
    state = _Numbering(_lends_context(function))
    stack: list[tuple[Block, bool]] = [(tree.order[0], False)]
    while stack:
        block, done = stack.pop()
        if done:
            state.leave()
            continue
        state.enter(block)
        stack.append((block, True))
        stack += [(child, False) for child in reversed(tree.children[block])]
    function.replace_uses(state.new)
    return bool(state.new)


def _lends_context(function: Function) -> bool:
    """A function that is given the context may change it: move the packet, resize it."""
    return any(
        type(value) is ops.Param and value.kind == "ptr"
        for op in function.ops()
        if type(op) in ops.CALLS
        for value in op.args()
    )


class _Numbering:
    def __init__(self, context_changes: bool) -> None:
        self.context_changes = context_changes
        self.number: dict[Value, int] = {}
        self.first: dict[Key, tuple[Op, int]] = {}  # and how many values had been tested before it
        self.tested: list[Value] = []  # by the branches on the way down the dominator tree
        self.scopes: list[tuple[int, list[tuple[Key, tuple[Op, int] | None]]]] = []
        self.new: dict[Value, Value] = {}

    def of(self, value: Value) -> Number:
        if type(value) is Const:
            return "c", value.value
        number = self.number.get(value)
        if number is None:
            number = self.number[value] = len(self.number)
        return number

    def enter(self, block: Block) -> None:
        """Number the block's operations."""
        before: list[tuple[Key, tuple[Op, int] | None]] = []  # what `first` said outside this block
        self.scopes.append((len(self.tested), before))
        kept: list[Op] = []
        near: dict[Key, Op] = {}  # addresses made since the last call
        for op in block.ops:
            if self.new and type(op) is not ops.Phi:
                op.map_args(self.resolve)
            if type(op) in ops.CALLS:
                near.clear()
            rule = _KEYS.get(type(op))
            key = rule(self, op) if rule is not None else None
            known = self.known(op, key, before) if key is not None else None
            if key is not None and _is_address(op):
                if known is not None:
                    self.number[op] = self.number.setdefault(known, len(self.number))
                known = near.get(key)
                near.setdefault(key, op)
            if known is None:
                kept.append(op)
            else:
                self.new[op] = known
        block.ops = kept
        last = block.ops[-1]
        if type(last) is ops.Branch:
            self.tested += [v for v in (last.lhs, last.rhs) if type(v) is not Const]

    def leave(self) -> None:
        """Forget what was seen in the block entered last and in those below it."""
        count, before = self.scopes.pop()
        del self.tested[count:]
        for key, entry in reversed(before):
            if entry is None:
                del self.first[key]
            else:
                self.first[key] = entry

    def known(self, op: Op, key: Key, before: list[tuple[Key, tuple[Op, int] | None]]) -> Op | None:
        """The operation to use for this one; without one, this becomes the one for those that follow."""
        entry = self.first.get(key)
        if entry is not None:
            since = self.tested[entry[1] :]
            if not since or not _depends(op, since, 4):
                return entry[0]
        before.append((key, entry))
        self.first[key] = (op, len(self.tested))
        return None

    def resolve(self, value: Value) -> Value:
        return self.new.get(value, value)


def _depends(value: Value, on: list[Value], depth: int) -> bool:
    """The value is computed from one of these."""
    for used in value.args() if isinstance(value, ops.Op) and type(value) is not ops.Phi else ():
        if used in on or (depth and _depends(used, on, depth - 1)):
            return True
    return False


def _is_address(op: Op) -> bool:
    """Cheaper to make again than to keep."""
    return type(op) in ADDRESSES or (type(op) is ops.PtrAdd and type(op.offset) is Const and type(op.base) in ADDRESSES)


def _binary(state: _Numbering, op: ops.Binary) -> Key:
    lhs, rhs = state.of(op.lhs), state.of(op.rhs)
    if op.op in COMMUTATIVE and str(lhs) > str(rhs):
        lhs, rhs = rhs, lhs
    return op.op, op.width, lhs, rhs


def _load(state: _Numbering, op: ops.Load) -> Key | None:
    if not op.constant or (state.context_changes and type(op.addr) is ops.Param):
        return None
    return "load", state.of(op.addr), op.offset, op.bits, op.signed, op.kind


def _guard(state: _Numbering, op: ops.Guard) -> Key | None:
    return ("guard", state.of(op.value)) if op.kind == "int" else None


_KEYS: dict[type, Callable[[_Numbering, Any], Key | None]] = {
    ops.Binary: _binary,
    ops.PtrAdd: lambda state, op: ("ptradd", state.of(op.base), state.of(op.offset)),
    ops.Extend: lambda state, op: ("extend", op.bits, op.signed, state.of(op.value)),
    ops.ArenaCast: lambda state, op: ("arenacast", state.of(op.value)),
    ops.ToInt: lambda state, op: ("toint", state.of(op.value)),
    ops.Swap: lambda state, op: ("swap", op.bits, state.of(op.value)),
    ops.Cmp: lambda state, op: ("cmp", op.pred, op.width, state.of(op.lhs), state.of(op.rhs)),
    ops.Load: _load,
    ops.Guard: _guard,
    ops.SlotAddr: lambda state, op: ("slot", op.slot),
    ops.MapAddr: lambda state, op: ("map", op.symbol),
    ops.GlobalAddr: lambda state, op: ("global", op.symbol),
    ops.ExternAddr: lambda state, op: ("extern", op.symbol),
    ops.FuncAddr: lambda state, op: ("func", op.symbol),
}
