"""E02xx, first part: types, and what a place is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "Declaration", "DoesNotFit", "IntToBool", "NotANumber", "NotAType", "NotAValue", "SignedMeetsUnsigned",
    "WrongType",
]  # fmt: skip


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
    also: tuple[tuple[Span, str], ...] = ()  # what else is wrong with it, and where

    code = "E0206"
    title = "{problem}"
    label = "{where}"

    def texts(self) -> tuple[str, str]:
        return self.problem, self.where or "declared wrongly"

    def more(self) -> Iterator[Label | Note | Help]:
        for span, problem in self.also:
            yield Label(span, problem)
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
            return f"`{self.op}` of u64 and a negative number", "negative, where a u64 never is"
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
    way_out: str = "use a number in it:"

    code = "E0210"
    title = "a number is needed here, not {kind}"
    label = "this is {kind}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.lines:
            yield Help(self.way_out, self.lines)
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
