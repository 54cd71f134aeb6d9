"""How far a loop carries addresses in the packet: the cursor, and variables that are moved on.

The verifier follows an address to 65535 bytes from the packet's start (MAX_PACKET_OFF of kernel/bpf/verifier.c), adding
up the most that each step may have moved it; behind that, nothing that the address points to can be read. Most loops
can't get so far. One that may is told by `limit` to measure where it is at the beginning of each iteration:

    for _ in range(16):                  # limit=0x7fff
        option = pkt.parse(Option)
        if option is None or not pkt.skip(option.length):
            break

In: the ranges of addresses (bytes from the packet's start; in functions that are inlined, from where it was when they
were called) at a loop's head and on the ways out of its first iteration. Out: `limit`, and ranges after all iterations.
"""

from __future__ import annotations

from pybpf.compiler.frontend import longloops, ranges, tree
from pybpf.compiler.frontend.flow import Fact
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.settle import Loop

__all__ = ["addresses", "apart", "finish"]

_MOST = 0xFFFF  # MAX_PACKET_OFF
_WALKED = 64  # iterations
_WAYS = 128  # branches in all iterations of a loop, each of which may lead to places of its own
_FAR = 0x7FFF  # what a loop may move without being measured; then where it ends, which leaves as much for what follows


def addresses(checker: Checker, assigned: list[str], head: State) -> list[str]:
    """The names of addresses in the packet that a loop may move on; `head`, the state in front of it, gets their
    ranges.
    """
    found = []
    for var in checker.session.state.values():
        if var.name not in head and not checker.session.in_subprogram and _is_address(var):
            head[var.name] = Fact(range=(0, 0))  # where the program, or the function, began
        found.append(var.name)
    for name in assigned:
        slot = checker.slots.get(name)
        if slot is not None and slot.var is not None and _is_address(slot.var) and name not in found:
            found.append(name)
    found = [name for name in found if name in head]
    for name in found:
        far = head[name].range[1]
        if far > _FAR:  # the loop will measure it, if it moves it; where it is unknown, it stays so
            head[name] = replace(head[name], range=(0, _FAR) if far <= _MOST else ranges.EVERYTHING)
    return found


def _is_address(var: tree.Var) -> bool:
    kind = var.type
    return isinstance(kind, PtrType) and kind.space == Space.PACKET and kind.pointee is None


def apart(loop: Loop, names: list[str], head: State, back: State | None) -> State | None:
    """The state on the ways back to the loop's head, but for how far an iteration moved: that is kept in the loop."""
    if back is None:
        return None
    made = dict(back)
    for name in names:
        fact, far = made.get(name), head[name].range[1]
        if fact is None:  # the packet was moved: the address is where it began
            made[name] = head[name]
            continue
        loop.moves[name] = far, max(fact.range[1] - far, 0)
        made[name] = replace(fact, range=head[name].range)
    return made


def finish(
    checker: Checker, loop: Loop, made: tree.While | tree.ForRange, count: int | None, entry: State, mark: int,
    exhausted: State | None,
) -> State | None:  # fmt: skip
    """Correct what is known behind a loop of so many iterations (None: the kernel bounds it) that begins in `entry`:
    where it is left by `break`, by `return` (the function's exits from `mark` on), and where it ends, which is given.
    """
    exits = checker.exits
    within = any(loop.limit for loop in longloops.all_of(made, (tree.While, tree.ForRange)))
    for name, (start, step) in loop.moves.items():
        states = [state for state in (exhausted, loop.breaks, *exits[mark:]) if state is not None and name in state]
        once = max([state[name].range[1] - start for state in states] + [step])
        before = max(entry[name].range[1] if name in entry else 0, start)
        if start > _MOST or not (once or before != start):
            continue
        more: int | None = None
        if not once:
            more = before - start
        elif count is not None:
            more, made.limit = count * step, made.limit or 0
            if more + once > _FAR or before + more + once > _MOST or _parts(made, count):
                made.limit = _MOST - max(once, _MOST - _FAR)
                more = max(made.limit - start, 0)
                if within:  # that one goes on from where it has measured
                    made.limit, more = _FAR, None
            else:
                more += before - start
        exhausted, loop.breaks = _moved(exhausted, name, more), _moved(loop.breaks, name, more)
        exits[mark:] = [_moved(state, name, more) or state for state in exits[mark:]]
    return exhausted


def _parts(loop: tree.While | tree.ForRange, count: int) -> bool:
    """Whether the verifier would come out of many iterations, or of branches that move by lengths from the packet, with
    places of their own, and go on from each by itself. Where it is measured they are one place to it.
    """
    if count > _WALKED:
        return True
    forks = longloops.all_of(loop, (tree.If, tree.IfExp, tree.And, tree.Or))
    return len(forks) * count > _WAYS and any(
        not isinstance(node.offset, tree.Const) for node in longloops.all_of(loop, (tree.PtrOffset,))
    )


def _moved(state: State | None, name: str, more: int | None) -> State | None:
    fact = state.get(name) if state is not None else None
    if state is None or fact is None:
        return state
    lo, hi = fact.range
    far = (lo, hi + more) if more is not None and hi <= _MOST else ranges.EVERYTHING
    return {**state, name: replace(fact, range=far)}
