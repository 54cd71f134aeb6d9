"""Constant folding, algebraic identities, cheaper equivalents of single operations.

    %1 = add 3, %0                 %2 = add %0, 8
    %2 = add %1, 5                 %3 = lshr %2, 4
    %3 = udiv %2, 16          =>   br ult %3, 7, @a, @b
    %4 = cmp ult %3, 7
    br ne %4, 0, @a, @b

Constants move to the right. An unsigned division by a power of two becomes a shift, a remainder a mask. Extensions and
masks that change nothing by ranges.py go away. A branch on a comparison's result makes the comparison itself; a branch
on what is known becomes a jump. Offsets of `ptradd` move into loads and stores.

What a branch has checked stays the operand of the operations behind it: an operation is folded into another one only
when it has no other use, so that no branch can have tested it, and never through a guard.
"""

from __future__ import annotations

from pybpf.compiler.analysis.ranges import Ranges
from pybpf.compiler.analysis.uses import count_uses
from pybpf.compiler.ir import arith, ops
from pybpf.compiler.ir.ops import Binary, Branch, Cmp, Const, Extend, PtrAdd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["run"]

# unsigned comparisons that ask whether a value is zero
# (`ugt 0` stays: of a number that is not 0 the verifier learns nothing by `ne`, before Linux 6.8)
_ZERO_TESTS = {("ule", 0): "eq", ("ult", 1): "eq"}
_THROUGH = (PtrAdd, ops.Load, ops.Store, ops.Atomic)  # their first operand is an address
COMMUTATIVE = ("add", "mul", "and", "or", "xor")
MASK32 = (1 << 32) - 1


def run(function: Function) -> bool:
    """Simplify all operations, in one walk that sees definitions before uses."""
    state = _Simplify(function)
    for block in function.reverse_postorder():
        state.block(block)
    function.replace_uses(state.new)
    return state.changed


