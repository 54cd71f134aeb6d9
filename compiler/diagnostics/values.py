"""E02xx, second part: numbers, indices, and places in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AddressArithmetic", "ConstantLookup", "DivisionByZero", "IndexConstant", "IndexUnproven", "NoLen",
    "NoMembership", "NoSize",
    "NoSubscript", "NotAssignable", "NotReadable", "PacketOffset", "ReadOnlyMemory",
    "RuntimeIndexOfConstant", "ShiftCount",
    "TooManyMembers", "UpdateOfObject", "between",
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


class ShiftCount(Advised):
    """A shift by a constant outside 0 to 63, the width of the machine's registers."""

    count: int

    code = "E0220"
    title = "a shift by {count}: the count must lie between 0 and 63"
    label = "numbers have 64 bits"
    way_out = "shift by 0 to 63"


class DivisionByZero(Advised):
    """A division by the constant zero."""

    op: str

    code = "E0221"
    title = "`{op}` by zero"
    label = "always zero"
    way_out = "divide by something else"
    why = "the machine gives x // 0 == 0 and x % 0 == x, where Python raises ZeroDivisionError"


class AddressArithmetic(Advised):
    """Arithmetic on a packet address other than adding bytes to it. The verifier allows no more."""

    op: str

    code = "E0222"
    title = "`{op}` on a packet address"
    label = "only `address + bytes` can be computed"
    way_out = "keep the offset in a number, and add that:"
    lines = ("start + offset",)


class PacketOffset(Diagnostic):
    """The number of bytes added to a packet address may be negative or too large.

    The verifier follows a packet address up to 65535 bytes from the packet's start. Check the number first.

        if n > 1500:
            return XDP.PASS
    """

    text: str
    lo: int
    hi: int

    code = "E0223"
    title = "`{text}` bytes are added to a packet address, without a bound"
    label = "may lie outside 0 to 65535"

    def more(self) -> Iterator[Label | Note | Help]:
        test = f"{self.text} > 1500" if self.lo >= 0 else f"not 0 <= {self.text} <= 1500"
        yield Help("check it first:", (f"if {test}:", "    return ..."))
        yield Note(between(self.lo, self.hi))


class IndexConstant(Advised):
    """A constant index outside its array."""

    index: int
    what: str
    length: int

    code = "E0224"
    title = "`{what}` has {length} elements; there is no element {index}"
    label = "out of bounds"
    way_out = "use an index below {length}"


class IndexUnproven(Diagnostic):
    """An index that is not known to lie inside its array.

    Python would raise IndexError; a program can't, and the verifier refuses an access that it can't bound. Compare
    the index with the length before it is used, or mask it.

        if i < 16:
            total += values[i]
    """

    text: str
    what: str
    length: int
    lo: int
    hi: int

    code = "E0225"
    title = "`{text}` may be out of bounds: `{what}` has {length} elements"
    label = "not known to be below {length}"

    def more(self) -> Iterator[Label | Note | Help]:
        test = f"{self.text} < {self.length}" if self.lo >= 0 else f"0 <= {self.text} < {self.length}"
        if self.text.isidentifier():
            yield Help("check it first:", (f"if {test}:", f"    ... {self.what}[{self.text}]"))
        else:
            test = f"i < {self.length}" if self.lo >= 0 else f"0 <= i < {self.length}"
            yield Help(
                "keep it in a variable, and check that:", (f"i = {self.text}", f"if {test}:", f"    ... {self.what}[i]")
            )
        yield Note(between(self.lo, self.hi))


class NoLen(Advised):
    """`len()` of something whose length a program can't know. Arrays and bytes have one."""

    what: str

    code = "E0226"
    title = "{what} has no length in a program"
    label = "no len()"
    way_out = "len() is for arrays, bytes and constants"


class NoSize(Advised):
    """`sizeof()` of something that has no place in memory."""

    what: str

    code = "E0227"
    title = "{what} has no size in memory"
    label = "no sizeof()"
    way_out = "sizeof() is for types, structs and numbers"


class NotReadable(Advised):
    """A field behind an address that the kernel does not let programs load from."""

    space: str

    code = "E0228"
    title = "{space} memory can't be read directly"
    label = "needs a helper"
    way_out = "copy it with {space}_bytes(address) or {space}_str(address)"


class ReadOnlyMemory(Advised):
    """A store to memory that the kernel lends for reading only."""

    space: str

    code = "E0229"
    title = "{space} memory is read-only"
    label = "can't be changed"
    way_out = "copy what you need into a variable or a Struct, and change that"


class UpdateOfObject(Advised):
    """An augmented assignment to a whole object. Update one of its fields.

    usage.bytes += n
    """

    op: str
    kind: str

    code = "E0230"
    title = "`{op}=` on {kind}"
    label = "not a number"
    way_out = "update a field of it, or the number in it:"
    lines = ("entry.count {op}= 1",)


class NoSubscript(Advised):
    """`x[i]` of something that has no elements."""

    what: str

    code = "E0231"
    title = "{what} has no elements"
    label = "can't be subscripted"
    way_out = "arrays, bytes and maps can be subscripted"


class ConstantLookup(Advised):
    """Python itself raised an exception when this constant expression was computed."""

    what: str
    problem: str

    code = "E0232"
    title = "{what}: {problem}"
    label = "computed when the program is compiled"
    way_out = "correct the constant"


class RuntimeIndexOfConstant(Advised):
    """A list, tuple or dict of the module, indexed by a number known only at run time. Its elements are not in the
    program.

    An ArrayMap filled by user space, or a global array, can be indexed at run time.

        table = const(Array[u32, L[4]], [1, 2, 4, 8])
    """

    kind: str

    code = "E0233"
    title = "a {kind} of the module can be indexed by constants only"
    label = "this index is known only at run time"
    way_out = "make it a constant array of the program:"
    lines = ("table = const(Array[u32, L[4]], [1, 2, 4, 8])",)


class NotAssignable(Advised):
    """An attribute or element of an object that exists at compile time only."""

    what: str

    code = "E0234"
    title = "{what} can't be changed by a program"
    label = "known at compile time only"
    way_out = "declare a global of the program, var(u32, 0), or a map"


class NoMembership(Advised):
    """`in` on something that can't be searched."""

    what: str

    code = "E0235"
    title = "`in` can't search {what}"
    label = "not a map, nor constants"
    way_out = "use a map, or constants:"
    lines = ("x in (1, 2, 3)",)


class TooManyMembers(Advised):
    """`in` over so many constants that the comparisons would bloat the program. A map looks them up faster."""

    count: int
    most: int

    code = "E0236"
    title = "`in` over {count} constants becomes {count} comparisons; at most {most} are compiled"
    label = "too many"
    way_out = "put them into a map, and ask `x in allowed`:"
    lines = ("allowed = HashMap[u32, u8](max_entries={count})",)
