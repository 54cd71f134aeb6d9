"""E02xx: None where there must be a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = ["CompareNone", "MaybeNone", "NoneGiven", "NothingReturned"]

# By where the value comes from: why it may be None, and what kernel/bpf/verifier.c prints without a check.
_ORIGINS = {
    "lookup": ("this lookup can miss", "R0 invalid mem access 'map_value_or_null'"),
    "number": ("this lookup can miss", ""),
    "insert": ("None if the map is full", "R0 invalid mem access 'map_value_or_null'"),
    "parse": ("None if the packet is too short", "invalid access to packet"),
    "reserve": ("None if the buffer is full", "R0 invalid mem access 'ringbuf_mem_or_null'"),
    "": ("this can be None", ""),
}


class MaybeNone(Diagnostic):
    """A value that may be None is used without a check.

    Map lookups, packet parsing and ring-buffer reservations can fail; the kernel's verifier refuses a program that uses
    their result unchecked. After the check the value is known to be there.

    Fails:

        entry = table.get(key)
        entry.count += 1

    Works:

        entry = table.get(key)
        if entry is None:
            return
        entry.count += 1

        with events.reserve() as event:
            if event is not None:
                event.pid = pid()

    For a number a default may do: `table.get(key, 0)`.
    """

    name: str  # of the variable; "": another expression
    text: str
    origin: Span | None
    source: str  # text of what the value comes from
    why: str  # a key of _ORIGINS
    answer: str  # how to leave early
    line: str  # the user's statement

    code = "E0203"
    title = "`{text}` may be None here"
    label = "used without a check"

    def more(self) -> Iterator[Label | Note | Help]:
        why, kernel = _ORIGINS[self.why]
        if self.origin is not None and self.origin != self.span:
            yield Label(self.origin, why)
        default = _with_default(self.source) if self.why == "number" else ""
        if self.why == "reserve":
            yield Help("fill the record only if there is one:", (f"if {self.name} is not None:", f"    {self.line}"))
        elif self.name:
            yield Help("return early when it is None:", (f"if {self.name} is None:", f"    {self.answer}"))
        else:
            yield Help(
                "keep it in a variable, and check that:",
                (f"value = {self.text}", "if value is None:", f"    {self.answer}"),
            )
        if default:
            yield Help("or give a default:", (f"{self.name} = {default}" if self.name else default,))
        if kernel:
            yield Note(f"the kernel would say: {kernel}")


def _with_default(call: str) -> str:
    """`m.get(k)` or `m.pop(k, None)` with 0 for a missing entry; "" for anything else."""
    if call.endswith(", None)"):
        return f"{call[:-7]}, 0)"
    return f"{call[:-1]}, 0)" if ".get(" in call and call.endswith(")") else ""


class NoneGiven(Diagnostic):
    """None where a value is needed.

    A local variable may be declared to hold None; a field, an argument of a helper or an entry of a map can't.

    Fails:

        started: u64 = None
        usage[pid()] = Usage(reads=1, last=None)

    Works:

        started: u64 | None = None
        usage[pid()] = Usage(reads=1, last=0)
    """

    what: str
    wanted: str
    where: Span | None = None

    code = "E0204"
    title = "{what} must be {wanted}, not None"
    label = "this is None"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where is not None:
            yield Label(self.where, f"declared {self.wanted} here")
        if self.where is not None and self.what.startswith("`"):
            yield Help("let it hold None:", (f"{self.what[1:-1]}: {self.wanted} | None = None",))
        elif self.what.startswith("the value of"):
            yield Help("give it a value, or delete the entry:", (f"del {self.what.split('`')[1]}[key]",))
        else:
            yield Help("give it a value; only variables, parameters and results can be None")


class CompareNone(Advised):
    """A comparison with None by `==`. None is asked for with `is`, as Python's style guide has it too.

    Fails:

        if count == None:

    Works:

        if count is None:
    """

    op: str
    text: str
    test: str

    code = "E0215"
    title = "`{text} {op} None`: None is asked for with `is`"
    label = "compared with None"
    way_out = "write:"
    lines = ("{test}",)


class NothingReturned(Advised):
    """The value of a call that has none.

    Fails:

        def bump(who: u32) -> None:
            counts[who] += 1

        if bump(pid()):                 # in a program

    Works:

        def bump(who: u32) -> bool:
            counts[who] += 1
            return counts.get(who, 0) > 10
    """

    text: str

    code = "E0219"
    title = "`{text}` has no value: it is None"
    label = "nothing is returned"
    way_out = "call it in a statement of its own, or return something from the function"
