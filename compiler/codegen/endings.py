"""Code that ends alike: an allocated function in, with threaded jumps; its blocks with less code, in place.

    @a:                          @a:
      r0 = 0                       ...
      exit                         goto @b
    @b:                   =>     @b:
      r0 = 0                       r0 = 0
      exit                         exit
    @c:                          @d:
      r5 = 5                       r5 = 5
      goto @e                      goto @e
    @d:
      r5 = 5                     (what led to @c leads to @d)
      goto @e

Blocks of the same few instructions become one; of blocks that end in the same ones, one keeps them and the others go
there. Only instructions that the verifier has nothing to say of are shared, so that its messages name the line of the
path that it took: moves, arithmetic, stores to the stack. A jump more is run where it takes less code.
"""

from __future__ import annotations

from pybpf.compiler.codegen import machine as m
from pybpf.compiler.codegen.machine import MBlock, MInsn
from pybpf.compiler.ir.function import Slot
from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from pybpf.compiler.codegen.machine import MFunction

__all__ = ["join_endings"]

LONGEST = 8  # instructions of a block that are compared
_SHARED = (m.MOV_K, m.MOV_X, m.ALU_K, m.ALU_X, m.LOAD_64, m.FRAME, m.SPILL, m.RELOAD)


def join_endings(fn: MFunction) -> bool:
    """Join whole blocks until none are the same, then ends."""
    changed = False
    while _join_blocks(fn):
        changed = True
    return _join_ends(fn) or changed


def _join_blocks(fn: MFunction) -> bool:
    kept: dict[Hashable, MBlock] = {}
    new: dict[MBlock, MBlock] = {}
    for block in reversed(fn.blocks[1:]):  # the last one is the nearest to where they lead
        if len(block.insns) <= LONGEST and block not in block.succs:
            key = tuple([_key(insn) for insn in block.insns])
            if all(key):
                same = kept.setdefault((key, tuple(block.succs)), block)
                if same is not block:
                    new[block] = same
    if not new:
        return False
    fn.blocks = [block for block in fn.blocks if block not in new]
    for block in fn.blocks:
        block.succs = [new.get(target, target) for target in block.succs]
    return True


def _join_ends(fn: MFunction) -> bool:
    """Of blocks that go on at the same place, or nowhere."""
    groups: dict[Hashable, list[MBlock]] = {}
    for block in fn.blocks:
        last = block.insns[-1]
        if last.form is m.EXIT:
            if len(block.insns) > 1 and (key := _key(block.insns[-2])):
                groups.setdefault(key, []).append(block)
        elif last.form is m.JUMP and len(block.insns) > 1 and (key := _key(block.insns[-2])):
            groups.setdefault((key, block.succs[0]), []).append(block)
    changed = False
    for group in groups.values():
        if len(group) > 1:
            changed |= _join_end(fn, group)
    return changed


def _join_end(fn: MFunction, group: list[MBlock]) -> bool:
    """Move what all of the group end in to a block behind the one that it falls through from."""
    exits = group[0].insns[-1].form is m.EXIT
    shared = _shared(group)
    place = {block: n for n, block in enumerate(fn.blocks)}
    last = group[-1]
    if not exits:
        after = [block for block in group if fn.blocks[place[block] + 1 : place[block] + 2] == block.succs]
        last = after[0] if after else last
        if not after and shared < 3:  # instructions, with the jump: as many jumps more are made
            return False
    if shared < 2:
        return False
    end = MBlock(f"{last.label}.end", insns=last.insns[-shared:], succs=list(last.succs), depth=last.depth)
    whole = next((block for block in group if len(block.insns) == shared), None)
    if whole is not None:
        end = whole
    else:
        fn.blocks.insert(place[last] + 1, end)
    for block in group:
        if block is not end:
            jump = MInsn(m.JUMP, op.GOTO, span=block.insns[-shared].span)
            block.insns = [*block.insns[:-shared], jump]
            block.succs = [end]
    return True


def _shared(group: list[MBlock]) -> int:
    """How many instructions all end in."""
    first = group[0].insns
    count = 1
    while count < min([len(block.insns) for block in group]) and count < LONGEST:
        key = _key(first[-count - 1])
        if not key or any(_key(block.insns[-count - 1]) != key for block in group):
            break
        count += 1
    return count


def _key(insn: MInsn) -> Hashable:
    """What the instruction does; None for one that is not shared."""
    form = insn.form
    if form is m.JUMP or form is m.EXIT:
        return (form.name,)
    if form in _SHARED or (form in (m.STORE_K, m.STORE_X) and type(insn.ref) is Slot):
        return form.name, insn.op, insn.dst, insn.srcs, insn.off, insn.imm, insn.ref
    return None
