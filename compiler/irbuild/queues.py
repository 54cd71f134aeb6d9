"""Queues, stacks and bloom filters: maps without keys.

The helpers copy: what is taken lands in a stack slot, which they fill with zeroes where there is nothing
(kernel/bpf/queue_stack_maps.c). So a number is loaded only where there was an item, and a reference is the slot's
address there, and null elsewhere.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.aggregates import in_memory
from pybpf.compiler.irbuild.maps import map_address
from pybpf.compiler.irbuild.memory import load, slot_at
from pybpf.compiler.schema.types import is_aggregate, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder, Lowered

__all__ = ["holds", "push", "take"]


def push(b: Builder, node: tree.MapPush) -> Value:
    """1 if the value was taken in."""
    assert node.map.value is not None
    value = in_memory(b, node.value, node.map.value, "item")
    result = b.call(kernel.MAP_PUSH, map_address(b, node.map), value, Const(node.flags))
    return b.emit(ops.Cmp("eq", result, Const(0), 64, "", b.span))


def holds(b: Builder, node: tree.MapContains) -> Value:
    """What bpf_map_peek_elem says of a value in a bloom filter: 0 where it may be there, else -ENOENT."""
    assert node.map.value is not None
    value = in_memory(b, node.key, node.map.value, "item")
    return b.call(kernel.MAP_PEEK, map_address(b, node.map), value)


def take(b: Builder, node: tree.MapTake) -> Lowered:
    kind = node.map.value
    assert kind is not None
    whole = is_aggregate(kind)
    at = slot_at(b, "item", size_of(kind), temporary=not whole)
    result = b.call(kernel.MAP_PEEK if node.keeps else kernel.MAP_POP, map_address(b, node.map), at.base)
    start, hit, done = b.block, b.new_block("item"), b.new_block("taken")
    b.test("eq", result, Const(0), hit, done)
    b.start(hit)
    value = at.base if whole else load(b, at, kind)
    end = b.block
    b.jump(done)
    b.start(done)
    if whole:
        return b.phi([(start, Const(0)), (end, value)], "ptr")
    present = b.phi([(start, Const(0)), (end, Const(1))])
    return present, b.phi([(start, Const(0)), (end, value)])
