"""E02xx, first part: types, Optional, and what a place is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "AnnotatedTwice", "ChoiceDisagrees", "CompareNone", "CompareObjects", "Declaration", "Disagree",
    "DoesNotFit", "IntToBool",
    "MaybeNone", "MissingReturn", "NoneGiven", "NotAType", "NotAValue", "NotANumber", "NothingReturned", "OtherSpace",
    "ReturnsDisagree", "SignedMeetsUnsigned", "WrongType",
]  # fmt: skip


class Disagree(Diagnostic):
    """A variable is assigned values of types that no one type holds.

    A variable has one type for its whole life: the annotated one, or one that holds all that is assigned to it.
    Numbers of several widths agree on a wider one, but u64 and a signed type have none in common.

        n = u64(x)         # say which one is meant
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
        if {self.first, self.second} == {"u64", "i64"}:
            yield Help("say which one is meant:", (f"{self.name}: i64 = ...",))
        else:
            yield Help("use another variable for the second value")


class WrongType(Diagnostic):
    """A value of one type where another is needed."""

    given: str
    wanted: str
    what: str
    where: Span | None = None

    code = "E0202"
    title = "{what} takes {wanted}, not {given}"
    label = "this is {given}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where is not None:
            yield Label(self.where, f"declared {self.wanted} here")
        yield Help(f"give it {self.wanted}")


class MaybeNone(Diagnostic):
    """A value that may be None is used without a check.

    Map lookups, packet parsing and ring-buffer reservations can fail; the kernel's verifier refuses a program that uses
    their result unchecked. After the check the value is known to be there:

        value = table.get(key)
        if value is None:
            return
        value.count += 1

    For a number a default may do: `table.get(key, 0)`.
    """

    name: str
    text: str
    origin: Span | None
    number: bool
    answer: bool

    code = "E0203"
    title = "`{text}` may be None here"
    label = "used without a check"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.origin is not None and self.origin != self.span:
            yield Label(self.origin, "this can be None")
        answer = "    return ..." if self.answer else "    return"
        if self.name:
            yield Help("return early when it is None:", (f"if {self.name} is None:", answer))
        else:
            yield Help("keep it in a variable and check that:", (f"value = {self.text}", "if value is None:", answer))
        if self.number and self.text.endswith(")") and ".get(" in self.text:
            yield Help("or give a default:", (f"{self.text[:-1]}, 0)",))
        if not self.number:
            yield Note("the kernel would say: R0 invalid mem access 'map_value_or_null'")


class NoneGiven(Diagnostic):
    """None where a value is needed."""

    what: str
    wanted: str
    where: Span | None = None

    code = "E0204"
    title = "{what} takes {wanted}, and gets None"
    label = "this is None"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where is not None:
            yield Label(self.where, f"declared {self.wanted} here")
        yield Help(f"give it a value, or declare it `{self.wanted} | None`")


class NotAType(Advised):
    """An annotation that is no type of the language.

    Numbers: u8 to u64, i8 to i64, be16 to be64, bool. Objects: a Struct, Array[u8, L[6]], Text[L[16]], Bytes[L[8]].
    Any of them may be `| None`.
    """

    text: str
    reason: str

    code = "E0205"
    title = "`{text}` is not a type of the language"
    label = "{reason}"
    way_out = "annotate with u8 to u64, i8 to i64, bool, a Struct, Array, Text or Bytes"


class Declaration(Diagnostic):
    """A declaration that this line uses is faulty: a struct's field, a map's size, a tracepoint's name."""

    problem: str
    where: str
    advice: str

    code = "E0206"
    title = "{problem}"
    label = "{where}"

    def texts(self) -> tuple[str, str]:
        return self.problem, self.where or "declared wrongly"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.advice:
            yield Help(self.advice)


class IntToBool(Advised):
    """A number where a bool is needed. Say what makes it true.

    flag: bool = count != 0
    """

    what: str
    given: str
    text: str

    code = "E0207"
    title = "{what} takes bool, not {given}"
    label = "this is {given}"
    way_out = "compare, to say what makes it true:"
    lines = ("{text} != 0",)


