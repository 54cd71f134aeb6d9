"""W09xx: what compiles, but is probably not meant."""

from __future__ import annotations

from pybpf.compiler.diagnostics.advice import Advised

__all__ = ["AlwaysDecided", "MayDivideByZero", "NoEffect", "Unreachable"]


class MayDivideByZero(Advised):
    """A divisor that may be zero. Python would raise ZeroDivisionError; the machine gives x // 0 == 0 and x % 0 == x.

    if count != 0:
        average = total // count
    """

    text: str
    op: str

    code = "W0901"
    severity = "warning"
    title = "`{text}` may be zero"
    label = "divisor of `{op}`"
    way_out = "check it first:"
    lines = ("if {text} != 0:",)
    why = "the machine gives x // 0 == 0 and x % 0 == x, where Python raises ZeroDivisionError"


class Unreachable(Advised):
    """A statement that no path leads to: it stands after a return, a break, a continue, or a loop that never ends."""

    code = "W0902"
    severity = "warning"
    title = "this can't be reached"
    label = "never runs"
    way_out = "remove it, or what leaves before it"


class AlwaysDecided(Advised):
    """A comparison that the type of one side decides: no u32 is below 0, and none is above 4294967295.

    If the number can go below zero, it should be signed: the difference of two u64 wraps instead of becoming negative.
    """

    text: str
    outcome: str
    kind: str

    code = "W0903"
    severity = "warning"
    title = "`{text}` is always {outcome}"
    label = "every {kind} compares so"
    way_out = "compare with another number, or make the other side signed: i64(...)"


class NoEffect(Advised):
    """An expression as a statement that does nothing."""

    code = "W0904"
    severity = "warning"
    title = "this statement does nothing"
    label = "no effect"
    way_out = "call it, assign it, or remove it"
