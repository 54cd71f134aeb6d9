"""E02xx, first part: types, and what a place is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "AnnotatedTwice", "ChoiceDisagrees", "CompareObjects", "Declaration", "Disagree", "DoesNotFit", "IntToBool",
    "MissingReturn", "NotANumber", "NotAType", "NotAValue", "OtherSpace", "ReturnsDisagree", "SignedMeetsUnsigned",
    "WrongType",
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


class WrongType(Diagnostic):
    """A value of one type where another is needed.

    Numbers convert to each other, wrapping at the width of the place; nothing else converts by itself.

    Fails:

        flows = HashMap[Flow, u64](max_entries=64)

        flows[pid()] += 1

    Works:

        flows[Flow(pid=pid(), cpu=cpu())] += 1
    """

    given: str
    wanted: str
    what: str
    where: Span | None = None
    advice: str = ""
    lines: tuple[str, ...] = ()

    code = "E0202"
    title = "{what} must be {wanted}, not {given}"
    label = "this is {given}"

    def texts(self) -> tuple[str, str]:
        title, label = super().texts()
        if self.what.startswith("this ") or (self.what.endswith("()") and not self.what.startswith("the ")):
            title = f"{self.what} takes {self.wanted}, not {self.given}"
        return title, label

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where is not None:
            yield Label(self.where, f"declared {self.wanted} here")
        yield Help(self.advice or f"give it {self.wanted}", self.lines)


class NotAType(Diagnostic):
    """An annotation that is no type of the language.

    Numbers: u8 to u64, i8 to i64, be16 to be64, bool. Objects: a Struct, Array[u8, L[6]], Text[L[16]], Bytes[L[8]]. Any
    of them may be `| None`. A variable needs no annotation where its first value says what it is.

    Fails:

        count: int = 0
        name: str = comm()

    Works:

        count: u64 = 0
        name: Text[L[16]] = comm()
    """

    text: str
    reason: str
    instead: str

    code = "E0205"
    title = "`{text}` is not a type that a program's variable can have"
    label = "{reason}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.instead:
            yield Help("write:", (self.instead,))
        else:
            yield Help("annotate with u8 to u64, i8 to i64, bool, a Struct, Array, Text or Bytes")


class Declaration(Diagnostic):
    """A declaration that this line uses is faulty: an array's size, a struct's field, a tracepoint's name.

    Fails:

        digits: Array[u8, L[0]] = Array[u8, L[0]]()

    Works:

        digits: Array[u8, L[8]] = Array[u8, L[8]]()
    """

    problem: str
    where: str
    advice: str
    lines: tuple[str, ...] = ()
    use: Span | None = None  # in the program, where `span` is the declaration itself

    code = "E0206"
    title = "{problem}"
    label = "{where}"

    def texts(self) -> tuple[str, str]:
        return self.problem, self.where or "declared wrongly"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.use is not None:
            yield Label(self.use, "used here")
        if self.advice or self.lines:
            yield Help(self.advice or "write:", self.lines)


class IntToBool(Diagnostic):
    """A number where a bool is needed. Say what makes it true.

    Fails:

        flag: bool = flags & 1

    Works:

        flag: bool = flags & 1 != 0
    """

    what: str
    given: str
    text: str
    constant: bool | None  # of a number written out: what it would mean

    code = "E0207"
    title = "{what} must be bool, not {given}"
    label = "this is {given}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.constant is not None:
            yield Help("write:", (str(self.constant),))
        else:
            yield Help("compare, to say what makes it true:", (f"{self.text} != 0",))


class DoesNotFit(Diagnostic):
    """A constant that the type of its place can't hold. Python's number would silently become another one.

    Fails:

        flags: u32 = -1

    Works:

        flags: u32 = 0xFFFF_FFFF
        change: i32 = -1
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
        signed = self.value < 0 or self.least < 0
        wider = next((n for n in (8, 16, 32, 64) if n >= bits and _holds(n, signed, self.value)), 0)
        better = f"declare it {'i' if signed else 'u'}{wider}" if wider else "numbers have at most 64 bits"
        if bits == 64 and not wider:
            yield Help(better)
        elif -1 << bits - 1 <= self.value < 1 << bits:  # the same bits, read with the other sign
            yield Help(f"{better}, or write the wrapped value {hex(wrapped) if wrapped >= 0 else wrapped}")
        else:
            yield Help(better)


def _holds(bits: int, signed: bool, value: int) -> bool:
    return -(1 << bits - 1) <= value < 1 << bits - 1 if signed else 0 <= value < 1 << bits


class SignedMeetsUnsigned(Diagnostic):
    """A u64 meets a number that may be negative in a comparison, a division or a remainder.

    The machine would take the negative number for a huge one (or the huge one for a negative), and the result would not
    be Python's. Check the sign first, or say which is meant: i64(x) if the u64 is known to be small, u64(x) if the
    other is known not to be negative.

    Fails:

        limit = limits.get(0, -1)         # an i64
        if ktime() > limit:

    Works:

        if limit >= 0 and ktime() > limit:
    """

    op: str
    kind: str
    text: str
    other: str  # the u64
    literal: bool

    code = "E0209"
    title = "`{op}` of u64 and {kind} that may be negative"
    label = "may be negative"

    def texts(self) -> tuple[str, str]:
        if self.literal:
            return f"`{self.op}` of u64 and {_NEGATIVE}", "negative, where a u64 never is"
        return super().texts()

    def more(self) -> Iterator[Label | Note | Help]:
        if self.literal:
            yield Help("read the u64 as signed:", (f"i64({self.other})",))
            return
        if self.text.isidentifier():
            yield Help("check its sign first:", (f"if {self.text} >= 0:", "    ..."))
        yield Help(
            "or say which is meant:" if self.text.isidentifier() else "say which is meant:",
            (f"u64({self.text})  # if it is never negative", f"i64({self.other})  # if it is small"),
        )


class NotANumber(Diagnostic):
    """An object where a number is needed.

    Fails:

        counts[0] = entry + 1         # entry is a Struct

    Works:

        counts[0] = entry.reads + 1
    """

    kind: str
    lines: tuple[str, ...] = ()

    code = "E0210"
    title = "a number is needed here, not {kind}"
    label = "this is {kind}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.lines:
            yield Help("use a number in it:", self.lines)
        elif self.kind == "the context":
            yield Help("use one of the context's fields")
        elif self.kind == "a packet address":
            yield Help("compare two addresses, or read what is at one")
        else:
            yield Help("use something that is a number")


class NotAValue(Diagnostic):
    """A map, a function, a type or a module is used as if it were a value at run time. It exists at compile time only.

    Fails:

        counts[0] = limit             # a function

    Works:

        counts[0] = limit()
    """

    what: str
    advice: str
    lines: tuple[str, ...] = ()

    code = "E0211"
    title = "{what} is not a value at run time"
    label = "known at compile time only"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(self.advice, self.lines)


# What a diagnostic calls the memory in a Space.
_MEMORY = {
    "packet": "the packet", "map": "a map", "percpu": "a per-CPU map", "stack": "the program's own memory",
    "global": "a global of the program", "ringbuf": "a ring-buffer record", "ctx": "the context",
    "trusted": "the kernel's memory", "untrusted": "the kernel's memory",
    "kernel": "the kernel's memory", "user": "the process's memory",
}  # fmt: skip


def memory(space: str) -> str:
    """`the packet` for a Space."""
    return _MEMORY.get(space, f"{space} memory")


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
