"""Arenas: calls of the kernel functions that give out pages, and what ties a program to its arena.

A reference into an arena is the address that user space has, a number; `Builder.there` casts it where it is accessed.
The verifier takes the cast in programs that name an arena only, so one that merely follows pointers names it at its
start.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.ir.function import Function, Module
    from pybpf.compiler.ir.ops import Value
    from pybpf.compiler.irbuild.builder import Builder
    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["alloc", "free", "tie"]

_ANY_NODE = -1  # NUMA_NO_NODE, include/linux/numa.h


def alloc(b: Builder, node: tree.ArenaAlloc) -> Value:
    """bpf_arena_alloc_pages(map, address, pages, node, flags): the address for user space, or 0."""
    arena = b.emit(ops.MapAddr(node.map.name, span=b.span))
    arguments = [arena, Const(0), Const(node.pages), Const(_ANY_NODE), Const(0)]
    return b.emit(ops.CallKernel(node.kfunc.name, arguments, "int", "", b.span))


def free(b: Builder, node: tree.ArenaFree) -> None:
    """bpf_arena_free_pages(map, address, pages)."""
    value = b.value(node.value)
    arena = b.emit(ops.MapAddr(node.map.name, span=b.span))
    b.emit(ops.CallKernel(node.kfunc.name, [arena, value, Const(node.pages)], "void", "", b.span))


def tie(function: Function, arena: MapSpec, module: Module) -> None:
    """Let the program's own function name its arena, unless it does."""
    inside = {spec.name for spec in module.globals if spec.arena is arena}
    for block in function.blocks:
        for op in block.ops:
            if isinstance(op, ops.MapAddr) and op.symbol == arena.name:
                return
            if isinstance(op, ops.ExternAddr) and op.symbol in inside:
                return
    address = ops.MapAddr(arena.name, span=function.span)
    function.blocks[0].ops[:0] = [address, ops.Asm("r0 = {1}", [address], "void", "", function.span)]