class _Simplify:
    def __init__(self, function: Function) -> None:
        self.ranges = Ranges()
        self.count = count_uses(function)
        # What a check may have been made of: where it is known in a range, what it was computed from is not.
        self.tested = {v for op in function.ops() if type(op) in (Branch, Cmp, ops.Guard) for v in op.args()}
        self.new: dict[Value, Value] = {}
        self.changed = False

    def block(self, block: Block) -> None:
        new = self.new
        made: list[Op] = []
        for op in block.ops:
            if new:
                op.map_args(self.resolve)
            if type(op) in _THROUGH and type(op.args()[0]) is Const:
                self.unreachable(block)
                made.append(ops.Unreachable(op.span))
                break
            value = self.simplified(op, made)
            if value is not None:
                new[op] = value
                continue
            made.append(op)
        last = made[-1]
        if type(last) is Branch:
            made[-1] = self.branch(last, block)
        block.ops = made

    def simplified(self, op: Op, made: list[Op]) -> Value | None:
        """What to use instead of the operation; new operations for it are added to `made`."""
        rule = _RULES.get(type(op))
        value = rule(self, op) if rule is not None else None
        if value is None:
            return None
        self.changed = True
        for used in op.args():
            self.count[used] = self.count.get(used, 0) - 1
        if isinstance(value, ops.Op) and value not in self.count:
            self.count[value] = 0
            for used in value.args():
                self.use(used)
            further = self.simplified(value, made)
            if further is None:
                made.append(value)
            else:
                value = further
        self.count[value] = self.count.get(value, 0) + self.count[op]
        return value

    def unreachable(self, block: Block) -> None:
        """Control never gets to an access through null: cut the ways from here."""
        self.changed = True
        for target in block.successors():
            for phi in target.phis():
                phi.incoming = [(b, v) for b, v in phi.incoming if b is not block]

    def resolve(self, value: Value) -> Value:
        while value in self.new:
            value = self.new[value]
        return value

    def once(self, value: Value) -> bool:
        """The value has a single use."""
        return self.count.get(value, 0) == 1

    def use(self, value: Value) -> Value:
        """Count one more use."""
        self.count[value] = self.count.get(value, 0) + 1
        return value

    def high(self, value: Value) -> int:
        """The largest value it may have."""
        return self.ranges.of(value)[1]

    def branch(self, op: Branch, block: Block) -> Op:
        """The terminator to use instead."""
        test = op.lhs
        zero = type(op.rhs) is Const and op.rhs.value == 0
        if zero and op.pred in ("eq", "ne"):
            if type(test) is Cmp:
                op.lhs, op.rhs, op.width = self.use(test.lhs), self.use(test.rhs), test.width
                self.changed = True
                if op.pred == "eq":
                    op.then, op.other = op.other, op.then
                op.pred = test.pred
            elif type(test) is Binary and test.op == "and" and op.width == test.width and self.once(test):
                op.lhs, op.rhs = self.use(test.lhs), self.use(test.rhs)
                self.changed = True
                if op.pred == "eq":
                    op.then, op.other = op.other, op.then
                op.pred = "set"
        self.turn(op)
        self.unswap(op)
        known = self.decided(op)
        if known is None:
            return op
        self.changed = True
        kept, lost = (op.then, op.other) if known else (op.other, op.then)
        for phi in lost.phis():
            phi.incoming = [(b, v) for b, v in phi.incoming if b is not block]
        return ops.Jump(kept, op.span)

    def turn(self, op: Cmp | Branch) -> None:
        """Bring a constant to the right, and bounds to one form."""
        if type(op.lhs) is Const and type(op.rhs) is not Const:
            op.lhs, op.rhs, op.pred = op.rhs, op.lhs, ops.SWAPPED[op.pred]
            self.changed = True
        if type(op.rhs) is not Const:
            return
        if op.width == 32 and op.rhs.value != arith.signed(op.rhs.value, 32):
            op.rhs = _constant(op.rhs.value, 32)
            self.changed = True
        if (op.pred, op.rhs.value) in _ZERO_TESTS:
            op.pred, op.rhs = _ZERO_TESTS[op.pred, op.rhs.value], Const(0)
            self.changed = True
        elif (op.pred, op.rhs.value) == ("uge", 1):
            op.pred, op.rhs = "ugt", Const(0)
            self.changed = True

    def unswap(self, op: Cmp | Branch) -> None:
        """Swap the bytes of a constant instead of those that are compared with it."""
        test = op.lhs
        if type(test) is not ops.Swap or type(op.rhs) is not Const or not self.once(test):
            return
        if op.pred not in ("eq", "ne", "set") or (op.width == 32 and test.bits == 64):
            return
        bound = _bits(op.rhs) if op.width == 64 else _bits(op.rhs) & MASK32
        if bound >> test.bits:
            return
        value: Value = self.use(test.value)
        if test.bits < 64 and self.high(value) >> test.bits:
            return
        op.lhs, op.rhs = value, _constant(arith.swap(bound, test.bits), op.width)
        self.changed = True

    def decided(self, op: Cmp | Branch) -> bool | None:
        if op.lhs is op.rhs and op.pred != "set":
            return op.pred in ("eq", "ule", "uge", "sle", "sge")
        return self.ranges.decides(op.pred, op.lhs, op.rhs, op.width)


def _bits(value: Value) -> int:
    assert type(value) is Const
    return value.value & arith.MASK64


def _binary(state: _Simplify, op: Binary) -> Value | None:
    lhs, rhs = op.lhs, op.rhs
    if type(lhs) is Const:
        if type(rhs) is Const:
            return Const(arith.binary(op.op, _bits(lhs), _bits(rhs), op.width))
        if op.op in COMMUTATIVE:
            op.lhs, op.rhs = lhs, rhs = rhs, lhs
            state.changed = True
    if op.width == 32:
        _narrow_operands(state, op)
        lhs, rhs = op.lhs, op.rhs
    if type(rhs) is Const:
        c = _bits(rhs) if op.width == 64 else _bits(rhs) & MASK32
        if op.width == 32 and rhs.value != arith.signed(rhs.value, 32):
            op.rhs = _constant(c, 32)
            state.changed = True
        return _WITH_CONSTANT[op.op](state, op, c)
    if lhs is rhs:
        if op.op in ("sub", "xor"):
            return Const(0)
        if op.op in ("and", "or"):
            return _same(state, op)
    return _masks(state, op) if op.op == "or" else None


