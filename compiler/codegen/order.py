"""Block order: blocks of a function in, the same in the order that allocation and layout keep, with loop depths.

Reverse postorder, in which a loop's blocks stand together: where control can leave a loop, the way out comes after the
loop's body. Of two ways through a loop's body the shorter comes first. The verifier follows what falls through first,
turn after turn; on the short way it meets fewer places where it remembers a state, and it forgets those that are often
compared in vain (is_state_visited, kernel/bpf/verifier.c): so more of them are there when the long ways come back.
Unreachable blocks are dropped, and `preds`, `depth` and `number` filled in.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.machine import MBlock

__all__ = ["number_blocks", "order_blocks"]


def order_blocks(entry: MBlock, short_first: bool = True) -> list[MBlock]:
    """All blocks that `entry` reaches, in order; `short_first` says whether lengths of ways matter."""
    blocks = number_blocks(_postorder(entry, {}, [])[::-1])
    loops = _loops(blocks)
    for block in blocks:
        block.depth = loops[block.number].bit_count()
    if not any(loops):
        return blocks
    lengths = _lengths(blocks, loops) if short_first else [0] * len(blocks)
    return number_blocks(_postorder(entry, dict(zip(blocks, loops, strict=True)), lengths)[::-1])


def number_blocks(blocks: list[MBlock]) -> list[MBlock]:
    """Fill in `number` and `preds` of blocks that are in their order."""
    for number, block in enumerate(blocks):
        block.number = number
        block.preds = []
    for block in blocks:
        for target in block.succs:
            target.preds.append(block)
    return blocks


def _lengths(blocks: list[MBlock], loops: list[int]) -> list[int]:
    """For each block, instructions on the shortest way to an edge that goes back, without leaving the block's loops."""
    found = [0] * len(blocks)
    for block in reversed(blocks):
        n = block.number
        ways = [t.number for t in block.succs if loops[t.number] & loops[n] == loops[n]]
        found[n] = len(block.insns) + min([found[t] if t > n else 0 for t in ways], default=0)
    return found


def _postorder(entry: MBlock, loops: dict[MBlock, int], lengths: list[int]) -> list[MBlock]:
    """Depth-first, visiting first what leaves the most loops, then the longest: it comes last in the reversed order."""

    def visits(block: MBlock) -> list[MBlock]:
        if len(block.succs) < 2:
            return list(block.succs)
        here = loops.get(block, 0)
        if not here:  # the branch's second target, which follows when the branch is not taken, comes next in line
            return list(block.succs)
        return sorted(block.succs, key=lambda t: ((loops[t] & here).bit_count(), -lengths[t.number]))

    seen = {entry}
    found: list[MBlock] = []
    stack = [(entry, iter(visits(entry)))]
    while stack:
        block, rest = stack[-1]
        for target in rest:
            if target not in seen:
                seen.add(target)
                stack.append((target, iter(visits(target))))
                break
        else:
            found.append(block)
            stack.pop()
    return found


def _loops(blocks: list[MBlock]) -> list[int]:
    """For each block, a bit mask of the loop headers (by block number) whose loop it is in.

    An edge to a block that is not later in reverse postorder goes back to a loop's header. Of a loop with several
    entries the result is some of the blocks: good enough for what only decides the order and costs.
    """
    found = [0] * len(blocks)
    for latch in blocks:
        for header in latch.succs:
            if header.number > latch.number:
                continue
            bit = 1 << header.number
            found[header.number] |= bit
            work = [latch]
            while work:
                block = work.pop()
                if not found[block.number] & bit and block.number >= header.number:
                    found[block.number] |= bit
                    work.extend(block.preds)
    return found