class DoesNotFit(Diagnostic):
    """A constant that the type of its place can't hold. Python's number would silently become another one.

    flags: u32 = 0xFFFF_FFFF     # instead of -1
    """

    value: int
    kind: str
    least: int
    most: int

    code = "E0208"
    title = "{value} does not fit {kind}, which holds {least} to {most}"
    label = "too large for {kind}"

    def texts(self) -> tuple[str, str]:
        title, _ = super().texts()
        return title, f"{'negative' if self.value < 0 <= self.least else 'out of range'} for {self.kind}"

    def more(self) -> Iterator[Label | Note | Help]:
        bits = (self.most - self.least + 1).bit_length() - 1
        wrapped = self.value & (1 << bits) - 1
        if wrapped > self.most:
            wrapped -= 1 << bits
        shown = hex(wrapped) if wrapped >= 0 else str(wrapped)
        yield Help(f"use a wider type, or write the wrapped value {shown}")


class SignedMeetsUnsigned(Advised):
    """A u64 meets a number that may be negative in a comparison, a division or a remainder.

    The machine would take the negative number for a huge one (or the huge one for a negative), and the result would
    not be Python's. Say which is meant: i64(x) if the u64 is known to be small, u64(x) if the other is known not to be
    negative, or check it first.

        if delta >= 0 and delta < limit:
    """

    op: str
    kind: str
    text: str

    code = "E0209"
    title = "`{op}` of u64 and {kind} that may be negative"
    label = "may be negative"
    way_out = "check its sign first, or cast: u64(...) if it is never negative, i64(...) of the other if that is small:"
    lines = ("u64({text})",)


class NotANumber(Advised):
    """An object where a number is needed."""

    kind: str

    code = "E0210"
    title = "a number is needed here, not {kind}"
    label = "this is {kind}"
    way_out = "use one of its fields, or compare it by its own means"


class NotAValue(Advised):
    """A map, a function, a type or a module is used as if it were a value at run time. It exists at compile time
    only.
    """

    what: str

    code = "E0211"
    title = "{what} is no value that a program can hold"
    label = "known at compile time only"
    way_out = "use it by its name: call it, subscript it, or read an attribute of it"


class OtherSpace(Diagnostic):
    """A variable would refer to objects in kinds of memory that are read by different instructions.

    A packet, the context and a ring-buffer record are each different from the stack and from maps. Use one variable
    for each, or copy the fields that are needed into numbers.
    """

    what: str
    kind: str
    given: str
    wanted: str
    where: Span | None = None

    code = "E0212"
    title = "{what} refers to {kind} in {wanted} memory, and this one is in {given} memory"
    label = "in {given} memory"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where is not None:
            yield Label(self.where, f"in {self.wanted} memory")
        yield Help("use another variable, or keep the fields that you need as numbers")


class ChoiceDisagrees(Diagnostic):
    """The two sides of a conditional expression, or of `or`, have types that no one type holds."""

    first: str
    second: str
    where: Span

    code = "E0213"
    title = "this is {second} and the other side {first}"
    label = "{second}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.where, self.first)
        yield Help("give both sides one type, or use an if statement")


class ReturnsDisagree(Diagnostic):
    """A function returns values of types that no one type holds."""

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
        yield Help("annotate the result, and convert each value to that type", (f"def {self.name}(...) -> u64:",))


class CompareNone(Advised):
    """A comparison with None by `==`. It compiles to nothing sensible; None is asked for with `is`."""

    op: str
    text: str

    code = "E0215"
    title = "`{op} None`"
    label = "None is compared with `is`"
    way_out = "write:"
    lines = ("{text} is None",)


class CompareObjects(Advised):
    """A comparison of whole objects. Compare the fields that matter.

    if a.src == b.src and a.dst == b.dst:
    """

    op: str
    kind: str

    code = "E0216"
    title = "`{op}` of {kind}: objects are not compared"
    label = "compares objects"
    way_out = "compare their fields:"
    lines = ("a.x == b.x and a.y == b.y",)


class AnnotatedTwice(Diagnostic):
    """A variable is annotated with two types. It has one for its whole life."""

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
    """The end of a function that has a result can be reached without a `return`. Python would return None there."""

    name: str
    wanted: str

    code = "E0218"
    title = "`{name}` does not return a value on every path"
    label = "the end can be reached without a return"
    way_out = "end it with a return of {wanted}:"
    lines = ("return ...",)


class NothingReturned(Advised):
    """The value of a call that has none."""

    code = "E0219"
    title = "this has no value"
    label = "gives None"
    way_out = "call it in a statement of its own"