def _masks(state: _Simplify, op: Binary) -> Value | None:
    """x & 1 | x & 2 is x & 3: bit fields that were next to each other."""
    a, b = op.lhs, op.rhs
    if type(a) is not Binary or type(b) is not Binary or a.op != "and" or b.op != "and" or a.lhs is not b.lhs:
        return None
    if type(a.rhs) is not Const or type(b.rhs) is not Const or not a.width == b.width == op.width:
        return None
    if a in state.tested or b in state.tested:
        return None
    return Binary("and", a.lhs, _constant(_bits(a.rhs) | _bits(b.rhs), op.width), op.width, op.name, op.span)


def _narrow_operands(state: _Simplify, op: Binary) -> None:
    """A 32-bit operation does not look at the upper halves, so needs no extension from 32 bits."""
    for field in ("lhs", "rhs"):
        value = getattr(op, field)
        if type(value) is Extend and value.bits == 32 and state.once(value):
            setattr(op, field, state.use(value.value))
            state.changed = True


def _same(state: _Simplify, op: Binary) -> Value:
    """The operation gives its left operand (at width 32: the low half of it)."""
    if op.width == 64 or state.high(op.lhs) <= MASK32:
        return op.lhs
    return Extend(op.lhs, 32, False, op.name, op.span)


def _with(op: Binary, name: str, constant: int) -> Binary:
    return Binary(name, op.lhs, Const(constant), op.width, op.name, op.span)


def _inner(state: _Simplify, op: Binary, *names: str) -> Binary | None:
    """The left operand, if it is one of these operations of the same width with a constant, and only used here."""
    lhs = op.lhs
    if type(lhs) is Binary and lhs.op in names and lhs.width == op.width and type(lhs.rhs) is Const and state.once(lhs):
        return lhs
    return None


def _add(state: _Simplify, op: Binary, c: int) -> Value | None:
    if c == 0:
        return _same(state, op)
    if inner := _inner(state, op, "add"):
        return Binary("add", inner.lhs, _constant(_bits(inner.rhs) + c, op.width), op.width, op.name, op.span)
    return None


def _constant(value: int, width: int) -> Const:
    """The constant, as a small number: at width 32 it is taken as signed."""
    return Const(value if width == 64 else arith.signed(value, 32))


def _sub(state: _Simplify, op: Binary, c: int) -> Value | None:
    if op.lhs.kind == "ptr":
        return None
    return Binary("add", op.lhs, _constant(-c, op.width), op.width, op.name, op.span)


def _mul(state: _Simplify, op: Binary, c: int) -> Value | None:
    if c == 0:
        return Const(0)
    if c == 1:
        return _same(state, op)
    if c & c - 1 == 0:
        return _with(op, "shl", c.bit_length() - 1)
    return None


def _udiv(state: _Simplify, op: Binary, c: int) -> Value | None:
    if c == 0:
        return Const(0)
    if c == 1:
        return _same(state, op)
    if c & c - 1 == 0:
        return _with(op, "lshr", c.bit_length() - 1)
    return None


def _umod(state: _Simplify, op: Binary, c: int) -> Value | None:
    if c == 0:
        return _same(state, op)
    if c & c - 1 == 0:
        return _with(op, "and", c - 1)
    return None


def _sdiv(state: _Simplify, op: Binary, c: int) -> Value | None:
    return Const(0) if c == 0 else _same(state, op) if c == 1 else None


def _smod(state: _Simplify, op: Binary, c: int) -> Value | None:
    return Const(0) if c in (1, (1 << op.width) - 1) else _same(state, op) if c == 0 else None


