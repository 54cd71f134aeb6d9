"""What holds at a loop's head, on every way back to it too. In: how to check the body once. Out: Loop.

The body is checked with what held before the loop, numbers that it assigns being allowed to grow; if a way back then
contradicts that, it is checked again with less assumed.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, longloops, ranges, tree
from pybpf.compiler.frontend.measure import origins
from pybpf.compiler.later import module
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.span import Span
from pybpf.compiler.schema.types import OptionalType, PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.frontend import bounds, walks
    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.ranges import Interval
else:
    import _ast as ast
    bounds = module("frontend.bounds")
    walks = module("frontend.walks")

__all__ = ["Loop", "carried", "check_kept", "settle"]

_NARROWED = 4  # loops inside each other that are checked once more for narrower bounds: each doubles the time
_SLOW = 4
_ATTEMPTS = 20  # facts only get weaker, and there are few steps down; this keeps a mistake of ours from looping


class Loop:
    """The loop around the statements in hand: the states that leave it by `break`, and that go round by `continue`.

    `back` is the state of all ways back to its head; None where no iteration is followed by another. `own_frame` is the
    region of a loop whose body becomes a function. `flag` is set by a `break` out of one of several copies of a body.
    `moves`: where addresses in the packet were in front of it, and how far an iteration may move them (walks.py).
    """

    __slots__ = ("back", "breaks", "continues", "flag", "moves", "own_frame")

    def __init__(self) -> None:
        self.back: State | None = None
        self.own_frame: Span | None = None
        self.flag: tree.Var | None = None
        self.breaks: State | None = None
        self.continues: State | None = None
        self.moves: dict[str, tuple[int, int]] = {}


def settle(
    checker: Checker, node: Any, assigned: list[str], once: Callable[[], None], *, own_frame: bool = False
) -> Loop:
    """Check a loop's body by `once`, from the state at its head to that at its end, until the two agree.

    `own_frame`: the body becomes a function, so objects that it makes are gone when an iteration ends.

    Numbers that the loop assigns are taken to grow at first, those that it only subtracts from to fall. Where they turn
    out to stay within narrower bounds, the body is checked once more with those. Where something then is wrong in the
    body, it is checked from what holds in front of the loop, which iterations make weaker one after the other: numbers
    that take a few values only are known better so.
    """
    entry = checker.state
    assert entry is not None
    if checker.told_of_fields:
        entry = {name: fact for name, fact in entry.items() if name[0] != "."}
    head = dict(entry)
    may_narrow = len(checker.loops) < _NARROWED
    slow = _SLOW if len(checker.loops) < 2 else 0  # iterations that may be taken one after the other
    slowly = False
    falling = bounds.falling(node)
    kept = len(checker.session.state)  # variables on the context, which are made when they are first met
    addresses = walks.addresses(checker, assigned, head) if kept else []
    for name in assigned:
        fact = head.get(name)
        if fact is not None and fact.range != ranges.EMPTY and name not in addresses:
            (lo, hi), (least, most) = fact.range, _type_range(checker, name)
            head[name] = replace(fact, range=(min(lo, least), hi) if name in falling else (lo, max(hi, most)))
    for _ in range(_ATTEMPTS):
        mark, left_out = len(checker.diagnostics), checker.left_out
        loop = Loop()
        loop.own_frame = _extent(checker, node) if own_frame else None
        checker.loops.append(loop)
        checker.state = dict(head)
        try:
            once()
        finally:
            checker.loops.pop()
        if loop.own_frame is not None:
            for state in (checker.state, loop.continues, loop.breaks):
                _forget_made(checker, state, loop.own_frame)
        back = flow.join(checker.state, loop.continues)
        if len(checker.session.state) != kept:
            kept = len(checker.session.state)
            addresses = walks.addresses(checker, assigned, head)
        back = loop.back = walks.apart(loop, addresses, head, back) if addresses else back
        if flow.covers(head, back):
            other = _loosened(head, assigned) if _failed(checker, mark) else head
            if other is head and may_narrow:
                other, may_narrow = _narrowed(head, flow.join(entry, back), assigned), False
            if other is head and slow and not slowly and _failed(checker, mark):
                other, slowly = {**entry, **{name: head[name] for name in addresses}}, True
            if other is head:
                return loop
            head = other
            del checker.diagnostics[mark:]
            checker.left_out = left_out
            continue
        del checker.diagnostics[mark:]
        checker.left_out = left_out
        weaker = flow.join(head, back)
        assert weaker is not None
        for name, fact in weaker.items():
            if name not in head or name[0] in "&@" or name in addresses:  # a reference that is held has no range
                continue
            if fact.poisoned and not head[name].poisoned:
                # The error was reported in this attempt only: what led to it must be there in the next one too.
                fact = weaker[name] = head[name]
            (lo, hi), (least, most) = fact.range, _type_range(checker, name)
            before = head[name].range
            if slowly and slow:
                continue
            if before != ranges.EMPTY:  # a bound that did not hold is given up
                widened = (lo if lo == before[0] else min(lo, least), hi if hi == before[1] else max(hi, most))
                weaker[name] = replace(fact, range=widened)
        slow -= slowly and slow > 0
        head = {name: fact for name, fact in weaker.items() if name in head or name[0] in "&@"}
    raise AssertionError("the facts at a loop's head do not settle")


def _extent(checker: Checker, node: Any) -> Span:
    """The region of a loop's head and body."""
    first = checker.span(node.test if isinstance(node, ast.While) else node.iter)
    last = checker.span(node.body[-1])
    return Span(first.source, first.line, first.col, last.end_line, last.end_col)


