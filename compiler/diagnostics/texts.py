"""E05xx, second part: texts and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FillNeedsSize", "NoTextMethod", "NoTextOperator", "TextCut", "TextIndex", "TextOrder", "TextTooLong",
    "TextWithNul",
]  # fmt: skip


class TextTooLong(Diagnostic):
    """A literal that does not fit its text or bytes object."""

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
        kind = self.kind.partition("[")[0]
        yield Help(
            f"make it larger, {kind}[L[{max(self.length, 1)}]], or shorten the literal"
            if kind == "Text"
            else f"a {self.kind} holds exactly {self.size} bytes"
        )


class TextCut(Advised):
    """A text is copied into a smaller one. What does not fit would be lost without a word."""

    given: str
    wanted: str
    what: str

    code = "E0511"
    title = "{given} does not fit {what}, which is {wanted}"
    label = "may be longer"
    way_out = "make the target as large as the source"


class TextWithNul(Advised):
    """A text literal with a NUL byte inside. Texts end at the first NUL."""

    code = "E0512"
    title = "a text ends at its first NUL, and this literal has one inside"
    label = "NUL inside"
    way_out = "use Bytes[L[n]] for data with zero bytes"


class TextIndex(Advised):
    """A character of a text. A text is UTF-8, whose characters take one to four bytes; a program can't take it apart.

    Declare it Bytes[L[n]] to look at the bytes.
    """

    code = "E0513"
    title = "the characters of a text can't be read one by one"
    label = "a text"
    way_out = "declare it Bytes[L[16]] to look at single bytes, or compare the whole text with =="


class TextOrder(Advised):
    """`<`, `>` and the like on texts. Only equality is compiled."""

    op: str

    code = "E0514"
    title = "`{op}` of texts"
    label = "texts have no order in a program"
    way_out = "compare with == or !="


class NoTextOperator(Advised):
    """`+`, `%` or `*` on a text. A program can't make new texts; printk(f"...") prints several, and a Struct keeps
    them apart.
    """

    op: str

    code = "E0515"
    title = "`{op}` on a text: programs can't make new texts"
    label = "needs memory of unknown size"
    way_out = 'print them with printk(f"{{a}} {{b}}"), or keep them in two fields of a Struct'


class NoTextMethod(Advised):
    """A method of `str`. A program compares texts with == and !=, copies and prints them; anything more is for user
    space.
    """

    name: str

    code = "E0516"
    title = "`{name}` of a text can't be computed in a program"
    label = "for user space"
    way_out = "compare with == in the program, and leave the rest to user space"


class FillNeedsSize(Advised):
    """A text or bytes object whose size is not said: where it is kept says how large it is.

    name: Text[L[64]] = user_str(address)
    """

    name: str

    code = "E0517"
    title = "`{name}()` needs to know how large its result is"
    label = "no size"
    way_out = "give it to a field of a Struct, or annotate the variable:"
    lines = ("text: Text[L[64]] = {name}(...)",)
