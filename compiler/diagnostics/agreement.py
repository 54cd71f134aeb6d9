"""E02xx, second part: what must agree: assignments of a variable, sides of a choice, results of a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, memory
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "AnnotatedTwice", "ChoiceDisagrees", "CompareObjects", "Disagree", "MissingReturn", "OtherSpace",
    "ReturnsDisagree",
]  # fmt: skip


_NEGATIVE = "a negative number"
_NUMBERS = ("a number", _NEGATIVE, "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64")


class Disagree(Diagnostic):
    """A variable is assigned values of types that no one type holds.

    A variable has one type for its whole life: the annotated one, or one that holds all that is assigned to it. Numbers
    of several widths agree on a wider one, but u64 and a signed type have none in common.

    Fails:

        delta = -1
        delta = ktime() - start       # a u64

    Works:

        delta: i64 = -1
        delta = ktime() - start       # wraps, so it is the signed difference
    """

    name: str
    first: str
    second: str
    where: Span | None

    code = "E0201"
    title = "`{name}` is {first} at first and {second} here"
    label = "this is {second}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where is not None:
            yield Label(self.where, f"this makes `{self.name}` {self.first}")
        if self.first in _NUMBERS and self.second in _NUMBERS:
            yield Help("say which type is meant, where it is first assigned:", (f"{self.name}: i64 = ...",))
        else:
            yield Help("use another variable for the second value")


# What a diagnostic calls the memory in a Space.
class OtherSpace(Diagnostic):
    """A variable would refer to objects in kinds of memory that are read by different instructions.

    A packet, the context and a ring-buffer record are each different from the program's own memory and from maps. Use
    one variable for each, or copy the fields that are needed into numbers.

    Fails:

        eth = pkt.parse(ethhdr)
        if eth is None:
            eth = last.get(0)

    Works:

        eth = pkt.parse(ethhdr)
        if eth is None:
            old = last.get(0)
    """

    what: str
    kind: str
    given: str
    wanted: str
    where: Span | None = None

    code = "E0212"
    title = "{what} is {kind} in {wanted}, and this one is in {given}"
    label = "in {given}"

    def texts(self) -> tuple[str, str]:
        given = memory(self.given)
        return f"{self.what} refers to {memory(self.wanted)}, and this {self.kind} is in {given}", f"in {given}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where is not None:
            yield Label(self.where, f"in {memory(self.wanted)}")
        yield Help("use another variable, or keep the fields that you need as numbers")


class ChoiceDisagrees(Diagnostic):
    """The two sides of a conditional expression, or of `or`, have types that no one type holds.

    Fails:

        entry = usage.get(pid()) or 0        # a Struct, or a number

    Works:

        entry = usage.get(pid())
        reads = entry.reads if entry is not None else 0
    """

    first: str
    second: str
    where: Span

    code = "E0213"
    title = "one side is {first}, the other {second}"
    label = "{second}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.where, self.first)
        yield Help("give both sides one type, or use an if statement")


class ReturnsDisagree(Diagnostic):
    """A function returns values of types that no one type holds.

    Fails:

        def age(since: u64):
            if since == 0:
                return -1
            return ktime() - since

    Works:

        def age(since: u64) -> i64:
            if since == 0:
                return -1
            return ktime() - since
    """

    name: str
    first: str
    second: str
    where: Span | None

    code = "E0214"
    title = "`{name}` returns {first} elsewhere and {second} here"
    label = "this is {second}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where is not None:
            yield Label(self.where, f"{self.first} here")
        if self.first in _NUMBERS and self.second in _NUMBERS:
            yield Help("say which type is meant:", (f"def {self.name}(...) -> i64:",))
        else:
            yield Help("return values of one type; a value or None will do too")


class CompareObjects(Diagnostic):
    """A comparison of whole objects by size, or of objects of two kinds, or with more than 64 numbers in them.

    `==` and `!=` of two structs of one class compare all their fields, as Python does. Otherwise compare what matters.

    Fails:

        if new > old:

    Works:

        if new.reads > old.reads:
    """

    op: str
    kind: str
    lines: tuple[str, ...] = ()

    code = "E0216"
    title = "`{op}` of {kind}: whole objects can't be compared"
    label = "compares objects"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("compare the fields that matter:" if self.lines else "compare what is in them", self.lines)


class AnnotatedTwice(Diagnostic):
    """A variable is annotated with two types. It has one for its whole life.

    Fails:

        if pid() == 1:
            n: u32 = pid()
        else:
            n: u64 = ktime()

    Works:

        n: u64 = ktime()
        if pid() == 1:
            n = pid()
    """

    name: str
    first: str
    second: str
    where: Span

    code = "E0217"
    title = "`{name}` is annotated {first} and {second}"
    label = "{second} here"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.where, f"{self.first} here")
        yield Help("use one annotation, or another variable")


class MissingReturn(Advised):
    """The end of a function that has a result can be reached without a `return`. Python would return None there.

    Fails:

        def weight(queue: u32) -> u32:
            if queue < 4:
                return 1

    Works:

        def weight(queue: u32) -> u32:
            if queue < 4:
                return 1
            return 0
    """

    name: str
    wanted: str
    answer: str

    code = "E0218"
    title = "`{name}` does not return a value on every path"
    label = "the end can be reached without a return"
    way_out = "end it with a return of {wanted}:"
    lines = ("{answer}",)
