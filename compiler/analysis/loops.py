"""Natural loops of a function: a Function in, `Loop`s out, outer ones before the loops inside them.

A loop is the set of blocks that reach a back edge's source without passing its header (the target, which dominates the
source). Back edges to one header make one loop. Cycles that no block dominates (irreducible ones; none come from
Python) are not found.
"""

from __future__ import annotations

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.analysis.dominators import Dominators
    from pybpf.compiler.ir.function import Block, Function

__all__ = ["Loop", "loop_depths", "loops"]


class Loop(Record, eq=False):
    """`body` holds the header too; `latches` are the sources of its back edges; both in reverse postorder."""

    header: Block
    latches: list[Block]
    body: list[Block]
    parent: Loop | None = None
    depth: int = 1


def loops(function: Function, tree: Dominators | None = None) -> list[Loop]:
    """All natural loops, by the position of their headers in reverse postorder."""
    tree = tree or dominators(function)
    number = {block: n for n, block in enumerate(tree.order)}
    found: list[Loop] = []
    inner: dict[Block, Loop] = {}  # the innermost loop found so far of each block
    for header in tree.order:
        latches = [p for p in tree.predecessors[header] if p in number and tree.dominates(header, p)]
        if not latches:
            continue
        members = {header}
        stack = list(latches)
        while stack:
            block = stack.pop()
            if block not in members:
                members.add(block)
                stack += [p for p in tree.predecessors[block] if p in number]
        parent = inner.get(header)
        loop = Loop(
            header,
            sorted(set(latches), key=number.__getitem__),
            sorted(members, key=number.__getitem__),
            parent,
            parent.depth + 1 if parent else 1,
        )
        found.append(loop)
        for block in members:
            inner[block] = loop
    return found


def loop_depths(function: Function) -> dict[Block, int]:
    """How many loops each block stands in."""
    depths = dict.fromkeys(function.blocks, 0)
    for loop in loops(function):
        for block in loop.body:
            depths[block] = loop.depth
    return depths
