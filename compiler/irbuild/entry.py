"""The end of building a function: what was left open is filled in, and the context is read at its entry."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir import ops
    from pybpf.compiler.irbuild.builder import Builder

__all__ = ["finish"]


def finish(b: Builder) -> None:
    """Complete the function of `b`, all of whose statements were built."""
    b.variables.finish(b.function)
    _share_context_loads(b)


def _share_context_loads(b: Builder) -> None:
    """Load each pointer of the context once, at entry: the verifier takes two loads for two unrelated pointers.

    Where a helper may have moved the packet, its pointers must be loaded where they are read instead.
    """
    if b.packet_moves:
        for load in b.context_loads:
            load.constant = False
        return
    first: dict[int, ops.Load] = {}
    same: dict[ops.Value, ops.Value] = {}
    for load in b.context_loads:
        if load.offset in first:
            same[load] = first[load.offset]
        else:
            first[load.offset] = load
    moved = set(b.context_loads)
    for block in b.function.blocks:
        block.ops = [op for op in block.ops if op not in moved]
    entry = b.function.blocks[0].ops
    begin = entry.index(b.context) + 1 if b.context in entry else 0  # type: ignore[arg-type]
    entry[begin:begin] = first.values()
    b.function.replace_uses(same)
