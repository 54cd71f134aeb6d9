"""Atomic instructions that give back what was in memory."""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.irbuild.arithmetic import extend, int_type
from pybpf.compiler.irbuild.places import address_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.ir.ops import Value
    from pybpf.compiler.irbuild.builder import Builder

__all__ = ["atomic"]


def atomic(b: Builder, node: tree.Atomic) -> Value:
    at = address_of(b, node.place)
    expected = b.value(node.expected) if node.expected is not None else None
    value = b.value(node.value)
    number = int_type(node.type)
    old = b.emit(ops.Atomic(node.op, b.there(at.base), at.offset, number.bits, value, expected, True, "", b.span))
    return extend(b, old, number.bits, True) if number.signed else old
