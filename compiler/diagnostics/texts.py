"""E05xx, second part: texts and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FillNeedsSize", "NoTextMethod", "NoTextOperator", "SearchNotConstant", "TextCut", "TextIndex", "TextItem",
    "TextTooLong", "TextWithNul",
]  # fmt: skip


class TextTooLong(Diagnostic):
    """A literal that does not fit its text or bytes object.

    A text of n bytes holds up to n bytes of UTF-8; a bytes object of n bytes holds exactly n.

        names = HashMap[Text[L[8]], u64](max_entries=64)

        names["postgresql"] += 1       # fails: 10 bytes
        names["postgres"] += 1         # works: 8 bytes
    """

    length: int
    kind: str
    size: int

    code = "E0510"
    title = "{length} bytes do not fit {kind}"
    label = "{length} bytes of UTF-8"

    def texts(self) -> tuple[str, str]:
        title, label = super().texts()
        return title, label if self.kind.startswith("Text") else f"{self.length} bytes"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.kind.startswith("Text"):
            yield Help(f"make it larger, Text[L[{self.length}]], or shorten the literal")
        else:
            yield Help(f"a {self.kind} holds exactly {self.size} bytes; declare it Bytes[L[{max(self.length, 1)}]]")


class TextCut(Advised):
    """A text is copied into a smaller one, and what does not fit would be lost without a word.

    Make the target as large as the source. Functions that fill a text, such as user_str(), cut it to the target's size.

        class Name(Struct):
            comm: Text[L[8]]

        name = comm()               # up to 16 bytes
        Name(comm=name)             # fails
        Name(comm=comm())           # works: cut to 8 bytes
    """

    given: str
    wanted: str
    what: str
    size: int

    code = "E0511"
    title = "a {given} may not fit {what}, which is a {wanted}"
    label = "may have up to {size} bytes"
    way_out = "make {what} as large, Text[L[{size}]]"


class TextWithNul(Advised):
    """A text literal has a NUL byte inside, but texts end at the first NUL.

    Use Bytes[L[n]] for data with zero bytes.

        names = HashMap[Text[L[16]], u64](max_entries=64)
        names["ssh\\0d"] += 1            # fails

        keys = HashMap[Bytes[L[4]], u64](max_entries=64)
        keys[b"ss\\0d"] += 1             # works
    """

    code = "E0512"
    title = "a text ends at its first NUL, and this literal has one inside"
    label = "NUL inside"
    way_out = "use Bytes[L[n]] for data with zero bytes"


class TextIndex(Advised):
    """A character of a text is counted from its end, which is known only at run time.

    A text ends at its first NUL, wherever that is in its bytes.

        name = comm()
        name[-1] == "d"                  # fails
        name.endswith("d")               # works
    """

    text: str
    size: int

    code = "E0513"
    title = "the characters of `{text}` can't be counted from its end"
    label = "where it ends is known only at run time"
    way_out = "look at its end as a whole, or count from its start:"
    lines = ('{text}.endswith("x")',)


class TextItem(Advised):
    """A character of a text is assigned.

    As a `str` in Python, a text is replaced as a whole.

        event.name[0] = "x"              # fails
        event.name = "x"                 # works
    """

    text: str

    code = "E0142"
    title = "the characters of `{text}` can't be assigned"
    label = "a text is replaced as a whole"
    way_out = "assign the whole text, or declare it Array[u8, L[n]]:"
    lines = ('{text} = "..."',)


class SearchNotConstant(Advised):
    """What is looked for in a text is a text known only at run time.

    Each byte of a literal is compared by code of its own. Search for a literal, or compare whole texts.

        event.name in event.path         # fails
        "sshd" in event.path             # works
    """

    text: str
    how: str

    code = "E0143"
    title = "`{text}` is not known when compiling, so `{how}` can't search for it"
    label = "not a constant"
    way_out = "search for a literal text, or compare whole texts with =="


class NoTextOperator(Diagnostic):
    """`+`, `%` or `*` on a text, which a program can't make new ones of.

    That would need memory of unknown size. printk prints several texts, and a Struct keeps them apart.

        printk("exec of " + comm())       # fails
        printk(f"exec of {comm()}")       # works
    """

    op: str
    example: str = ""  # of printk

    code = "E0515"
    title = "`{op}` on a text: programs can't make new texts"
    label = "needs memory of unknown size"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("print them together:", (self.example or 'printk(f"{a} {b}")',))
        yield Help("or keep them in two fields of a Struct")


class NoTextMethod(Diagnostic):
    """A method of `str` in a program, other than startswith, endswith and find.

    A program compares, slices, searches, copies and prints texts; what makes new ones is for user space. Methods of
    constant texts are computed when compiling.

        comm().upper() == "SSHD"         # fails
        comm().startswith("ssh")         # works
    """

    name: str
    constant: bool = False

    code = "E0516"
    title = "`{name}` of a text can't be computed in a program"
    label = "for user space"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.name == "format":
            yield Help("write an f-string in printk:", ('printk(f"{a} {b}")',))
        elif self.constant:
            yield Help("compute it at module level, and use the result as a constant")
        else:
            yield Help("compare with == in the program, and leave the rest to user space")
            yield Help("or look at single characters:", ('name[0] == "a"', 'ord("a") <= ord(name[0]) <= ord("z")'))


class FillNeedsSize(Advised):
    """A text or bytes object is made whose size is not said anywhere.

    Where it is kept says how large it is: a field of a Struct, or an annotated variable.

        path = user_str(ctx.filename)                     # fails
        path: Text[L[64]] = user_str(ctx.filename)        # works
        Open(path=user_str(ctx.filename))                 # works, with `path: Text[L[64]]` in class Open
    """

    name: str
    call: str
    kind: str
    local: str

    code = "E0517"
    title = "`{name}()` needs to know how large its result is"
    label = "no size"
    way_out = "annotate a variable, or give it to a field of a Struct:"
    lines = ("{local}: {kind} = {call}",)
