"""E06xx, second part: printk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PrintkArgument", "PrintkCharacter", "PrintkFormat", "PrintkTooMany", "PrintkValue"]


class PrintkArgument(Advised):
    """`printk` takes one text that is written out: a literal or an f-string.

    Values stand in an f-string, in the place where they are printed.

        printk("%s opened %d files", comm(), n)      # fails
        printk(f"{comm()} opened {n} files")         # works
    """

    example: str

    code = "E0640"
    title = "printk() takes one string or f-string"
    label = "values belong into an f-string"
    way_out = "write:"
    lines = ("{example}",)


class PrintkFormat(Advised):
    """A format that the kernel's printing does not have.

    Numbers: {n} {n:5} {n:<5} {n:05} {n:x} {n:X} {n:08x} {n:#x} {n:+}. Texts: {s} {s:16} {s:>16}.

        printk(f"{pid():b}")        # fails
        printk(f"{pid():#x}")       # works
    """

    spec: str
    problem: str
    instead: str

    code = "E0641"
    title = "printk has no format `{spec}` for this"
    label = "{problem}"
    way_out = "{instead}"


class PrintkValue(Diagnostic):
    """A value that can't be printed: a struct, an array, an address.

    printk prints numbers and texts, so print the fields.

        printk(f"{flow}")                             # fails
        printk(f"{flow.packets} {flow.bytes}")        # works
    """

    text: str
    kind: str
    example: str
    address: str = ""  # of a pointer: "kernel_str" or "user_str" where a text may lie there, "struct" otherwise

    code = "E0642"
    title = "`{text}` is {kind}, which printk can't print"
    label = "neither a number nor a text"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.example:
            yield Help("print the numbers and texts in it:", (self.example,))
        elif self.address.endswith("_str"):
            yield Help("if a text lies there, read it:", (f"text: Text[L[64]] = {self.address}({self.text})",))
        elif self.address:
            yield Help("name the member to print, or print the address:", (f'printk(f"{{u64({self.text}):x}}")',))
        else:
            yield Help("print numbers and texts")


class PrintkCharacter(Diagnostic):
    """A character that the kernel does not take in a format: anything outside ASCII, or a control character.

    The kernel would print nothing at all. Texts that are values may hold any bytes.

        printk(f"{pid()} → {child}")       # fails
        printk(f"{pid()} -> {child}")      # works
    """

    character: str

    code = "E0643"
    title = "printk prints ASCII only, and this text has {what}"
    label = "not printable ASCII"

    def texts(self) -> tuple[str, str]:
        point = f"U+{ord(self.character):04X}"
        if self.character.isprintable():
            return f"printk prints ASCII only, and this text has `{self.character}` ({point})", "not ASCII"
        return (
            f"printk takes no control characters, and this text has {self.character!a} ({point})",
            "not printable",
        )

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("spell it in ASCII" if self.character.isprintable() else "leave it out; \\n and \\t are taken")
        yield Note("the kernel would print nothing: bpf_trace_printk returns -EINVAL")


class PrintkTooMany(Advised):
    """More values in one printk than the kernel takes.

    bpf_trace_vprintk takes twelve arguments. Print the rest in another line, or send a record through a RingBuffer.

        printk(f"{a} {b} {c} {d} {e} {f} {g} {h} {i} {j} {k} {l} {m}")     # fails: thirteen

        printk(f"{a} {b} {c} {d} {e} {f} {g}")                             # works
        printk(f"{h} {i} {j} {k} {l} {m}")
    """

    count: int
    most: int

    code = "E0644"
    title = "{count} values in one printk; at most {most} are possible"
    label = "too many"
    way_out = "print them in two lines, or send a record through a RingBuffer"
