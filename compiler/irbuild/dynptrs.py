"""Dynptrs: their 16 bytes on the stack, and slices of what they are about.

A dynptr has a slot of its own, which nothing but calls is given the address of. The verifier of kernels before 6.3
takes no slot for a new dynptr that was one before, so there the slot is written over first.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild.aggregates import in_memory, pointee
from pybpf.compiler.irbuild.memory import clear, slot_at
from pybpf.compiler.schema.specs import HelperSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder

__all__ = ["dynptr_slice", "new_dynptr"]

_SIZE = 16  # struct bpf_dynptr
_OVERWRITES = (6, 3)  # destroy_if_dynptr_stack_slot() in kernel/bpf/verifier.c


def new_dynptr(b: Builder, node: tree.NewDynptr) -> Value:
    at = slot_at(b, "dynptr", _SIZE)
    if b.shared.target.kernel < _OVERWRITES:
        clear(b, at, _SIZE)
    return at.base


def dynptr_slice(b: Builder, node: tree.DynptrSlice) -> Value:
    """The address, or 0. A buffer starts as zeroes: the verifier takes what is there for what the slice may show."""
    dynptr, offset = b.value(node.dynptr), b.value(node.offset)
    spec, size = node.call, Const(node.size)
    if isinstance(spec, HelperSpec):
        return b.call((spec.name, spec.id), dynptr, offset, size, kind="ptr")
    buffer: Value = Const(0)
    if node.buffer is not None:
        buffer = in_memory(b, node.buffer, pointee(node.buffer), "slice")
    return b.emit(ops.CallKernel(spec.name, [dynptr, offset, buffer, size], "ptr", "", b.span))
