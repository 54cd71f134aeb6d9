"""Typed tree in, SSA out.

program.py      `build`: programs, their arguments; subprograms.py: subprograms and calls of them
entry.py        the context's pointers
lowering.py     which function lowers which node
builder.py      the state: block being filled, variables, stack slots, open reservations
ssa.py          variables to SSA values, as the tree is walked
arithmetic.py   numbers: widening, wrapping, Python's // and %
conditions.py   truth as branches and as 0 or 1; None
statements.py   assignment, if, loops, return; carried.py: what loops that the kernel bounds carry around
outline.py      a loop's body as a function of its own; mapwalk.py: loops over maps
locks.py        spin locks; timers.py: timers; atomics.py: atomic instructions
memory.py       addresses; loads and stores by width, byte order and space; copying and clearing
aggregates.py   building structs, text and bytes in place
kernelplaces.py members of kernel objects, relocated
places.py       fields, elements, globals, context fields
maps.py         map operations; ringbuf.py: ring buffers; calls.py: helpers, inlining, printk; texts.py: comparing text
tails.py        texts from memory that others wrote
kernel.py       the helpers that lowering itself calls
walk.py         questions about expressions
"""

from pybpf.compiler.irbuild.program import build

__all__ = ["build"]