def _and(state: _Simplify, op: Binary, c: int) -> Value | None:
    mask = state.ranges.of(op.lhs)[2]
    if op.width == 32:
        mask &= MASK32
    if mask & c == 0:
        return Const(0)
    if mask & ~c == 0:
        return _same(state, op)
    if inner := _inner(state, op, "and"):
        return Binary("and", inner.lhs, Const(_bits(inner.rhs) & c), op.width, op.name, op.span)
    if type(op.lhs) is Extend and c < 1 << op.lhs.bits and state.once(op.lhs):
        return Binary("and", op.lhs.value, Const(c), op.width, op.name, op.span)
    if op.width == 64 and c in (0xFF, 0xFFFF, MASK32):
        return Extend(op.lhs, c.bit_length(), False, op.name, op.span)
    return None


def _or(state: _Simplify, op: Binary, c: int) -> Value | None:
    if c == 0:
        return _same(state, op)
    if c == (1 << op.width) - 1:
        return Const(c)
    if inner := _inner(state, op, "or"):
        return Binary("or", inner.lhs, _constant(_bits(inner.rhs) | c, op.width), op.width, op.name, op.span)
    return None


def _xor(state: _Simplify, op: Binary, c: int) -> Value | None:
    if c == 0:
        return _same(state, op)
    if inner := _inner(state, op, "xor"):
        return Binary("xor", inner.lhs, _constant(_bits(inner.rhs) ^ c, op.width), op.width, op.name, op.span)
    field = op.lhs
    if type(field) is Extend and not field.signed and c < 1 << field.bits and state.once(field):
        turned = field.value  # a checksum that was taken out and goes on
        if type(turned) is Binary and turned.op == "xor" and type(turned.rhs) is Const and state.once(turned):
            turned.rhs = _constant(_bits(turned.rhs) ^ c, turned.width)
            return field
    return None


def _shift(state: _Simplify, op: Binary, c: int) -> Value | None:
    count = c & op.width - 1
    if count == 0:
        return _same(state, op)
    if op.op == "lshr" and op.width == 64 and state.high(op.lhs) >> count == 0:
        return Const(0)
    if op.op == "shl" and op.width == 64:
        back = _put_back(state, op, count)
        if back is not None:
            return back
    if inner := _inner(state, op, op.op):
        total = count + (_bits(inner.rhs) & op.width - 1)
        if total < op.width:
            return Binary(op.op, inner.lhs, Const(total), op.width, op.name, op.span)
        if op.op != "ashr":
            return Const(0)
    if count != c:
        return _with(op, op.op, count)
    return None


def _put_back(state: _Simplify, op: Binary, count: int) -> Value | None:
    """(x >> 3 & 1) << 3 is x & 8: a bit field that goes back to where it was."""
    field: Value = op.lhs
    mask = arith.MASK64
    if type(field) is Binary and field.op == "and" and field.width == 64 and type(field.rhs) is Const:
        if field in state.tested:
            return None
        mask, field = _bits(field.rhs), field.lhs
    if not isinstance(field, Binary) or field.op != "lshr" or field.width != 64 or field in state.tested:
        return None
    if not isinstance(field.rhs, Const) or _bits(field.rhs) & 63 != count:
        return None
    kept = (mask << count) & arith.MASK64 & state.ranges.of(field.lhs)[2]
    return Binary("and", field.lhs, _constant(kept, 64), 64, op.name, op.span)


_WITH_CONSTANT: dict[str, Callable[[_Simplify, Binary, int], Value | None]] = {
    "add": _add, "sub": _sub, "mul": _mul, "udiv": _udiv, "umod": _umod, "sdiv": _sdiv, "smod": _smod,
    "and": _and, "or": _or, "xor": _xor, "shl": _shift, "lshr": _shift, "ashr": _shift,
}  # fmt: skip


