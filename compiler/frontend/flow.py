"""What is known of each variable at one place of a function, and how it changes where paths split and meet.

A `State` maps names of variables to `Fact`s; `None` in place of a State means that the place can't be reached. Facts
are never changed, only replaced, so a copy of a State is a copy of its dict.
"""

from __future__ import annotations

from pybpf.compiler.frontend import ranges
from pybpf.compiler.schema.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from pybpf.compiler.frontend.ranges import Interval
    from pybpf.compiler.schema.span import Span

    State: TypeAlias = "dict[str, Fact]"

__all__ = [
    "ABSENT", "MAYBE", "PRESENT", "Fact", "absent", "covers", "exists_key", "filled_key", "held_key", "join", "stale",
]  # fmt: skip

# Whether an Optional variable holds a value.
MAYBE, PRESENT, ABSENT = 0, 1, 2


class Fact(Record):
    """What is known of one variable.

    `assigned`: on every path (False: on some). `range`: of an int, or of the value in an Optional int. `presence`: of
    an Optional. `source`: where the Optional came from. `origins`: the syntax nodes that made the object which a
    reference may refer to. `parts`: where it may lie in objects that are not on the stack: what gave the object, and
    the way from there, as (span, ("saddr",)). `stale`: why the object is gone (None: it is not), with the place where
    that happened. `poisoned`: an error was reported where it got its value, so nothing more is said about it.
    """

    assigned: bool = True
    range: Interval = ranges.EVERYTHING
    presence: int = MAYBE
    source: Span | None = None
    origins: frozenset[Any] = frozenset()
    parts: frozenset[tuple[Any, tuple[str, ...]]] = frozenset()
    stale: tuple[str, Span] | None = None
    poisoned: bool = False


def _join(a: Fact, b: Fact) -> Fact:
    if a is b:
        return a
    return Fact(
        a.assigned and b.assigned,
        ranges.join(a.range, b.range),
        a.presence if a.presence == b.presence else MAYBE,
        a.source or b.source,
        a.origins if a.origins == b.origins else a.origins | b.origins,
        a.parts if a.parts == b.parts else a.parts | b.parts,
        a.stale or b.stale,
        a.poisoned or b.poisoned,
    )


def _partly(fact: Fact) -> Fact:
    """What is known of a variable that the other path does not assign."""
    return replace(fact, assigned=False) if fact.assigned else fact


def join(a: State | None, b: State | None) -> State | None:
    """What is known where two paths meet."""
    if a is None:
        return b
    if b is None or a is b:
        return a
    merged = dict(a)
    for name, other in b.items():
        fact = a.get(name)
        if fact is not other:  # most are the same
            merged[name] = _join(fact, other) if fact is not None else _partly(other)
    if len(merged) > len(b):
        for name, fact in a.items():
            if name not in b:
                merged[name] = _partly(fact)
    return merged


def covers(assumed: State, seen: State | None) -> bool:
    """Whether what was assumed at a loop's head holds for the path that comes back to it too."""
    if seen is None:
        return True
    for name, fact in assumed.items():
        other = seen.get(name)
        if other is None and name[0] in "&@" and fact.assigned:
            return False
        if other is None or other is fact or other.poisoned:  # a poisoned one comes with an error
            continue
        if (
            (fact.assigned and not other.assigned)
            or not (fact.range[0] <= other.range[0] and other.range[1] <= fact.range[1])
            or (fact.presence != MAYBE and fact.presence != other.presence)
            or not other.origins <= fact.origins
            or not other.parts <= fact.parts
            or (other.stale is not None and fact.stale is None)
        ):
            return False
    return not any(name[0] in "&@" and name not in assumed for name in seen)


def held_key(origin: Span) -> str:
    """The name of the fact that the reference acquired at `origin` is held (references.py)."""
    return f"&{origin}"


def filled_key(origin: Span) -> str:
    """The name of the fact that the Dynptr() made at `origin` was filled by a call (dynptrs.py)."""
    return f"@{origin}"


def exists_key(function: str) -> str:
    """The name of the fact that the running kernel has a function."""
    return f"?{function}"


def absent(state: State, name: str) -> State:
    """The state in which the variable `name`, an Optional, is None: it holds no reference."""
    fact = state[name]
    made = {**state, name: replace(fact, presence=ABSENT)}
    held = [key for key in map(held_key, fact.origins) if key in made]
    if len(held) == 1 or not any(made[key].assigned for key in held):
        for key in held:
            del made[key]
    return made


def stale(state: State, origin: Any, why: str, where: Span) -> None:
    """Mark the variables that may refer to the object made at `origin` as no longer usable."""
    for name, fact in state.items():
        if origin in fact.origins and fact.stale is None:
            state[name] = replace(fact, stale=(why, where))
