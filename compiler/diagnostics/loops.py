"""E08xx: loops, and the verifier's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "LoopTarget", "LoopTooLong", "MapIteration", "NotIterable", "RangeArguments", "RangeElsewhere", "RangeStep",
    "StackTooLarge", "TooManyItems", "UnboundedFor", "UnboundedWhile",
]  # fmt: skip


class UnboundedWhile(Diagnostic):
    """A `while` loop whose end can't be seen.

    The verifier walks through every iteration, and refuses a program that it can't see the end of. It needs a counter
    that every iteration moves by a constant, and a comparison with a bound:

        i = 0
        while i < 64:
            ...
            i += 1

    or, more simply, a `for` with a `break`:

        for _ in range(64):
            if done:
                break
    """

    tested: bool

    code = "E0801"
    title = "the verifier can't see the end of this loop"
    label = "no counter with a bound"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.tested:
            yield Help(
                "bound it, and leave early:",
                ("for _ in range(64):", "    if not (...):  # the condition", "        break"),
            )
        else:
            yield Help(
                "bound it, and leave early:", ("for _ in range(64):", "    ...", "    if done:", "        break")
            )
        yield Note("the kernel would say: infinite loop detected, or: BPF program is too large")


class UnboundedFor(Diagnostic):
    """`range()` up to a number that may be huge. The verifier walks through every iteration, so there must be an
    upper bound.

        for i in range(min(n, 1024)):
    """

    text: str
    call: str
    most: int

    code = "E0802"
    title = "`{text}` may be very large, and the verifier walks through every iteration"
    label = "not known to be at most {most}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("bound it:", (f"range(min({self.text}, 1024))",))


class LoopTooLong(Diagnostic):
    """A loop takes more instructions, or more branches, than the verifier is willing to walk through.

    It gives up after a million instructions, and when more than 8192 branches wait to be looked at. Each iteration
    counts, and in nested loops the product does.
    """

    count: int
    each: int
    branches: int
    by_branches: bool
    most: int

    code = "E0803"
    title = "this loop is too long for the verifier: up to {count} iterations"
    label = "about {each} instructions and {branches} branches each"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"loop at most {self.most} times" if self.most > 0 else "make the loops in it shorter")
        limit = "8192 branches" if self.by_branches else "a million instructions"
        yield Note(f"the verifier walks through every iteration, and gives up after {limit}")


class RangeArguments(Advised):
    """`range()` with arguments that it doesn't take."""

    code = "E0804"
    title = "range() takes one to three numbers"
    label = "wrong arguments"
    way_out = "write range(stop), range(start, stop) or range(start, stop, step)"


class RangeStep(Advised):
    """The step of a range is zero, or is known only at run time."""

    problem: str

    code = "E0805"
    title = "the step of range() is {problem}"
    label = "must be a constant other than zero"
    way_out = "use a constant step, and multiply inside the loop"


class LoopTarget(Advised):
    """The variable of a `for` loop is not a plain local name."""

    code = "E0806"
    title = "the variable of a loop must be a local name"
    label = "not a plain name"
    way_out = "write:"
    lines = ("for i in range(n):",)


class NotIterable(Advised):
    """A `for` over something other than range(), an array, or a tuple of constants."""

    what: str

    code = "E0807"
    title = "a program can't loop over {what}"
    label = "not range(), an array or constants"
    way_out = "loop over an index:"
    lines = ("for i in range(len(values)):", "    ... values[i]")


class TooManyItems(Advised):
    """A `for` over so many constants that choosing between them would bloat the program."""

    count: int
    most: int

    code = "E0808"
    title = "a loop over {count} constants; at most {most} are compiled"
    label = "too many"
    way_out = "keep them in a constant array, and loop over the index:"
    lines = ("table = const(Array[u32, L[{count}]], [...])",)


class MapIteration(Advised):
    """A `for` over a map. User space can do it: `for key, value in obj[m].items()`."""

    what: str

    code = "E0809"
    title = "a program can't loop over {what}"
    label = "maps are walked through by user space"
    way_out = "do it in user space:"
    lines = ("for key, value in obj[m].items():",)


class RangeElsewhere(Advised):
    """`range()` of values known only at run time, outside a `for`."""

    code = "E0811"
    title = "range() stands only after `for ... in`"
    label = "no range objects at run time"
    way_out = "compare instead:"
    lines = ("low <= x < high",)


class StackTooLarge(Diagnostic):
    """A program's variables take more than the 512 bytes of stack that the kernel gives it.

    Structs, texts and bytes that a program makes live on the stack, and so do the keys and values it hands to maps.
    What is large belongs in a map (a PerCpuArray of one element makes a good scratch buffer), or is built in place in a
    ring-buffer record, where it takes no stack:

        events.emit(Event(pid=pid(), path=user_str(address)))
    """

    name: str
    size: int
    limit: int
    parts: list[tuple[str, int]]

    code = "E0812"
    title = "`{name}` needs {size} bytes of stack, but there are {limit}"
    label = "too much at once"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Note("what takes it: " + ", ".join(f"{what} {size} bytes" for what, size in self.parts[:6]))
        yield Help(
            "keep the largest in a map, and change it there:",
            ("scratch = PerCpuArray[Event](max_entries=1)", "event = scratch[0]"),
        )
