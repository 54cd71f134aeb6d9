"""Numbers: conversions and exact arithmetic. In: expressions of int, bool and enum types. Out: 64-bit values.

A value in a register always holds its type's number extended to 64 bits: zero-extended if the type is unsigned,
sign-extended if it is signed. So widening costs nothing, and only narrowing takes an operation.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.schema.types import BoolType, EnumType, IntType, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder

__all__ = ["binary", "compute", "const", "convert", "fit", "int_type", "is_signed", "negate", "swap", "unary"]

_WRAPPING = {
    ("+", False): "add", ("+", True): "add", ("-", False): "sub", ("-", True): "sub", ("*", False): "mul",
    ("*", True): "mul", ("&", False): "and", ("&", True): "and", ("|", False): "or", ("|", True): "or",
    ("^", False): "xor", ("^", True): "xor", ("<<", False): "shl", ("<<", True): "shl", (">>", False): "lshr",
    (">>", True): "ashr", ("//", False): "udiv", ("%", False): "umod",
}  # fmt: skip


def int_type(type: Type) -> IntType:
    """The int type that holds a number of the type in memory."""
    if isinstance(type, EnumType):
        return type.base
    if isinstance(type, BoolType):
        return IntType(8)
    assert isinstance(type, IntType), type
    return type


def is_signed(type: Type) -> bool:
    return int_type(type).signed


def const(b: Builder, node: tree.Const) -> Value:
    return Const(node.value)


def convert(b: Builder, node: tree.Convert) -> Value:
    return fit(b, b.value(node.value), node.value.type, node.type)


def fit(b: Builder, value: Value, source: Type, target: Type) -> Value:
    """`value`, of type `source`, as `target`: the low bits, extended as the target's sign says."""
    old, new = int_type(source), int_type(target)
    if isinstance(target, BoolType):
        assert isinstance(source, BoolType), "a number becomes a bool by comparing it"
        return value
    if new.bits == 64 or (not isinstance(source, BoolType) and new.min <= old.min and old.max <= new.max):
        return value
    if isinstance(source, BoolType):
        return value
    return extend(b, value, new.bits, new.signed)


def extend(b: Builder, value: Value, bits: int, signed: bool) -> Value:
    if bits == 64:
        return value
    if type(value) is Const:
        low = value.value & (1 << bits) - 1
        return Const(low - (1 << bits) if signed and low >> bits - 1 else low)
    if type(value) is ops.Extend and value.bits >= bits:
        value = value.value
    return b.emit(ops.Extend(value, bits, signed, "", b.span))


def swap(b: Builder, value: Value, bits: int) -> Value:
    """The low `bits` in reverse byte order. Twice is the same as not at all where only the low bits count."""
    if type(value) is Const:
        return Const(int.from_bytes((value.value & (1 << bits) - 1).to_bytes(bits // 8, "little"), "big"))
    if type(value) is ops.Extend and value.bits >= bits:
        value = value.value
    return b.emit(ops.Swap(value, bits, "", b.span))


def unary(b: Builder, node: tree.Unary) -> Value:
    value = b.value(node.value)
    if node.op == "-":
        return negate(b, value)
    assert node.op == "~", node.op
    return compute(b, "^", False, value, Const(-1))


def negate(b: Builder, value: Value) -> Value:
    return compute(b, "-", False, Const(0), value)


def binary(b: Builder, node: tree.Binary) -> Value:
    lhs = b.value(node.lhs)
    return compute(b, node.op, is_signed(node.type), lhs, b.value(node.rhs))


def compute(b: Builder, op: str, signed: bool, lhs: Value, rhs: Value) -> Value:
    """lhs op rhs in 64 bits, with Python's meaning of // and %."""
    if type(rhs) is Const and op in ("<<", ">>"):
        rhs = Const(rhs.value & 63)
    name = _WRAPPING.get((op, signed))
    if name == "umod" and type(rhs) is Const and rhs.value and rhs.value & rhs.value - 1 == 0:
        return _emit(b, "and", lhs, Const(rhs.value - 1))  # whose bounds the verifier follows
    if name is not None:
        return _emit(b, name, lhs, rhs)
    if type(rhs) is Const and rhs.value > 0:
        return _floor_by_positive(b, op, lhs, rhs)
    return _floor(b, op, lhs, rhs)


def _emit(b: Builder, name: str, lhs: Value, rhs: Value) -> Value:
    if type(lhs) is Const and type(rhs) is Const:
        from pybpf.compiler.ir import arith

        return Const(arith.binary(name, lhs.value & arith.MASK64, rhs.value & arith.MASK64, 64))
    return b.emit(ops.Binary(name, lhs, rhs, 64, "", b.span))


def _floor_by_positive(b: Builder, op: str, lhs: Value, divisor: Const) -> Value:
    """Signed // and % by a constant c > 0, without a signed quotient: for x < 0, x // c is ~(~x // c)."""
    c = divisor.value
    if c & c - 1 == 0:
        if op == "//":
            return _emit(b, "ashr", lhs, Const(c.bit_length() - 1))
        return _emit(b, "and", lhs, Const(c - 1))
    if op == "%" and b.shared.target.cpu >= 4:  # which has a signed remainder: add c where it is negative
        rest = _emit(b, "smod", lhs, divisor)
        return _emit(b, "add", rest, _emit(b, "and", _emit(b, "ashr", rest, Const(63)), divisor))
    sign = _emit(b, "ashr", lhs, Const(63))  # -1 for x < 0, else 0; so x ^ sign is ~x or x
    quotient = _emit(b, "xor", _emit(b, "udiv", _emit(b, "xor", lhs, sign), divisor), sign)
    if op == "//":
        return quotient
    return _emit(b, "sub", lhs, _emit(b, "mul", quotient, divisor))


def _floor(b: Builder, op: str, lhs: Value, rhs: Value) -> Value:
    """Signed // and %: the ISA's result, set right where there is a remainder and the signs differ.

    sdiv and smod truncate. A remainder with a sign other than the divisor's means that the quotient is one too large.
    With a zero divisor smod gives lhs, to which adding the divisor changes nothing, and sdiv gives 0, which is kept.
    """
    remainder = _emit(b, "smod", lhs, rhs)
    result = _emit(b, "sdiv", lhs, rhs) if op == "//" else remainder
    exact = b.block
    inexact, differ, adjust, done = (b.new_block(f"floor.{h}") for h in ("inexact", "differ", "adjust", "done"))
    incoming = [(exact, result)]
    b.test("ne", remainder, Const(0), inexact, done)
    b.start(inexact)
    incoming.append((b.block, result))
    b.test("slt", _emit(b, "xor", remainder, rhs), Const(0), differ, done)
    b.start(differ)
    if op == "//":
        incoming.append((b.block, result))
        b.test("ne", rhs, Const(0), adjust, done)
        b.start(adjust)
        incoming.append((b.block, _emit(b, "sub", result, Const(1))))
    else:
        incoming.append((b.block, _emit(b, "add", result, rhs)))
    b.jump(done)
    b.start(done)
    return b.phi(incoming)
