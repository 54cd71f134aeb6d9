"""Arithmetic that is cheaper, or not needed at all, because of the range that a number is in.

    br ule %1, 1000000000, @b, @a              br ule %1, 1000000000, @b, @a
    @a: jump @b                                @a: jump @b
    @b:                                        @b:
      %2 = phi @a: 1000000000, @entry: %1        %2 = phi @a: 1000000000, @entry: %1
      %3 = mul %2, 125000                 =>     %4 = mul %2, 1099511628
      %4 = udiv %3, 1000000000                   %5 = lshr %4, 43
      %5 = zext.32 %4                            ret %5
      ret %5

A division by a constant becomes a multiplication, with what the dividend was multiplied by in it, where 64 bits hold
the product and 31 the factor ("Division by Invariant Integers using Multiplication", Granlund and Montgomery, 1994).
Divisions of numbers that 32 bits hold are made in 32 bits, which takes processors half the time. Extensions and masks
that keep all there is go.

Ranges are those of facts.py: what branches say that lead there, as the verifier sees it.
"""

from __future__ import annotations

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.analysis.facts import Facts
from pybpf.compiler.analysis.ranges import MASK32, Ranges
from pybpf.compiler.analysis.uses import count_uses
from pybpf.compiler.ir.arith import MASK64
from pybpf.compiler.ir.ops import Binary, Const, Extend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["run"]

FACTOR = 1 << 31  # an instruction's constant has 32 bits and a sign
DIVISIONS = ("udiv", "umod", "sdiv", "smod")


def run(function: Function) -> bool:
    """Look at each operation that ranges can do something for."""
    if not any(_is_open(op) for op in function.ops()):
        return False
    state = _Narrowing(function)
    for block in state.facts.tree.order:
        if any(_is_open(op) for op in block.ops):
            state.block(block)
    function.replace_uses(state.new)
    return state.changed


def _is_open(op: Op) -> bool:
    if type(op) is Binary:
        return op.op in DIVISIONS or (op.op == "and" and type(op.rhs) is Const)
    return type(op) is Extend


class _Narrowing:
    def __init__(self, function: Function) -> None:
        self.facts = Facts(dominators(function), Ranges())
        self.count = count_uses(function)
        self.new: dict[Value, Value] = {}
        self.changed = False

    def block(self, block: Block) -> None:
        kept: list[Op] = []
        for op in block.ops:
            if not _is_open(op):
                kept.append(op)
                continue
            if type(op) is Extend:
                same = self.high(op.value, block) < 1 << op.bits - op.signed
                value = op.value if same else None
            else:
                assert type(op) is Binary
                value = self.masked(op, block) if op.op == "and" else self.divided(op, block, kept)
            if value is None:
                kept.append(op)
            else:
                self.new[op] = value
                self.changed = True
        block.ops = kept

    def high(self, value: Value, block: Block) -> int:
        """The largest number that the value can be there, without a sign."""
        while value in self.new:
            value = self.new[value]
        return self.facts.of(value, block)[1]

    def masked(self, op: Binary, block: Block) -> Value | None:
        mask = _bits(op.rhs)
        return op.lhs if mask & mask + 1 == 0 and self.high(op.lhs, block) <= mask else None

    def divided(self, op: Binary, block: Block, kept: list[Op]) -> Value | None:
        """What to use instead of a quotient or a remainder. What it takes is added to `kept`."""
        low = MASK32 if op.width == 32 else MASK64
        most, divisor = self.high(op.lhs, block), self.high(op.rhs, block)
        if most > low or divisor > low:
            return None
        if op.op[0] == "s":
            if most > low >> 1 or divisor > low >> 1:
                return None
            op.op, self.changed = "u" + op.op[1:], True
        if op.op == "udiv" and type(op.rhs) is Const and divisor & divisor - 1:
            value, factor, largest = op.lhs, 1, most
            if type(value) is Binary and value.op == "mul" and type(value.rhs) is Const and self.once(value):
                inner = self.high(value.lhs, block)
                times = _bits(value.rhs)
                if inner * times <= most:  # it did not wrap
                    value, factor, largest = value.lhs, times, inner
            found = _magic(factor, divisor, largest)
            if found is not None:
                product = Binary("mul", value, Const(found[0]), 64, op.name, op.span)
                quotient = Binary("lshr", product, Const(found[1]), 64, op.name, op.span)
                kept += [product, quotient]
                return quotient
        if op.width == 64 and most <= MASK32 and divisor <= MASK32:
            op.width, self.changed = 32, True
        return None

    def once(self, value: Value) -> bool:
        return self.count.get(value) == 1


def _bits(value: Value) -> int:
    assert type(value) is Const
    return value.value & MASK64


def _magic(factor: int, divisor: int, most: int) -> tuple[int, int] | None:
    """m and s, so that x * factor // divisor is x * m >> s for all x up to `most`.

    m is 2**s * factor / divisor, rounded up; the product is too large by x / divisor * error, of 2**s, which must not
    bring it to the next number.
    """
    common, rest = factor, divisor
    while rest:  # what divides both; math.gcd is in a library of its own, which takes longer to load
        common, rest = rest, common % rest
    factor, divisor = factor // common, divisor // common
    for shift in range(64):
        m = -(-(factor << shift) // divisor)
        if m >= FACTOR or m * most > MASK64:
            return None
        if (m * divisor - (factor << shift)) * most < 1 << shift:
            return m, shift
    return None
