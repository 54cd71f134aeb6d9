"""Phis that are only another name for one value.

    @b:                                  @b:
      %3 = phi @a: %1, @c: %1              %5 = phi @a: %1, @c: %2
      %4 = phi @b: %4, @a: %2       =>     ret %5
      %5 = phi @a: %1, @c: %2
      %6 = phi @a: %1, @c: %2
      ...
      ret %6

A phi of one value (and itself, also behind a guard) is that value; of two phis of a block with the same operands one
is enough.
"""

from __future__ import annotations

from pybpf.compiler.ir.ops import Const, Guard, Phi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["run"]


def run(function: Function) -> bool:
    """Remove phis until none is a copy of anything."""
    new: dict[Value, Value] = {}

    def resolve(value: Value) -> Value:
        while value in new:
            value = new[value]
        return value

    again = True
    while again:
        again = False
        for block in function.blocks:
            phis = block.phis()
            if not phis:
                continue
            kept: list[Op] = []
            seen: dict[tuple[object, ...], Phi] = {}
            for phi in phis:
                if new:
                    phi.map_args(resolve)
                value = _single(phi)
                if value is not None:
                    new[phi] = value
                    continue
                key = (phi.kind, *[(b, v.value if type(v) is Const else v) for b, v in _by_label(phi)])
                if key in seen:
                    new[phi] = seen[key]
                    continue
                seen[key] = phi
                kept.append(phi)
            if len(kept) != len(phis):
                block.ops[: len(phis)] = kept
                again = True
    function.replace_uses(new)
    return bool(new)


def _unguarded(value: Value) -> Value:
    while type(value) is Guard:
        value = value.value
    return value


def _by_label(phi: Phi) -> list[tuple[Block, Value]]:
    return sorted(phi.incoming, key=lambda pair: pair[0].label)


def _single(phi: Phi) -> Value | None:
    """The one value besides itself that the phi can have."""
    found: Value | None = None
    for _, value in phi.incoming:
        if value is found or _unguarded(value) is phi:
            continue
        if found is None:
            found = value
        elif type(value) is not Const or type(found) is not Const or value.value != found.value:
            return None
    return found
