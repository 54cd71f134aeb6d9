"""Tidies the control flow graph.

    @a:                                @a:
      br eq %0, 0, @b, @c                %1 = add %0, 1
    @b:                                  ret %1
      unreachable               =>
    @c:
      jump @d
    @d:
      %1 = add %0, 1
      ret %1

Branches to what can't be reached, or with one target left, become jumps; blocks that nothing reaches go; a block is
joined with the only block that follows it and that it alone leads to; blocks of a jump only are skipped; blocks that
only return the same constant are made one.
"""

from __future__ import annotations

from pybpf.compiler.ir.function import Block
from pybpf.compiler.ir.ops import Branch, Const, Jump, MayGoto, Return, Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Phi, Value

__all__ = ["fresh_label", "prune", "redirect_to_new", "retarget", "run"]


def run(function: Function) -> bool:
    """Tidy until nothing changes."""
    changed = False
    while _prune(function) | _share_returns(function) | _skip_empty(function) | _join(function):
        changed = True
    return changed


def _prune(function: Function) -> bool:
    """Cut the ways into unreachable blocks, then drop blocks without a way into them."""
    changed = False
    for block in function.blocks:
        last = block.ops[-1]
        if type(last) is Branch:
            dead = [len(t.ops) == 1 and type(t.ops[0]) is Unreachable for t in (last.then, last.other)]
            if any(dead):
                block.ops[-1] = Jump(last.other if dead[0] else last.then, last.span)
                changed = True
    return prune(function) or changed


def prune(function: Function) -> bool:
    """Drop the blocks that the entry does not reach."""
    reached = set(function.reverse_postorder())
    if len(reached) == len(function.blocks):
        return False
    for block in function.blocks:
        if block in reached:
            for phi in block.phis():
                phi.incoming = [(b, v) for b, v in phi.incoming if b in reached]
    function.blocks = [block for block in function.blocks if block in reached]
    return True


def redirect_to_new(function: Function, source: Block, old: Block, target: Block, values: tuple[Value, ...]) -> None:
    """Lead `source`, instead of to `old`, to a new block that jumps to `target`, with these values for its phis."""
    labels = {block.label for block in function.blocks}
    way = Block(fresh_label(target.label, labels), [Jump(target, source.ops[-1].span)])
    function.blocks.insert(function.blocks.index(source) + 1, way)
    retarget(source, old, way)
    for phi in old.phis():
        phi.incoming = [(b, v) for b, v in phi.incoming if b is not source]
    for phi, value in zip(target.phis(), values):
        phi.incoming.append((way, value))


def fresh_label(label: str, taken: set[str]) -> str:
    """A label for one more way to, or through, a block."""
    n = 0
    while f"{label}.t{n}" in taken:
        n += 1
    taken.add(f"{label}.t{n}")
    return f"{label}.t{n}"


def retarget(source: Block, old: Block, new: Block) -> None:
    """Let the end of `source` name `new` where it named `old`."""
    last = source.ops[-1]
    if type(last) is Jump:
        last.target = new
    elif type(last) is Branch or type(last) is MayGoto:
        last.then = new if last.then is old else last.then
        last.other = new if last.other is old else last.other


def _share_returns(function: Function) -> bool:
    """Keep one of the blocks that do nothing but return a certain constant."""
    first: dict[int, Block] = {}
    changed = False
    for block in function.blocks[1:]:
        last = block.ops[0]
        if type(last) is not Return or type(last.value) is not Const:
            continue
        same = first.setdefault(last.value.value, block)
        if same is not block:
            block.ops = [Jump(same, last.span)]  # _skip_empty leads all ways past it
            changed = True
    return changed


def _join(function: Function) -> bool:
    """Append to each block the one that only it leads to, if it leads nowhere else."""
    before = function.predecessors()
    gone: set[Block] = set()
    new: dict[Value, Value] = {}
    for block in function.blocks:
        if block in gone:
            continue
        while type(block.ops[-1]) is Jump:
            target = block.ops[-1].target
            if len(before[target]) != 1 or target is block or target is function.blocks[0]:
                break
            for phi in target.phis():
                new[phi] = phi.incoming[0][1]
            block.ops[-1:] = target.ops[len(target.phis()) :]
            gone.add(target)
            for after in block.successors():
                before[after] = [block if b is target else b for b in before[after]]
                for phi in after.phis():
                    phi.incoming = [(block if b is target else b, v) for b, v in phi.incoming]
    if gone:
        function.blocks = [block for block in function.blocks if block not in gone]
        function.replace_uses(new)
    return bool(gone)


def _skip_empty(function: Function) -> bool:
    """Let what leads to a block of only a jump lead to its target instead."""
    before = function.predecessors()
    gone: set[Block] = set()
    changed = False
    for block in function.blocks[1:]:
        first = block.ops[0]
        if type(first) is not Jump or first.target is block:
            continue
        target = first.target
        phis = target.phis()
        for source in list(before[block]):
            if source in before[target] and not all(_same_ways(phi, source, block) for phi in phis):
                continue  # the two ways need a value each
            _redirect(source, block, target, before)
            changed = True
        if not before[block]:
            gone.add(block)
            before[target].remove(block)
            for phi in phis:
                phi.incoming = [(b, v) for b, v in phi.incoming if b is not block]
    if gone:
        function.blocks = [block for block in function.blocks if block not in gone]
    return changed


def _redirect(source: Block, block: Block, target: Block, before: dict[Block, list[Block]]) -> None:
    """Lead `source` past the empty `block` to `target`."""
    last = source.ops[-1]
    before[block].remove(source)
    if type(last) in (Branch, MayGoto) and target in last.targets():
        source.ops[-1] = Jump(target, last.span)
        return
    retarget(source, block, target)
    before[target].append(source)
    for phi in target.phis():
        phi.incoming.append((source, _value(phi, block)))


def _same_ways(phi: Phi, one: Block, two: Block) -> bool:
    """The phi has the same value whichever way control comes."""
    a, b = _value(phi, one), _value(phi, two)
    return a is b or (type(a) is Const and type(b) is Const and a.value == b.value)


def _value(phi: Phi, block: Block) -> Value:
    return next(v for b, v in phi.incoming if b is block)
