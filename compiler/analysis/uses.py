"""Who uses each value: a Function in, value -> operations out, in order of appearance; one entry a use.

`is_measure` asks what for: whether the verifier wants to know how large it is.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["blocks_of", "count_uses", "is_measure", "uses"]

_COMPUTED = (ops.Binary, ops.Extend, ops.Swap, ops.Phi, ops.Cmp)
_ONLY_LOOKED_AT = (ops.Branch, ops.Store, ops.Return, ops.Atomic)


def uses(function: Function) -> dict[Value, list[Op]]:
    """Operations by the values they use. Values without a use, and constants, are not in it."""
    found: dict[Value, list[Op]] = {}
    for block in function.blocks:
        for op in block.ops:
            for value in op.args():
                if type(value) is not Const:
                    found.setdefault(value, []).append(op)
    return found


def blocks_of(function: Function) -> dict[Op, Block]:
    """The block that each operation stands in."""
    return {op: block for block in function.blocks for op in block.ops}


def count_uses(function: Function) -> dict[Value, int]:
    """How many uses each value has; 0 for results that nobody uses."""
    count: dict[Value, int] = dict.fromkeys(function.params, 0)
    for block in function.blocks:
        for op in block.ops:
            count.setdefault(op, 0)
            for value in op.args():
                count[value] = count.get(value, 0) + 1
    return count


def is_measure(value: Value, users: dict[Value, list[Op]]) -> bool:
    """Whether the value, or what is computed from it, is an offset or an argument, which the verifier wants to know."""
    seen, waiting = {value}, [value]
    while waiting:
        for user in users.get(waiting.pop(), ()):
            if user in seen or type(user) in _ONLY_LOOKED_AT:
                continue
            if type(user) not in _COMPUTED:
                return True
            seen.add(user)
            waiting.append(user)
    return False
