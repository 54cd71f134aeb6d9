"""E01xx: Python that a BPF program can't have, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AnnotatedPlace", "DelName", "DelPlace", "FStringElsewhere", "IsOnValues", "NestedUnpacking", "NoAssert", "NoAsync",
    "NoComprehension", "NoContainer", "NoException", "NoFloat", "NoGenerator", "NoImport", "NoLambda", "NoMatch",
    "NoNestedDefinition", "NoNonlocal", "NoOperator", "NoSlice", "NoSource", "NoSourceOf", "NoStar", "NoTuple",
    "NoUnpacking", "NoWalrus", "NotInLanguage", "TrueDivision", "UnpackCount", "WithOther",
]  # fmt: skip


class NotInLanguage(Advised):
    """A kind of Python syntax that is not part of the language at all.

    A program is compiled to a few thousand machine instructions without a heap, without exceptions and without
    recursion. docs/language.md lists the statements and expressions that there are.
    """

    node: str

    code = "E0100"
    title = "this syntax ({node}) is not part of the language"
    label = "can't be compiled"
    way_out = "write it with if, while, for over range(), assignments, calls and arithmetic"


class NoFloat(Advised):
    """A floating-point number in a program.

    The BPF machine has 64-bit integers only. Scale instead: count in thousandths, or keep a numerator and a denominator
    and divide in user space.

        rate = count * 1000 // seconds     # thousandths
    """

    text: str

    code = "E0101"
    title = "`{text}` is a floating-point number"
    label = "BPF has integers only"
    way_out = "scale to integers, and divide in user space:"
    lines = ("thousandths = count * 1000 // total",)


class TrueDivision(Advised):
    """`/` gives a floating-point number in Python, which BPF does not have.

    average = total // count
    """

    code = "E0102"
    title = "`/` gives a floating-point number, which BPF does not have"
    label = "not an integer"
    way_out = "divide with `//`, which rounds down:"
    lines = ("a // b",)


class NoOperator(Advised):
    """An operator without a machine instruction: `**` (unless both sides are constants) and `@`.

    square = x * x
    power = 1 << n      # 2 ** n
    """

    op: str

    code = "E0103"
    title = "the operator `{op}` can't be computed in a program"
    label = "no such instruction"
    way_out = "multiply, or shift for a power of two:"
    lines = ("x * x", "1 << n")


class NoContainer(Advised):
    """A list, dict, set or tuple as a value in a program. There is no heap to put it on.

    Fixed numbers of elements are an Array in a Struct, an ArrayMap or a global; keyed data is a map:

        seen = HashMap[u32, u64](max_entries=1024)     # at module level
    """

    kind: str

    code = "E0104"
    title = "a {kind} can't be made in a program"
    label = "programs have no heap"
    way_out = "declare a map at module level, or use an Array[u32, L[8]] field in a Struct:"
    lines = ("seen = HashMap[u32, u64](max_entries=1024)",)


class NoComprehension(Advised):
    """A comprehension or generator expression makes a list, which a program can't have. Write the loop.

    total = 0
    for i in range(8):
        total += values[i]
    """

    code = "E0105"
    title = "a comprehension can't be compiled"
    label = "programs have no lists"
    way_out = "write the loop:"
    lines = ("for i in range(8):", "    total += values[i]")


class NoLambda(Advised):
    """A lambda is a function object made at run time. Write a plain function at module level; calls of it are
    inlined.
    """

    code = "E0106"
    title = "a lambda can't be made in a program"
    label = "no function objects at run time"
    way_out = "define a function at module level; calling it costs nothing, since it is inlined"


class NoGenerator(Advised):
    """`yield` suspends a function, which BPF can't do. Work through the elements in a loop, or call a function for
    each.
    """

    code = "E0107"
    title = "`yield` can't be compiled"
    label = "a program runs from start to end"
    way_out = "do the work in a loop, or emit records through a RingBuffer"


class NoAsync(Advised):
    """A program is not a coroutine: it can't wait. Use `async for` in user space, on the ring buffer that a program
    fills.
    """

    what: str

    code = "E0108"
    title = "{what}: a program can't wait"
    label = "not in a program"
    way_out = "make it a plain `def`; `async for e in obj[events]` belongs in user space"


class NoException(Advised):
    """BPF has no exceptions: nothing can be raised, so there is nothing to catch.

    What can fail says so in its value: a lookup gives None, a helper a negative number.

        value = table.get(key)
        if value is None:
            return
    """

    word: str

    code = "E0109"
    title = "`{word}`: programs have no exceptions"
    label = "can't be compiled"
    way_out = "check the value and return early:"
    lines = ("if value is None:", "    return")


class NoAssert(Advised):
    """An assertion raises an exception, which BPF does not have. Test, and return early.

    if n >= 16:
        return
    """

    test: str

    code = "E0110"
    title = "`assert`: programs have no exceptions"
    label = "can't be compiled"
    way_out = "return early where it does not hold:"
    lines = ("if not ({test}):", "    return")


class NoImport(Advised):
    """An import inside a program. Modules are imported when the file is loaded; a program only sees the results."""

    text: str

    code = "E0111"
    title = "an import inside a program"
    label = "nothing is imported at run time"
    way_out = "move it to the top of the file:"
    lines = ("{text}",)


class NoNestedDefinition(Advised):
    """A function or class defined inside a program. Define it at module level."""

    kind: str
    name: str

    code = "E0112"
    title = "the {kind} `{name}` is defined inside a program"
    label = "can't be made at run time"
    way_out = "move `{name}` to module level; a function called from a program is inlined"


class NoNonlocal(Advised):
    """`nonlocal` changes a variable of a function that is not running any more when the program does.

    State that outlives a run is a global declared with var(), or a map entry.
    """

    names: str

    code = "E0113"
    title = "`nonlocal {names}`: the function around a program is gone when it runs"
    label = "can't be changed"
    way_out = "declare a global of the program at module level:"
    lines = ("total = var(u64, 0)",)


class NoMatch(Advised):
    """A `match` statement. Write `if` and `elif`.

    if proto == 6:
        ...
    elif proto == 17:
        ...
    """

    code = "E0114"
    title = "`match` can't be compiled"
    label = "not part of the language"
    way_out = "write it as if and elif:"
    lines = ("if proto == 6:", "    ...", "elif proto == 17:", "    ...")


class NoStar(Advised):
    """`*` or `**` in a call or an assignment spreads a container, which a program does not have."""

    code = "E0115"
    title = "`*` and `**` can't be compiled"
    label = "programs have no containers to spread"
    way_out = "write each argument or target out"


class NoSlice(Advised):
    """A slice makes a new object of a length that is known only at run time. Copy element by element in a loop.

    for i in range(4):
        event.head[i] = packet[i]
    """

    code = "E0116"
    title = "a slice can't be compiled"
    label = "its length is not fixed"
    way_out = "copy the elements in a loop:"
    lines = ("for i in range(4):", "    target[i] = source[i]")


class NoTuple(Advised):
    """A tuple of values known only at run time. `a, b = x, y` is fine, since nothing is made; otherwise use a Struct.

    class Pair(Struct):
        first: u32
        second: u32
    """

    code = "E0117"
    title = "a tuple can't be made in a program"
    label = "programs have no heap"
    way_out = "use a Struct; `a, b = x, y` is fine where both sides are written out"


class NestedUnpacking(Advised):
    """A target that is not a name, a field, an element or a map entry."""

    code = "E0118"
    title = "this can't be assigned to"
    label = "neither a name nor a place in memory"
    way_out = "assign each part in a statement of its own"


class NoUnpacking(Advised):
    """Only a tuple that is written out, or a constant one, can be taken apart."""

    kind: str

    code = "E0119"
    title = "{kind} can't be unpacked"
    label = "not a tuple written out here"
    way_out = "read the parts one by one:"
    lines = ("a = pair.first", "b = pair.second")


class UnpackCount(Advised):
    """The two sides of an unpacking assignment differ in length, which Python would raise ValueError for."""

    targets: int
    values: int

    code = "E0120"
    title = "{values} values can't be unpacked into {targets} targets"
    label = "{targets} targets"
    way_out = "give each value one target"


class NoWalrus(Advised):
    """`:=` in a place where something else is evaluated before it, or where it is evaluated again and again.

    It can be used as the first thing that an `if`, an assignment, a `return` or a call evaluates.

        if (value := table.get(key)) is not None:
            ...
    """

    target: str
    value: str

    code = "E0121"
    title = "`:=` can't stand here"
    label = "not the first thing that the statement evaluates"
    way_out = "assign it in a statement before:"
    lines = ("{target} = {value}",)


class FStringElsewhere(Advised):
    """An f-string outside printk. Formatting needs memory of unknown size; only the kernel's trace printing does it.

    Keep the parts in a Struct, and format in user space.
    """

    code = "E0122"
    title = "an f-string can be formatted by printk only"
    label = "can't be made in a program"
    way_out = "print it, or send the parts through a RingBuffer and format in user space:"
    lines = ('printk(f"...")',)


class WithOther(Advised):
    """`with` is for ring-buffer reservations only.

    with events.reserve() as event:
        if event is not None:
            event.pid = pid()
    """

    code = "E0123"
    title = "`with` is for ring-buffer reservations"
    label = "no context manager in a program"
    way_out = "reserve a record like this:"
    lines = ("with events.reserve() as event:", "    if event is not None:", "        event.pid = pid()")


class DelName(Advised):
    """`del` of a variable. Registers need no freeing."""

    name: str

    code = "E0124"
    title = "`del {name}`: variables need not be deleted"
    label = "nothing to delete"
    way_out = "leave it out; `del m[key]` deletes from a map"


class DelPlace(Advised):
    """`del` of something that is not an entry of a map."""

    code = "E0125"
    title = "only an entry of a map can be deleted"
    label = "not a map's entry"
    way_out = "set it to zero, or delete from a map:"
    lines = ("del m[key]",)


class IsOnValues(Advised):
    """`is` on numbers or objects. Numbers have no identity; only `is None` has a meaning in a program.

    if a == b:
    """

    op: str

    code = "E0126"
    title = "`{op}` compares identity, which values in a program don't have"
    label = "only `is None` can be asked"
    way_out = "compare with == or !="


class AnnotatedPlace(Advised):
    """An annotation on a field or an element. Their types are fixed by the struct or the map."""

    code = "E0127"
    title = "only a variable can be annotated here"
    label = "its type is fixed by its declaration"
    way_out = "leave the annotation out"


class NoSource(Diagnostic):
    """The source text of a program can't be found. pybpf compiles source text, not bytecode.

    That is so for functions typed into the plain `python` prompt, made by exec() or eval(), or whose file has gone or
    has changed since it was imported. Write the program into a file, or into a notebook cell.
    """

    name: str
    filename: str

    code = "E0130"
    title = "the source text of `{name}` can't be found"
    label = "expected in {filename}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write the program into a file or a notebook cell; if the file has changed, start Python again")
        if self.filename.startswith("<"):
            yield Note("text typed at the python prompt, or given to exec(), is not kept")


class NoSourceOf(Advised):
    """A function that a program calls has no source text: it is written in C, made by exec(), or its file has gone."""

    name: str

    code = "E0131"
    title = "the source text of `{name}` can't be found, so it can't be inlined"
    label = "called here"
    way_out = "write the function into a file or a notebook cell"
