"""E02xx, second part: numbers, indices, and places in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note
from pybpf.compiler.diagnostics.types import memory

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AddressArithmetic", "ChangedMeanwhile", "ConstantLookup", "DivisionByZero", "IndexConstant", "IndexUnproven",
    "NoLen", "NoMembership", "NoSize", "NoSubscript", "NotAssignable", "PacketOffset", "ReadOnlyMemory",
    "RuntimeIndexOfConstant", "ShiftCount", "TooManyMembers", "UpdateOfObject", "between",
]  # fmt: skip


def between(lo: int, hi: int) -> str:
    """What is known of a number, in words."""
    if lo <= -(1 << 63) and hi >= (1 << 63) - 1:
        return "nothing is known of its value"
    if lo == 0 and hi == (1 << 64) - 1:
        return "it may be any u64"
    low = "very negative" if lo <= -(1 << 63) else str(lo)
    high = "2**64 - 1" if hi == (1 << 64) - 1 else "2**63 - 1" if hi == (1 << 63) - 1 else str(hi)
    return f"it may be anything from {low} to {high}"


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
    """Arithmetic on a packet address other than adding bytes to it. The verifier allows no more.

    Fails:

        length = pkt.data_end - pkt.data

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


class IndexConstant(Advised):
    """A constant index outside its array. Negative ones count from the end, as in Python.

    Fails:

        row.cells[8] = 1              # Array[u64, L[8]]

    Works:

        row.cells[7] = 1
        row.cells[-1] = 1
    """

    index: int
    what: str
    length: int
    last: int

    code = "E0224"
    title = "`{what}` has {length} elements; there is no element {index}"
    label = "out of bounds"
    way_out = "use an index from 0 to {last}"


class IndexUnproven(Diagnostic):
    """An index that is not known to lie inside its array.

    Python would raise IndexError; a program can't, and the verifier refuses an access that it can't bound. Compare the
    index with the length before it is used, or mask it.

    Fails:

        row.cells[slot] += 1          # Array[u64, L[8]], and any slot

    Works:

        if slot < 8:
            row.cells[slot] += 1
        row.cells[slot & 7] += 1
    """

    text: str
    what: str
    length: int
    lo: int
    hi: int
    line: str  # the user's statement

    code = "E0225"
    title = "`{text}` may be out of bounds: `{what}` has {length} elements"
    label = "not known to be below {length}"

    def texts(self) -> tuple[str, str]:
        title, label = super().texts()
        if self.hi == self.length:
            label = f"may be {self.length}"
        elif self.hi < self.length:
            label = "may be negative"
        return title, label

    def more(self) -> Iterator[Label | Note | Help]:
        name = self.text if self.text.isidentifier() else "i"
        test = f"{name} < {self.length}" if self.lo >= 0 else f"0 <= {name} < {self.length}"
        if name == self.text:
            yield Help("check it first:", (f"if {test}:", f"    {self.line}"))
        else:
            line = self.line.replace(self.text, name)
            lines = (f"{name} = {self.text}", f"if {test}:", f"    {line}")
            yield Help("keep it in a variable, and check that:", lines)
        yield Note(between(self.lo, self.hi))


class NoLen(Diagnostic):
    """`len()` of something whose length a program can't know. Arrays and bytes have one.

    Fails:

        if len(usage) > 60:           # a map

    Works:

        n = len(row.cells)            # in a program: 8, for an Array[u64, L[8]]
        n = len(obj[usage])           # in user space: the number of entries
    """

    what: str
    kind: str  # "map", "struct" or ""
    text: str

    code = "E0226"
    title = "{what} has no length in a program"
    label = "no len()"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.kind == "map":
            yield Help("count in a var() of the program, or let user space count:", (f"len(obj[{self.text}])",))
        elif self.kind == "struct":
            yield Help("for its size in bytes:", (f"sizeof({self.text})",))
        else:
            yield Help("len() is for arrays, bytes and constants")


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

    code = "E0229"
    title = "{space} is read-only"
    label = "can't be changed"

    def texts(self) -> tuple[str, str]:
        return f"{memory(self.space)} is read-only here", self.label

    def more(self) -> Iterator[Label | Note | Help]:
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


class NoSubscript(Diagnostic):
    """`x[i]` of something that has no elements.

    Fails:

        entry["reads"] += 1           # a Struct

    Works:

        entry.reads += 1
    """

    what: str
    field: str = ""

    code = "E0231"
    title = "{what} has no elements"
    label = "can't be subscripted"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.field:
            yield Help("name the field:", (self.field,))
        else:
            yield Help("arrays, bytes and maps can be subscripted")


class ConstantLookup(Advised):
    """Python itself raised an exception when this constant expression was computed.

    Fails:

        PORTS = {"http": 80}

        counts[PORTS["ssh"]] += 1     # KeyError

    Works:

        counts[PORTS["http"]] += 1
    """

    what: str
    problem: str

    code = "E0232"
    title = "{what} {problem}"
    label = "computed when the program is compiled"
    way_out = "correct the constant"


class RuntimeIndexOfConstant(Diagnostic):
    """A list, tuple or dict of the module, indexed by a number known only at run time.

    Its elements are not in the program. A constant array can be indexed at run time, and so can a map that user space
    fills.

    Fails:

        WEIGHTS = [1, 2, 4, 8]

        total += WEIGHTS[queue]

    Works:

        WEIGHTS = const(Array[u32, L[4]], [1, 2, 4, 8])

        if queue < 4:
            total += WEIGHTS[queue]
    """

    text: str
    kind: str
    lines: tuple[str, ...] = ()

    code = "E0233"
    title = "`{text}` is a {kind} of the module, which can be indexed by constants only"
    label = "this index is known only at run time"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.kind == "dict":
            yield Help("put it into a map, which user space fills:", self.lines)
        else:
            yield Help("make it a constant array of the program:", self.lines)


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


class NoMembership(Diagnostic):
    """`in` on something that can't be searched.

    Fails:

        if pid() in LIMIT:            # a number

    Works:

        if pid() in (1, 2, 3):
        if pid() in watched:          # a map
    """

    text: str
    what: str
    lines: tuple[str, ...] = ()

    code = "E0235"
    title = "`{text}` is {what}, which `in` can't search"
    label = "not a map, nor constants"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.lines:
            yield Help("write:", self.lines)
        else:
            yield Help("search a map, or constants:", ("x in (1, 2, 3)",))


class TooManyMembers(Advised):
    """`in` over so many constants that the comparisons would bloat the program. A map looks them up faster.

    Fails:

        WATCHED = list(range(1000, 2000, 7))

        if pid() in WATCHED:

    Works:

        watched = HashMap[u32, u8](max_entries=143)    # filled by user space

        if pid() in watched:
    """

    count: int
    most: int

    code = "E0236"
    title = "`in` over {count} constants becomes {count} comparisons; at most {most} are compiled"
    label = "too many"
    way_out = "put them into a map that user space fills, and ask `x in allowed`:"
    lines = ("allowed = HashMap[u32, u8](max_entries={count})",)


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