def _extend(state: _Simplify, op: Extend) -> Value | None:
    value = op.value
    if type(value) is Const:
        return Const(arith.extend(_bits(value), op.bits, op.signed))
    if state.high(value) < 1 << op.bits - op.signed:
        return value
    if type(value) is Extend and op.bits <= value.bits:
        if not op.signed and op.bits == value.bits and value not in state.tested:
            inner = value.value
            if state.high(inner) < 1 << op.bits:  # the sign that was extended goes again
                return inner
        if op.bits == value.bits and op.signed == value.signed:
            return value
        return Extend(value.value, op.bits, op.signed, op.name, op.span) if state.once(value) else None
    if type(value) is Extend and op.signed and value.signed:
        return value  # sign-extended from fewer bits already
    if type(value) is Binary and value.op == "and" and type(value.rhs) is Const and state.once(value):
        low = (1 << op.bits) - 1
        if _bits(value.rhs) & low == low:  # the mask keeps all that the extension looks at
            return Extend(value.lhs, op.bits, op.signed, op.name, op.span)
    if not op.signed and type(value) is Binary and value.op == "xor" and type(value.rhs) is Const and state.once(value):
        low = (1 << op.bits) - 1
        if op.bits < 32 and state.high(value.lhs) <= low:  # only the constant is too wide
            return Binary("xor", value.lhs, Const(_bits(value.rhs) & low), 64, op.name, op.span)
    if type(value) is ops.Load and value.signed and value.bits == op.bits:
        return value if op.signed else None
    return None


def _swap(state: _Simplify, op: ops.Swap) -> Value | None:
    value = op.value
    if type(value) is Const:
        return Const(arith.swap(_bits(value), op.bits))
    if type(value) is Extend and value.bits >= op.bits and state.once(value):
        return ops.Swap(value.value, op.bits, op.name, op.span)
    if type(value) is ops.Swap and value.bits == op.bits:
        return value.value if op.bits == 64 else Extend(value.value, op.bits, False, op.name, op.span)
    return None


def _cmp(state: _Simplify, op: Cmp) -> Value | None:
    state.turn(op)
    state.unswap(op)
    known = state.decided(op)
    if known is not None:
        return Const(int(known))
    if type(op.lhs) is Cmp and type(op.rhs) is Const:  # (a < b) == 0, (a < b) != 0, ... == 1
        same = (op.pred, op.rhs.value) in (("ne", 0), ("eq", 1))
        if same:
            return op.lhs
        inner = op.lhs
        if (op.pred, op.rhs.value) in (("eq", 0), ("ne", 1)) and inner.pred in ops.NEGATED:
            return Cmp(ops.NEGATED[inner.pred], inner.lhs, inner.rhs, inner.width, op.name, op.span)
    return None


def _ptradd(state: _Simplify, op: PtrAdd) -> Value | None:
    base, offset = op.base, op.offset
    if type(offset) is not Const:
        return None
    if offset.value == 0:
        return base
    if type(base) is PtrAdd and type(base.offset) is Const:
        return PtrAdd(base.base, Const(base.offset.value + offset.value), op.name, op.span)
    return None


def _guard(state: _Simplify, op: ops.Guard) -> Value | None:
    """What is always valid needs no guard."""
    value = op.value
    if type(value) in (ops.SlotAddr, ops.GlobalAddr) or (type(value) is Const and op.kind == "int"):
        return value
    return None


def _access(state: _Simplify, op: Any) -> None:
    """Constant offsets belong into loads and stores."""
    addr: Value = op.addr
    if getattr(op, "core", None) is not None:  # the loader adapts the whole offset
        return
    while type(addr) is PtrAdd and type(addr.offset) is Const:
        offset = op.offset + addr.offset.value
        if not -(1 << 15) <= offset < 1 << 15:
            return
        op.addr, op.offset = addr.base, offset
        addr = addr.base
        state.changed = True


def _store(state: _Simplify, op: ops.Store) -> None:
    _access(state, op)
    value = op.value
    while type(value) is Extend and value.bits >= op.bits and state.once(value):
        op.value = value = state.use(value.value)
        state.changed = True
    if type(value) is Binary and value.op == "and" and type(value.rhs) is Const and state.once(value):
        low = (1 << op.bits) - 1
        if _bits(value.rhs) & low == low and (value.width == 64 or op.bits <= 32):
            op.value = state.use(value.lhs)
            state.changed = True


_RULES: dict[type, Callable[[_Simplify, Any], Value | None]] = {
    Binary: _binary,
    Extend: _extend,
    ops.Swap: _swap,
    Cmp: _cmp,
    PtrAdd: _ptradd,
    ops.Guard: _guard,
    ops.Load: _access,
    ops.Store: _store,
    ops.Atomic: _access,
}
