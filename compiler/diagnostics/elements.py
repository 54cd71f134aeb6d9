"""E02xx, fourth part: elements, lengths, and membership."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, between
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ConstantLookup", "IndexConstant", "IndexUnproven", "NoLen", "NoMembership", "NoSubscript",
    "RuntimeIndexOfConstant", "TooManyMembers",
]  # fmt: skip


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
    local: bool = True  # a variable, of which a check is remembered; not a global

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
        name = self.text if self.text.isidentifier() and self.local else "i"
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
        elif self.kind == "context":
            yield Help("a packet's length is the distance of its ends:", (f"{self.text}.data_end - {self.text}.data",))
        else:
            yield Help("len() is for arrays, bytes and constants")


class NoSubscript(Diagnostic):
    """`x[i]` of something that has no elements.

    Fails:

        entry["reads"] += 1           # a Struct

    Works:

        entry.reads += 1
    """

    what: str
    field: str = ""
    text: str = "address"

    code = "E0231"
    title = "{what} has no elements"
    label = "can't be subscripted"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.field:
            yield Help("name the field:", (self.field,))
        elif self.what == "a packet address":
            yield Help(
                "read a header at the cursor, which checks the bounds:",
                ("eth = pkt.parse(ethhdr)", "if eth is None:", "    return XDP.PASS"),
            )
        elif self.what == "the context":
            yield Help("name one of its fields")
        elif self.what == "u64":
            yield Help(
                "if it is the address of a text, read that first:", (f"text: Text[L[64]] = user_str({self.text})",)
            )
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
    """A list, tuple, dict, string or bytes of the module, indexed by a number known only at run time.

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
