"""W09xx: what compiles, but is probably not meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Edit, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AlwaysDecided", "DoubtfulHook", "MayDivideByZero", "NoEffect", "Unreachable", "UserAddress"]


class MayDivideByZero(Advised):
    """A divisor that may be zero.

    Python would raise ZeroDivisionError; the machine gives x // 0 == 0 and x % 0 == x.

        average = total // count           # warns

        if count != 0:
            average = total // count       # does not
    """

    text: str
    op: str

    code = "W0901"
    severity = "warning"
    title = "`{text}` may be zero"
    label = "divisor of `{op}`"
    way_out = "check it first:"
    lines = ("if {text} != 0:",)
    why = "the machine gives x // 0 == 0 and x % 0 == x, where Python raises ZeroDivisionError"


class Unreachable(Advised):
    """A statement that no path leads to.

    It stands after a return, a break, a continue, or a loop that never ends.

        return XDP.PASS
        printk("passed")       # warns

        printk("passed")       # does not
        return XDP.PASS
    """

    code = "W0902"
    severity = "warning"
    title = "this can't be reached"
    label = "never runs"
    way_out = "remove it, or what leaves before it"


class AlwaysDecided(Diagnostic):
    """A comparison that the type of one side decides: no u32 is below 0, and none is above 4294967295.

    If the number can go below zero, it should be signed: the difference of two u64 wraps instead of becoming negative.

        if end - begin < 0:           # warns: both are u64
        if end < begin:               # does not
    """

    text: str
    outcome: str
    kind: str
    least: int
    most: int

    code = "W0903"
    severity = "warning"
    title = "`{text}` is always {outcome}"
    label = "a {kind} holds {least} to {most}"

    def more(self) -> Iterator[Label | Note | Help]:
        if " - " in self.text and ("< 0" in self.text or ">= 0" in self.text):
            yield Help("to see whether a difference is negative, compare the two numbers themselves")
        elif self.kind == "u64" and self.text.endswith((" < 0", " >= 0")):
            number, op, _ = self.text.rsplit(" ", 2)
            yield Help("if it is a difference, compare the two numbers instead; its bits as a signed number are:",
                       (f"i64({number}) {op} 0",))  # fmt: skip
        elif "-" in self.text.replace(" - ", ""):
            yield Help(f"compare with the number as {self.kind} holds it, or make the other side signed")
        else:
            yield Help("compare with another number, or remove the comparison")


class NoEffect(Advised):
    """An expression as a statement that does nothing.

    Its value is worked out, if at all, and forgotten.

        count + 1       # warns
        count += 1      # does not
    """

    code = "W0904"
    severity = "warning"
    title = "this statement does nothing"
    label = "no effect"
    way_out = "call it, assign it, or remove it"


class UserAddress(Diagnostic):
    """An argument of a system call that is read with kernel_str() or kernel_bytes().

    It is an address in the process's memory, which those can't read: the text would be empty, or the bytes zero.

        text: Text[L[64]] = kernel_str(ctx.filename)      # warns, at syscalls:sys_enter_openat
        text: Text[L[64]] = user_str(ctx.filename)        # does not
    """

    text: str
    name: str
    fixed: str

    code = "W0905"
    severity = "warning"
    title = "`{text}` is an address of the process, which `{name}` can't read"
    label = "reads the kernel's memory"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("read the process's memory:", (self.fixed,), Edit(self.span, self.fixed))
        yield Note("arguments of system calls are what the process handed over")


class DoubtfulHook(Diagnostic):
    """A hook that the running kernel does not have.

    The program may be meant for another kernel, or for a module that is not loaded now. Else its name is misspelt, and
    loading it would fail.

        @fentry("tcp_conect")       # warns
        @fentry("tcp_connect")      # does not
    """

    what: str
    hint: str

    code = "W0906"
    severity = "warning"
    title = "{what}"
    label = "not found"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.hint:
            yield Help(self.hint)
        yield Note("another kernel may have it, or a module that is not loaded now")
