"""Comparison of texts and bytes, as branches.

A text ends at its first NUL. A constant has none inside, so a text equals it exactly if its bytes and one NUL stand at
the start: that is a comparison of a few words. Two texts neither of which is known are compared byte by byte.
"""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild.aggregates import pointee
from pybpf.compiler.irbuild.memory import Address, further, pieces, readable
from pybpf.compiler.irbuild.places import address_of
from pybpf.compiler.schema.types import U64, TextType, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block
    from pybpf.compiler.irbuild.builder import Builder

__all__ = ["branch_text"]

_UNROLLED = 16  # texts up to this size are compared without a loop


def branch_text(b: Builder, node: tree.TextCompare, then: Block, other: Block) -> None:
    equal, differ = (then, other) if node.equal else (other, then)
    kind = pointee(node.lhs)
    lhs = readable(b, address_of(b, node.lhs), kind)
    if type(node.rhs) is tree.TextConst:
        _with_constant(b, lhs, size_of(kind), node.rhs.value, isinstance(kind, TextType), equal, differ)
        return
    rhs_kind = pointee(node.rhs)
    rhs = readable(b, address_of(b, node.rhs), rhs_kind)
    if isinstance(kind, TextType):
        _texts(b, lhs, size_of(kind), rhs, size_of(rhs_kind), equal, differ)
    elif size_of(kind) == size_of(rhs_kind):
        _bytes(b, lhs, rhs, size_of(kind), equal, differ)
    else:
        b.jump(differ)


def _with_constant(
    b: Builder, at: Address, size: int, constant: bytes, text: bool, equal: Block, differ: Block
) -> None:
    if text:
        words = constant.split(b"\0")[0]
        constant = (words + b"\0")[:size] if len(words) <= size else b""
        possible = len(words) <= size
    else:
        possible = len(constant) == size
    if not possible:
        b.jump(differ)
        return
    for offset, width in pieces(b, len(constant), at):
        word = int.from_bytes(constant[offset : offset + width], "little")
        same = b.new_block("same")
        b.test("eq", b.load(at.base, at.offset + offset, 8 * width), Const(word), same, differ)
        b.start(same)
    b.jump(equal)


def _bytes(b: Builder, lhs: Address, rhs: Address, size: int, equal: Block, differ: Block) -> None:
    for offset, width in pieces(b, size, lhs, rhs):
        same = b.new_block("same")
        mine = b.load(lhs.base, lhs.offset + offset, 8 * width)
        b.test("eq", mine, b.load(rhs.base, rhs.offset + offset, 8 * width), same, differ)
        b.start(same)
    b.jump(equal)


def _texts(b: Builder, lhs: Address, lhs_size: int, rhs: Address, rhs_size: int, equal: Block, differ: Block) -> None:
    """Up to the end of the shorter one; there the longer one must end as well."""
    common = min(lhs_size, rhs_size)
    if common <= _UNROLLED:
        for i in range(common):
            _one_byte(b, _plus(b, lhs, Const(i)), _plus(b, rhs, Const(i)), equal, differ)
    else:
        counter = b.new_cells(U64)
        head, body, ended = b.new_block("text"), b.new_block("text.byte"), b.new_block("text.end")
        b.write(counter, Const(0))
        b.jump(head)
        b.start(head, sealed=False)
        index = b.read_one(counter[0])
        b.test("ult", index, Const(common), body, ended)
        b.start(body)
        inside = b.guard(index, "int")
        _one_byte(b, _plus(b, lhs, inside), _plus(b, rhs, inside), equal, differ)
        b.write(counter, b.emit(ops.Binary("add", index, Const(1), 64, "", b.span)))
        b.jump(head)
        b.variables.seal(head)
        b.start(ended)
    if lhs_size == rhs_size:
        b.jump(equal)
        return
    longer = lhs if lhs_size > rhs_size else rhs
    b.test("eq", b.load(longer.base, longer.offset + common, 8), Const(0), equal, differ)


def _plus(b: Builder, at: Address, index: Value) -> Address:
    if type(index) is Const:
        return Address(at.base, at.offset + index.value, at.space, 1)
    return Address(further(b, at.base, index), at.offset, at.space, 1)


def _one_byte(b: Builder, lhs: Address, rhs: Address, equal: Block, differ: Block) -> None:
    """Go on if both bytes are the same and not the NUL that ends both texts."""
    mine = b.load(lhs.base, lhs.offset, 8)
    same, more = b.new_block("same"), b.new_block("more")
    b.test("eq", mine, b.load(rhs.base, rhs.offset, 8), same, differ)
    b.start(same)
    b.test("eq", mine, Const(0), equal, more)
    b.start(more)
