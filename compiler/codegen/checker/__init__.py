"""Proof that machine code does what the selected function means. For tests; it shares no code with what it checks.

    checker = Checker(selected)     before registers are allocated: keeps a copy
    checker(code)                   the bytes of the function; raises WrongCode

In between lie register allocation, the sharing of spill slots and of stack slots, the frame, what moves and drops
moves, joins code that ends alike, lays out and inverts branches, and encodes: nothing of that is trusted. The bytes are
decoded and walked along with the original, each instruction of which must turn up, in its order, on all ways:

    walk.py     pairs of places (in the bytes, in the original), and what is known at each: a forward analysis
    match.py    whether instructions of the bytes are one of the original's, and in which registers its operands are
    state.py    what registers, spilled words and bytes of stack slots hold
    meaning.py  the copy of the original, and where the addresses of its stack slots may get

For a register or a word of the stack the analysis has the virtual registers whose value it certainly holds. For each
byte of the program's own stack slots, which may share their places: whether it certainly holds what the original wrote
there last (or whether the original can't have written it, so that anything will do). An instruction of the original
that reads a value, or bytes of a slot, must find them. The calling convention, and that helpers keep no address which
they are given (dynptrs and kernel functions aside), is all that is believed.
"""

from __future__ import annotations

from pybpf.compiler.codegen.checker.meaning import Meaning
from pybpf.compiler.codegen.checker.walk import Walk, WrongCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.codegen.machine import MFunction

__all__ = ["Checker", "WrongCode"]


class Checker:
    """Made with a function over virtual registers, called with its machine code."""

    def __init__(self, selected: MFunction) -> None:
        self.meaning = Meaning(selected)

    def __call__(self, code: MachineCode) -> None:
        Walk(self.meaning, code).run()
