"""E02xx, third part: numbers, and places in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, between, memory
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AddressArithmetic", "ChangedMeanwhile", "DivisionByZero", "NoSize", "NotAssignable", "PacketOffset",
    "PacketTooFar", "ReadOnlyMemory", "ShiftCount", "UpdateOfObject",
]  # fmt: skip


class ShiftCount(Diagnostic):
    """A shift by a constant outside 0 to 63, the width of the machine's registers.

    Fails:

        mask = n << 64

    Works:

        mask = n << 63
    """

    count: int

    code = "E0220"
    title = "a shift by {count}: the count must lie between 0 and 63"
    label = "numbers have 64 bits"

    def texts(self) -> tuple[str, str]:
        title, label = super().texts()
        return title, "negative" if self.count < 0 else label

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("shift the other way" if self.count < 0 else "use a smaller count: no bit is left after this one")


class DivisionByZero(Advised):
    """A division by the constant zero.

    A divisor that may be zero at run time is a warning: see W0901.

    Fails:

        BUCKETS = 0

        slot = pid() % BUCKETS

    Works:

        BUCKETS = 16

        slot = pid() % BUCKETS
    """

    op: str

    code = "E0221"
    title = "`{op}` by zero"
    label = "always zero"
    way_out = "divide by something else"
    why = "the machine gives x // 0 == 0 and x % 0 == x, where Python raises ZeroDivisionError"


class AddressArithmetic(Diagnostic):
    """Arithmetic on a packet address other than adding bytes to it, or taking the distance of two. The verifier allows
    no more.

    Fails:

        last = pkt.data_end - 1

    Works:

        if pkt.data + 64 > pkt.data_end:
            return XDP.PASS
    """

    op: str
    start: str  # "": the end of the packet

    code = "E0222"
    title = "`{op}` on a packet address"
    label = "only `address + bytes` can be computed"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.start:
            yield Help("keep the offset in a number, and add that:", (f"{self.start} + offset",))
        else:
            yield Help("add to the start, and compare with the end:", ("if pkt.data + 64 > pkt.data_end:", "    ..."))


class PacketOffset(Diagnostic):
    """The number of bytes added to a packet address may be negative or too large.

    The verifier follows a packet address up to 65535 bytes from the packet's start. Check the number first.

    Fails:

        payload = pkt.data + offset       # any u32

    Works:

        if offset > 1500:
            return XDP.PASS
        payload = pkt.data + offset
    """

    text: str
    lo: int
    hi: int
    answer: str

    code = "E0223"
    title = "`{text}` bytes are added to a packet address, without a bound"
    label = "may lie outside 0 to 65535"

    def more(self) -> Iterator[Label | Note | Help]:
        name = self.text if self.text.isidentifier() else "n"
        test = f"{name} > 1500" if self.lo >= 0 else f"not 0 <= {name} <= 1500"
        lines = (f"if {test}:", f"    {self.answer}")
        if name == self.text:
            yield Help("check it first:", lines)
        else:
            yield Help("keep it in a variable, and check that:", (f"{name} = {self.text}", *lines))
        yield Note(between(self.lo, self.hi))


class PacketTooFar(Diagnostic):
    """An address in the packet is moved on further than the verifier follows it.

    It adds up the most that each step may have moved it, and follows it to 65535 bytes from the packet's start. Bound
    the numbers before they are added.

    Fails:

        pkt.skip(first)               # any u16, of which skip() takes up to 16383
        pkt.skip(second)
        pkt.skip(third)
        pkt.skip(fourth)
        pkt.skip(fifth)

    Works:

        if first + second + third + fourth + fifth > 1500:
            return XDP.PASS
        pkt.skip(first + second + third + fourth + fifth)
    """

    text: str
    far: int
    more_bytes: int

    code = "E0238"
    title = "{text} may be moved more than 65535 bytes into the packet"
    label = "{more_bytes} bytes more at most"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("check before how much is skipped:", ("if length > 1500:", "    return"))
        yield Note(f"steps before this one moved it up to {self.far} bytes; the verifier adds up the most of each")


class NoSize(Advised):
    """`sizeof()` of something that has no place in memory.

    Fails:

        n = sizeof(usage)             # a map

    Works:

        n = sizeof(Usage)             # a Struct
    """

    what: str

    code = "E0227"
    title = "{what} has no size in memory"
    label = "no sizeof()"
    way_out = "sizeof() is for types, structs and numbers"


class ReadOnlyMemory(Diagnostic):
    """A store to memory that the kernel lends for reading only.

    Fails:

        ctx.args[0] = 0

    Works:

        first = ctx.args[0]
        first = 0
    """

    space: str
    declared: str = ""  # the struct whose member might be changed, if an argument were declared as that struct

    code = "E0229"
    title = "{space} is read-only"
    label = "can't be changed"

    def texts(self) -> tuple[str, str]:
        return f"{memory(self.space)} is read-only here", self.label

    def more(self) -> Iterator[Label | Note | Help]:
        if self.declared:
            yield Help(f"it can be changed through an argument that is declared so: `sk: {self.declared}`")
        else:
            yield Help("copy what you need into a variable or a Struct, and change that")


class UpdateOfObject(Diagnostic):
    """An augmented assignment to a whole object. Update one of its fields.

    Fails:

        usage[pid()] += 1             # HashMap[u32, Usage]

    Works:

        entry = usage.setdefault(pid(), Usage(reads=0))
        if entry is not None:
            entry.reads += 1
    """

    op: str
    kind: str
    lines: tuple[str, ...] = ()

    code = "E0230"
    title = "`{op}=` on {kind}, which is not a number"
    label = "not a number"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("update a number in it:" if self.lines else "update a number in it", self.lines)


class NotAssignable(Diagnostic):
    """An attribute or element of an object that exists at compile time only.

    Fails:

        totals = [0, 0]

        totals[0] += 1

    Works:

        totals = var(Array[u64, L[2]], [0, 0])

        totals[0] += 1
    """

    text: str
    what: str
    lines: tuple[str, ...]

    code = "E0234"
    title = "`{text}` is {what}, which a program can't change"
    label = "known at compile time only"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("declare a variable of the program at module level, or a map:", self.lines)


class ChangedMeanwhile(Advised):
    """The right side of an augmented assignment changes the very place that is assigned.

    Python reads the place first, computes the right side, and stores the sum over whatever that did. A program adds to
    the place in one step, so that nothing is lost when several CPUs do it at once. Say what is meant.

    Fails, if the function changes `total`:

        total += count_and_reset()

    Works:

        amount = count_and_reset()
        total += amount
    """

    place: str
    op: str
    amount: str

    code = "E0237"
    title = "`{amount}` changes `{place}` itself"
    label = "evaluated before `{place}` is read"
    way_out = "compute it first:"
    lines = ("amount = {amount}", "{place} {op}= amount")
