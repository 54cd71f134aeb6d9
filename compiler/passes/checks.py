"""Makes one bounds check of several in a row.

    %1: ptr = ptradd %data, 14             %1: ptr = ptradd %data, 14
    br ugt %1, %end, @short, @b            %2: ptr = ptradd %data, 34
    @b:                               =>   br ugt %2, %end, @short, @c
    %h: ptr = guard %data                  @c:
    %2: ptr = ptradd %data, 34             %h: ptr = guard %data
    br ugt %2, %end, @short, @c            ...
    @c:

A check is left out where nothing is accessed between it and the next, which looks for more behind the same address, and
leads to the same place if that is not there. What the first one guarded is guarded by the second from then on: its
guards move behind that, so every access still stands behind the check that covers it.
"""

from __future__ import annotations

from pybpf.compiler.ir.ops import Branch, Const, Guard, Jump, Phi, PtrAdd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Value

__all__ = ["run"]

# A branch on these goes to `then`, or to `other`, where there is too little.
_SHORT_THEN, _SHORT_OTHER = ("ugt", "uge"), ("ule", "ult")


def run(function: Function) -> bool:
    """Leave out checks, last one first, so that a whole row becomes one."""
    before = function.predecessors()
    changed = False
    for block in reversed(function.reverse_postorder()):
        first = _check(block)
        if first is None:
            continue
        base, count, end, short, middle = first
        second = _check(middle)
        if second is None or len(before[middle]) != 1 or middle is short:
            continue
        after = second[4]
        if second[0] is not base or second[1] < count or second[2] is not end or second[3] is not short:
            continue
        if len(before[after]) != 1 or not _same_values(short, block, middle) or not _idle(middle):
            continue
        guards = [op for op in middle.ops if type(op) is Guard]
        middle.ops = [op for op in middle.ops if type(op) is not Guard]
        start = len(after.phis())
        after.ops[start:start] = guards
        block.ops[-1] = Jump(middle, block.ops[-1].span)
        before[short].remove(block)
        for phi in short.phis():
            phi.incoming = [(b, v) for b, v in phi.incoming if b is not block]
        changed = True
    return changed


def _check(block: Block) -> tuple[Value, int, Value, Block, Block] | None:
    """The bounds check at a block's end: address, bytes from there, packet's end; where it is short, and where not."""
    last = block.ops[-1]
    if type(last) is not Branch or last.lhs.kind != "ptr" or last.rhs.kind != "ptr" or type(last.rhs) is Const:
        return None
    if last.pred in _SHORT_THEN:
        short, enough = last.then, last.other
    elif last.pred in _SHORT_OTHER:
        short, enough = last.other, last.then
    else:
        return None
    base, count = last.lhs, 0
    while type(base) is PtrAdd and type(base.offset) is Const:
        count += base.offset.value
        base = base.base
    # One byte more, where the address itself has to lie inside.
    return base, count + (last.pred in ("uge", "ult")), last.rhs, short, enough


def _same_values(short: Block, one: Block, two: Block) -> bool:
    for phi in short.phis():
        assert type(phi) is Phi
        a, b = (next(v for source, v in phi.incoming if source is block) for block in (one, two))
        if a is not b and not (type(a) is Const and type(b) is Const and a.value == b.value):
            return False
    return True


def _idle(block: Block) -> bool:
    """Nothing is accessed there, and nothing is computed from what is guarded there."""
    guards = {op for op in block.ops if type(op) is Guard}
    return all(type(op) is Guard or (op.pure and guards.isdisjoint(op.args())) for op in block.ops[:-1]) and (
        guards.isdisjoint(block.ops[-1].args())
    )
