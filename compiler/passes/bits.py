"""Leaves out what changes only bits that nothing looks at.

    %1 = xor %0, -1                  %1 = xor %0, -1
    %2 = zext.16 %1                  store.16 [%p+0], %1
    %3 = xor %2, -1           =>     ret 0
    %4 = and %3, 65535
    %5 = xor %4, -1
    %6 = zext.16 %5
    store.16 [%p+0], %6
    ret 0

From the end of the function backwards, each value has the bits that are wanted of it: a store of 16 bits wants 16, a
mask those that it keeps, a sum those up to the highest that is wanted of it; a comparison, an address and a call want
all. Masks and extensions that keep the bits that are wanted go, as do numbers that set or turn none of those (LLVM
calls it bit-tracking dead code elimination). What bounds an access is wanted whole, up to the mask that bounds it, so
the verifier loses nothing that it needs.
"""

from __future__ import annotations

from pybpf.compiler.ir import arith, ops
from pybpf.compiler.ir.arith import MASK64
from pybpf.compiler.ir.ops import Binary, Const, Extend, Op, Phi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Value

__all__ = ["run"]

_COMPUTED = (Binary, Extend, ops.Swap)
_BITWISE = ("and", "or", "xor")
_LOW_FIRST = ("add", "sub", "mul", "and", "or", "xor")  # bits depend on the same and lower ones only


def run(function: Function) -> bool:
    """Find what is wanted, then what does nothing for that."""
    if not any([_may_go(op) for op in function.ops()]):
        return False
    wanted = _wanted(function)
    new: dict[Value, Value] = {}
    changed = False
    for block in function.blocks:
        kept = []
        for op in block.ops:
            if type(op) in _COMPUTED and op in wanted:
                value = _instead(op, wanted[op])
                if value is not None:
                    new[op] = value
                    continue
                changed |= _shorten(op, wanted[op])
            kept.append(op)
        block.ops = kept
    function.replace_uses(new)
    return changed or bool(new)


def _may_go(op: Op) -> bool:
    return type(op) is Extend or (type(op) is Binary and op.op in _BITWISE)


def _instead(op: Op, wanted: int) -> Value | None:
    """What has the same wanted bits, if something simpler has."""
    if not wanted:
        return Const(0)
    if type(op) is Extend:
        return op.value if not wanted >> op.bits and op.value.kind == "int" else None
    if type(op) is Binary and type(op.rhs) is Const and op.op in _BITWISE and not wanted >> op.width:
        constant = op.rhs.value & MASK64
        changed = ~constant if op.op == "and" else constant
        if not wanted & changed:
            return op.lhs
    return None


def _shorten(op: Op, wanted: int) -> bool:
    """Make a constant one that an instruction holds, where it differs in bits that nothing looks at."""
    if type(op) is not Binary or type(op.rhs) is not Const or wanted >> 32 or op.op not in _LOW_FIRST:
        return False
    constant = arith.signed(op.rhs.value, 32)
    if constant == op.rhs.value or -1 << 31 <= op.rhs.value < 1 << 31:
        return False
    op.rhs = Const(constant)
    return True


def _wanted(function: Function) -> dict[Value, int]:
    """The bits that are wanted of each value that is used."""
    found: dict[Value, int] = {}
    work: list[Op] = []
    done: set[Value] = set()

    def look(op: Op) -> None:
        rule = _RULES.get(type(op))
        args = op.args()
        masks = rule(op, found.get(op, 0)) if rule is not None else (MASK64,) * len(args)
        for value, mask in zip(args, masks):
            before = found.get(value)
            if before is None or mask & ~before:
                found[value] = mask | (before or 0)
                if value in done:  # it was looked at when less was wanted of it
                    assert isinstance(value, Op)
                    work.append(value)

    for block in reversed(function.reverse_postorder()):
        for op in reversed(block.ops):
            done.add(op)
            look(op)
    while work:
        look(work.pop())
    return found


def _low(bits: int) -> int:
    return (1 << bits) - 1


def _binary(op: Binary, wanted: int) -> tuple[int, int]:
    """Of both operands."""
    whole = _low(op.width)
    wanted &= whole
    if not wanted:
        return 0, 0
    constant = op.rhs.value & whole if type(op.rhs) is Const else None
    match op.op:
        case "and" if constant is not None:
            return wanted & constant, wanted
        case "or" if constant is not None:
            return wanted & ~constant, wanted
        case "and" | "or" | "xor":
            return wanted, wanted
        case "add" | "sub" | "mul":
            return (low := _low(wanted.bit_length())), low
        case "shl" | "lshr" | "ashr":
            return _shifted(op.op, wanted, constant, op.width), MASK64
    return whole, whole


def _shifted(name: str, wanted: int, constant: int | None, width: int) -> int:
    """Of what is shifted."""
    if constant is None:
        return _low(wanted.bit_length()) if name == "shl" else _low(width) & -(wanted & -wanted)
    count = constant & width - 1
    if name == "shl":
        return wanted >> count
    sign = name == "ashr" and wanted >> width - 1 - count
    return wanted << count & _low(width) | (1 << width - 1 if sign else 0)


def _extend(op: Extend, wanted: int) -> tuple[int]:
    sign = op.signed and wanted >> op.bits
    return (wanted & _low(op.bits) | (1 << op.bits - 1 if sign else 0),)


def _compared(op: Any, wanted: int) -> tuple[int, int]:
    """Of what a comparison or a branch looks at."""
    whole = _low(op.width)
    if op.pred == "set" and type(op.rhs) is Const:
        return op.rhs.value & whole, whole
    return whole, whole


def _phi(op: Phi, wanted: int) -> tuple[int, ...]:
    return (wanted if op.kind == "int" else MASK64,) * len(op.incoming)


_RULES: dict[type, Callable[[Any, int], tuple[int, ...]]] = {
    Binary: _binary,
    Extend: _extend,
    Phi: _phi,
    ops.Swap: lambda op, wanted: (arith.swap(wanted & _low(op.bits), op.bits),),
    ops.Cmp: _compared,
    ops.Branch: _compared,
    ops.Store: lambda op, wanted: (MASK64, _low(op.bits)),
}
