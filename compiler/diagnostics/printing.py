"""E06xx, second part: printk."""

from __future__ import annotations

from pybpf.compiler.diagnostics.advice import Advised

__all__ = ["PrintkArgument", "PrintkCharacter", "PrintkFormat", "PrintkTooMany", "PrintkValue"]


class PrintkArgument(Advised):
    """`printk` takes one text that is written out: a literal or an f-string.

    printk(f"{comm()} opened {n} files")
    """

    code = "E0640"
    title = "printk() takes one string or f-string"
    label = "not a string written out"
    way_out = "write:"
    lines = ('printk(f"n is {{n}}")',)


class PrintkFormat(Advised):
    """A format that the kernel's printing does not have.

    Numbers: {n} {n:5} {n:<5} {n:05} {n:x} {n:X} {n:08x} {n:#x} {n:+}. Texts: {s} {s:16} {s:>16}.
    """

    spec: str
    problem: str

    code = "E0641"
    title = "the format `{spec}`: {problem}"
    label = "can't be printed so"
    way_out = "use {{n}}, {{n:5}}, {{n:x}}, {{n:#x}} or {{n:08x}}, or format in user space"


class PrintkValue(Advised):
    """A value that can't be printed: a struct, an array, an address. Print its fields."""

    kind: str

    code = "E0642"
    title = "{kind} can't be printed"
    label = "neither a number nor a text"
    way_out = "print its fields one by one"


class PrintkCharacter(Advised):
    """A character that the kernel does not take in a format: anything outside ASCII, or a control character."""

    character: str

    code = "E0643"
    title = "the kernel prints ASCII only, and this has {character}"
    label = "not ASCII"
    way_out = "spell it in ASCII"


class PrintkTooMany(Advised):
    """More arguments than bpf_trace_vprintk takes."""

    count: int
    most: int

    code = "E0644"
    title = "{count} values in one printk; at most {most} are possible"
    label = "too many"
    way_out = "split it into two"