def _forget_made(checker: Checker, state: State | None, extent: Span) -> None:
    """Objects of the stack that were made in a loop's body with a frame of its own are gone after an iteration."""
    for name, fact in (state or {}).items():
        if fact.stale is None and fact.origins and _is_on_stack(checker, name):
            made = next((origin for origin in fact.origins if _is_within(origin, extent)), None)
            if made is not None:
                state[name] = replace(fact, stale=(_GONE, made))  # type: ignore[index]


_GONE = "it is gone after the iteration: the loop's body is a function of its own"


def _is_on_stack(checker: Checker, name: str) -> bool:
    slot = checker.slots.get(name)
    return slot is not None and slot.var is not None and longloops.is_on_stack(slot.var)


def _is_within(place: Span, extent: Span) -> bool:
    start, end = (extent.line, extent.col), (extent.end_line, extent.end_col)
    return place.source is extent.source and start <= (place.line, place.col) < end


def check_kept(checker: Checker, value: tree.Expr) -> None:
    """Refuse to return an object that a loop around here made in a frame of its own."""
    for loop in checker.loops:
        kind = value.type.inner if isinstance(value.type, OptionalType) else value.type
        extent = loop.own_frame
        if extent is None or not isinstance(kind, PtrType) or kind.space != Space.STACK:
            continue
        if any(_is_within(made, extent) for made in origins(checker, value)):
            checker.fail(errors.MadeInLoop(value.span, checker.text(value.span)))


def _failed(checker: Checker, mark: int) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in checker.diagnostics[mark:])


def _loosened(head: State, assigned: list[str]) -> State:
    """The state at a loop's head with Optionals that the loop assigns open: what failed may do so for being None, which
    an iteration changes. `head` itself if none is known to be."""
    known = [name for name in assigned if name in head and head[name].presence != flow.MAYBE]
    return head if not known else head | {name: replace(head[name], presence=flow.MAYBE) for name in known}


def _narrowed(head: State, met: State | None, assigned: list[str]) -> State:
    """The state at a loop's head with what its assignments were found to leave; `head` itself if that is no news."""
    found = head
    for name in assigned:
        fact, seen = head.get(name), met.get(name) if met is not None else None
        if fact is not None and seen is not None and seen.range != fact.range and not seen.poisoned:
            if found is head:
                found = dict(head)
            found[name] = replace(fact, range=seen.range)
    return found


def _type_range(checker: Checker, name: str) -> Interval:
    slot = checker.slots.get(name)
    if slot is None or slot.var is None:
        return ranges.EVERYTHING
    kind = slot.var.type
    return ranges.of_type(kind.inner if isinstance(kind, OptionalType) else kind)


def carried(checker: Checker, entry: State, assigned: list[str]) -> tuple[tree.Var, ...]:
    """The variables with a value in front of a loop that assigns them."""
    found = []
    for name in assigned:
        slot, fact = checker.slots.get(name), entry.get(name)
        if slot is not None and slot.var is not None and fact is not None and fact.assigned:
            found.append(slot.var)
    return tuple(found)
