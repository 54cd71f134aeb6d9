"""E01xx, first part: expressions of Python that a BPF program can't have, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FStringElsewhere", "IsOnValues", "NoComprehension", "NoContainer", "NoFloat", "NoGenerator", "LambdaDefault",
    "NoOperator", "NoSlice", "NoStar", "NoTuple", "NoWalrus", "NotInLanguage", "TrueDivision",
]  # fmt: skip


class NotInLanguage(Advised):
    """A kind of Python syntax that is not part of the language at all.

    A program is compiled to a few thousand machine instructions without a heap, without exceptions and without
    recursion. What there is means what it means in Python; docs/semantics.md lists the few differences.

    Fails:

        type Pid = u32       # inside a program
        who: Pid = pid()

    Works:

        who: u32 = pid()
    """

    what: str

    code = "E0100"
    title = "{what} is not part of the language"
    label = "can't be compiled"
    way_out = "write it with if, while, for over range(), assignments, calls and arithmetic"


class NoFloat(Diagnostic):
    """A floating-point (or complex) number in a program.

    The BPF machine has 64-bit integers only. Multiply by a numerator and divide by a denominator, or count in
    thousandths and divide in user space.

    Fails:

        average = old + 0.125 * (new - old)

    Works:

        average = old + (new - old) // 8
        rate = count * 1000 // seconds     # thousandths
    """

    value: float | complex | None  # None: Python's result was not computed
    text: str

    code = "E0101"
    title = "`{text}` is a floating-point number"
    label = "BPF has integers only"

    def texts(self) -> tuple[str, str]:
        label = self.label
        what = "a complex number" if isinstance(self.value, complex) else "a floating-point number"
        if self.value is not None and not self.text[:1].isdigit() and self.text[:1] != ".":
            what = f"{self.value!r}, {what}"
        return f"`{self.text}` is {what}", label

    def more(self) -> Iterator[Label | Note | Help]:
        if isinstance(self.value, complex):
            yield Help("keep the two parts in two variables, as integers")
        elif self.value is not None and self.value.is_integer():
            yield Help("write it as an integer:", (str(int(self.value)),))
        elif self.value is not None and 1e-6 < abs(self.value) < 1e12:
            from fractions import Fraction

            near = Fraction(self.value).limit_denominator(1000)
            if near.numerator == 1:
                yield Help("divide instead of multiplying by it:", (f"x // {near.denominator}",))
            elif near:
                yield Help(
                    "multiply by a numerator, then divide by a denominator:",
                    (f"x * {near.numerator} // {near.denominator}",),
                )
        else:
            yield Help("scale to integers, and divide in user space:", ("thousandths = count * 1000 // total",))


class TrueDivision(Advised):
    """`/` gives a floating-point number in Python, which BPF does not have.

    `//` rounds down, as in Python.

    Fails:

        average = total / count

    Works:

        average = total // count
    """

    floored: str  # the user's text with `//`

    code = "E0102"
    title = "`/` gives a floating-point number, which BPF does not have"
    label = "not an integer"
    way_out = "divide with `//`, which rounds down:"
    lines = ("{floored}",)


class NoOperator(Diagnostic):
    """An operator without a machine instruction: `@`, and `**` with an exponent known only at run time.

    A constant exponent is fine, and so is a power of two by an exponent that surely fits 64 bits.

    Fails:

        size = 2 ** order
        power = x ** n

    Works:

        size = 2 ** (order & 15)
        square = x ** 2
    """

    op: str
    left: str
    right: str

    code = "E0103"
    title = "the operator `{op}` can't be computed in a program"
    label = "no such instruction"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.op == "@":
            yield Help("write the products and the sum out, in a loop")
        elif self.left == "2":
            yield Help("shift, for a power of two:", (f"1 << {_operand(self.right)}",))
        else:
            yield Help(
                "multiply in a loop of a fixed length:",
                ("power = 1", "for i in range(16):", f"    if i < {_operand(self.right)}:",
                 f"        power *= {_operand(self.left)}"),
            )  # fmt: skip


def _operand(text: str) -> str:
    """A text as an operand: in parentheses, unless it is a name, a number, an attribute or a call."""
    return text if text.replace(".", "").replace("_", "").isalnum() or text.endswith(")") else f"({text})"


class NoContainer(Diagnostic):
    """A list, dict or set as a value in a program. There is no heap to put it on.

    A fixed number of elements is an Array; what grows, or has keys, is a map declared at module level.

    Fails:

        seen = {}
        seen[pid()] = 1

    Works:

        seen = HashMap[u32, u64](max_entries=1024)     # at module level

        seen[pid()] = 1                                # in the program
        ports: Array[u16, L[3]] = [80, 443, 8080]
    """

    kind: str
    count: int = 0  # elements that are written out

    code = "E0104"
    title = "a {kind} can't be made in a program"
    label = "programs have no heap"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.kind == "list" and self.count:
            yield Help(
                "say which array it is; an array has a fixed length:", (f"values: Array[u64, L[{self.count}]] = [...]",)
            )
        elif "set" in self.kind:
            yield Help(
                "compare with constants, or declare a map at module level and ask it:",
                ("x in (1, 2, 3)", "seen = HashMap[u32, u8](max_entries=1024)", "x in seen"),
            )
        else:
            yield Help("declare a map at module level:", ("seen = HashMap[u32, u64](max_entries=1024)",))


class NoComprehension(Advised):
    """A comprehension or generator expression makes a container, which a program can't have. Write the loop.

    Fails:

        total = sum(row.cells[i] for i in range(8))

    Works:

        total = 0
        for i in range(8):
            total += row.cells[i]
    """

    what: str

    code = "E0105"
    title = "{what} can't be compiled"
    label = "programs have no heap"
    way_out = "write the loop:"
    lines = ("total = 0", "for i in range(8):", "    total += i")


class LambdaDefault(Advised):
    """A default of a lambda's parameter that is known only at run time.

    A lambda inside a program is inlined where it is called. A default is evaluated where the function is made, which a
    `def` can do, or an assignment in front of it.

    Fails:

        scaled = lambda n, by=limits[0]: n * by

    Works:

        by = limits[0]
        scaled = lambda n: n * by              # reads `by` when it is called

        def scaled(n, by=limits[0]):           # evaluates the default here
            return n * by
    """

    text: str

    code = "E0106"
    title = "`{text}` as the default of a lambda's parameter"
    label = "known only at run time"
    way_out = "write a `def`, whose defaults are evaluated where it stands, or read a variable in the lambda's body"


class NoGenerator(Advised):
    """`yield` suspends a function, which BPF can't do. Send records through a ring buffer, or work in a loop.

    Fails:

        yield pid()

    Works:

        pids.emit(pid())       # pids = RingBuffer[u32](4096) at module level
    """

    code = "E0107"
    title = "`yield` can't be compiled"
    label = "a program runs from start to end"
    way_out = "send the value to user space through a ring buffer declared at module level:"
    lines = ("values.emit(...)",)


class NoStar(Diagnostic):
    """`*` of what is no tuple, or `**`. How many values there are has to be known when the program is compiled.

    A tuple, a constant or one that a function returned, can be spread into the arguments of a Python function, and into
    another tuple.

    Fails:

        within(n, *event.limits)
        helpers.bpf_probe_read_kernel(*arguments)
        within(n, **options)

    Works:

        within(n, *LIMITS)                     # a constant
        within(n, event.limits[0], event.limits[1])
    """

    text: str
    collects: bool = False

    code = "E0115"
    title = "`{text}` spreads a container, which a program can't do"
    label = "number of values not fixed"

    def texts(self) -> tuple[str, str]:
        if self.collects:
            return f"`{self.text}` makes a list, which a program can't have", "programs have no heap"
        return super().texts()

    def more(self) -> Iterator[Label | Note | Help]:
        if self.collects:
            yield Help("give each value a target of its own")
        elif self.text.startswith("**"):
            yield Help("write each argument out, `name=value`")
        else:
            name = self.text[1:]
            yield Help("write each one out:", (f"{name}[0], {name}[1]",))


class NoSlice(Diagnostic):
    """A slice whose length is known only at run time, or with a step of a text, or as the target of an assignment.

    Slices with constant bounds are fine (positions of a text count from its start), and so is `data[i : i + 4]` of a
    text or bytes object where `i` is known to be in bounds. A slice of an array is a new array of up to 64 elements.

    Fails:

        event.oui[:] = eth.h_source[:n]

    Works:

        event.oui = eth.h_source[:3]
        for i in range(n):
            event.oui[i] = eth.h_source[i]
    """

    base: str
    start: int = 0
    length: int = 0  # 0: not written as constants; -1: some characters of a text
    target: bool = False
    size: int = 0  # of the Bytes that is assigned to

    code = "E0116"
    title = "a slice can't be compiled"
    label = "its length must be known when compiling, and not zero"

    def texts(self) -> tuple[str, str]:
        title, label = super().texts()
        return title, "several elements at once" if self.target else label

    def more(self) -> Iterator[Label | Note | Help]:
        if self.length < 0:
            yield Help("look at single ones:", (f'{self.base}[0] == "a" and {self.base}[2] == "b"',))
            return
        if self.size:
            yield Help(f"assign all {self.size} bytes, or declare it as what can be assigned in parts:",
                       (f"{self.base.rpartition('.')[2]}: Array[u8, L[{self.size}]]",))  # fmt: skip
            return
        element = f"{self.base}[i + {self.start}]" if self.start else f"{self.base}[i]"
        line = f"    {element} = source[i]" if self.target else f"    target[i] = {element}"
        yield Help("copy the elements in a loop:", (f"for i in range({self.length or 4}):", line))


class NoTuple(Diagnostic):
    """A tuple where memory is meant: a map's key or value, a field, an element. Use a Struct.

    Functions may take and return tuples, and variables may hold them: their items are kept one by one.

    Fails:

        counts[(pid(), tid())] += 1

    Works:

        class Key(Struct):                             # at module level
            pid: u32
            tid: u32

        counts[Key(pid=pid(), tid=tid())] += 1
    """

    items: tuple[tuple[str, str], ...] = ()  # type and text of each element

    code = "E0117"
    title = "a tuple can't be kept in memory"
    label = "a number or an object is wanted here"

    def more(self) -> Iterator[Label | Note | Help]:
        names = ("first", "second", "third", "fourth")
        if not 0 < len(self.items) <= len(names):
            yield Help("declare a Struct at module level, and make one")
            return
        fields = [f"    {name}: {kind}" for name, (kind, _) in zip(names, self.items)]
        given = ", ".join([f"{name}={text}" for name, (_, text) in zip(names, self.items)])
        lines = ("class Key(Struct):", *fields, "", f"Key({given})")
        yield Help("declare a Struct at module level, and make one:", lines)


class NoWalrus(Advised):
    """`:=` to a global of the object. A global is memory, which is stored to by a statement.

    Fails:

        global hits
        if (hits := hits + 1) > 10:

    Works:

        global hits
        hits += 1
        if hits > 10:
    """

    target: str
    value: str

    code = "E0121"
    title = "`:=` can't assign the global `{target}`"
    label = "not a local variable"
    way_out = "assign it in a statement before:"
    lines = ("{target} = {value}",)


class FStringElsewhere(Advised):
    """An f-string outside printk. Formatting needs memory of unknown size; only the kernel's trace printing does it.

    Fails:

        events.emit(Event(what=f"{pid()} exits"))

    Works:

        printk(f"{pid()} exits")
        events.emit(Event(pid=pid()))       # format it in user space
    """

    text: str

    code = "E0122"
    title = "only printk() can format an f-string"
    label = "can't be made in a program"
    way_out = "print it, or send its parts through a RingBuffer and format them in user space:"
    lines = ("printk({text})",)


class IsOnValues(Advised):
    """`is` on numbers or objects. Numbers have no identity; only `is None` has a meaning in a program, and `is` between
    objects in an arena, which pointers lead to.

    Fails:

        if pid() is tid():

    Works:

        if pid() == tid():
    """

    op: str
    equal: str  # the comparison that is meant

    code = "E0126"
    title = "`{op}` compares identity, which values in a program don't have"
    label = "only `is None` can be asked"
    way_out = "compare by value:"
    lines = ("{equal}",)
