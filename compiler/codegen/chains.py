"""The stack of calls: functions in, the chains of calls that the kernel would refuse out.

The frames of a program and of the subprograms it calls, one by way of the other, share 512 bytes, each rounded up to 32
(check_max_stack_depth and round_up_stack_depth, kernel/bpf/verifier.c; newer kernels round to 16 where the JIT is on).
At most eight functions are in a chain. In front of a subprogram that makes tail calls, frames take at most 256 bytes.
"""

from __future__ import annotations

from pybpf.compiler.codegen.frame import MAX_STACK
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybpf.compiler.codegen.emit import MachineCode

__all__ = ["Chain", "chains_refused"]

_MOST_CALLS = 8  # MAX_CALL_FRAMES
_BEFORE_TAIL_CALL = 256
_TAIL_CALL = 12  # bpf_tail_call


class Chain(Record):
    """Functions that call one another: names and frames in bytes, as the kernel counts them, the program first.

    `limit` is how much they may take, 0 where they are too many.
    """

    frames: tuple[tuple[str, int], ...]
    total: int
    limit: int


def chains_refused(functions: Sequence[MachineCode]) -> list[Chain]:
    """The first chain of each program (and global subprogram) that takes too much, or is too long.

    A callback is called by a helper, on top of its caller's frame; a timer's by itself.
    """
    by_name = {function.name: function for function in functions}
    called: dict[str, list[str]] = {}
    for function in functions:
        symbols = [reloc.symbol for reloc in function.relocs if reloc.kind in ("call", "callback")]
        symbols = [symbol for symbol in symbols if symbol not in function.later]
        called[function.name] = list(dict.fromkeys(symbols))
    if not any(called.values()):
        return []
    targets = {name for names in called.values() for name in names}
    sizes = {name: max(code.frame.size + 31, 32) // 32 * 32 for name, code in by_name.items()}
    tails = {name for name, code in by_name.items() if _TAIL_CALL in code.helpers}
    found = []
    for name in by_name:
        if name not in targets:
            chain = _Search(called, sizes, tails).through(name, (), 0)
            if chain is not None:
                found.append(chain)
    return found


class _Search:
    """Looks for a chain that is refused. What was reached before with more taken needs no second look."""

    def __init__(self, called: dict[str, list[str]], sizes: dict[str, int], tails: set[str]) -> None:
        self.called = called
        self.sizes = sizes
        self.tails = tails
        self.seen: dict[str, list[tuple[int, int]]] = {}

    def through(self, name: str, before: tuple[tuple[str, int], ...], taken: int) -> Chain | None:
        """The first chain through `name` that is refused, where `taken` bytes are taken before."""
        seen = self.seen.setdefault(name, [])
        if any(taken <= bytes_ and len(before) <= calls for bytes_, calls in seen):
            return None
        seen.append((taken, len(before)))
        chain = (*before, (name, self.sizes[name]))
        if before and name in self.tails and taken >= _BEFORE_TAIL_CALL:
            return Chain(chain, taken, _BEFORE_TAIL_CALL)
        total = taken + self.sizes[name]
        if total > MAX_STACK:
            return Chain(chain, total, MAX_STACK)
        if len(chain) > _MOST_CALLS:
            return Chain(chain, total, 0)
        for callee in self.called.get(name, ()):
            found = self.through(callee, chain, total)
            if found is not None:
                return found
        return None
