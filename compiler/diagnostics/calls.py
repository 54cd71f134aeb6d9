"""E06xx: calls of functions, helpers and types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note
from pybpf.compiler.diagnostics.values import between

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ArgumentCount", "ArgumentTwice", "CallArguments", "HelperArguments", "HelperNeedsGpl",
    "HelperNotAllowed", "HelperSleeps",
    "HelperUnsupported", "MissingArguments", "NoBuiltin", "NotCallable", "ProgramCalled", "Recursion", "ReturnsObject",
    "SizeOutOfRange", "StarParameters", "TooNew", "UnknownArgument", "UnknownCall",
]  # fmt: skip


class CallArguments(Advised):
    """A call with arguments that what is called doesn't take."""

    name: str
    takes: str

    code = "E0601"
    title = "{name} {takes}"
    label = "wrong arguments"
    way_out = "{name} {takes}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("correct the arguments")


class NotCallable(Advised):
    """A call of something that is no function."""

    what: str

    code = "E0602"
    title = "{what} can't be called"
    label = "no function"
    way_out = "functions, types, helpers and methods can be called"


# What people reach for, and what a program has instead.
_INSTEAD = {
    "time": "ktime() gives nanoseconds since boot",
    "os": "pid(), tid(), uid() and comm() tell about the current task",
    "random": "random() of pybpf gives a pseudo-random u32",
    "secrets": "random() of pybpf gives a pseudo-random u32",
    "threading": "tid() gives the current thread's id, cpu() the CPU",
    "socket": "constants can be computed at module level; fields of type be16 and be32 are swapped by themselves",
    "logging": 'printk(f"...") writes to the kernel\'s trace',
    "math": "BPF has integers only",
    "struct": "declare a class of Struct",
    "ctypes": "declare a class of Struct",
}


class UnknownCall(Diagnostic):
    """A call of a function that is not written in the language: one of C, of Python's library, or a class that is no
    Struct.

    Plain Python functions are inlined, kernel helpers are in pybpf.helpers. What does not depend on run time can be
    computed at module level, and used as a constant.
    """

    what: str
    module: str

    code = "E0603"
    title = "{what} can't be called in a program"
    label = "runs in user space only"

    def more(self) -> Iterator[Label | Note | Help]:
        instead = _INSTEAD.get(self.module.partition(".")[0])
        if instead:
            yield Help(instead)
        else:
            yield Help(
                "compute it at module level, and use the result as a constant; kernel helpers are in pybpf.helpers"
            )


class NoBuiltin(Advised):
    """A builtin function of Python that a program can't call."""

    name: str
    instead: str

    code = "E0604"
    title = "`{name}()` can't be called in a program"
    label = "not available"
    way_out = "{instead}"


class Recursion(Diagnostic):
    """A function that calls itself. Functions are inlined, and the kernel allows no recursion either. Write a loop."""

    name: str
    path: tuple[str, ...]

    code = "E0605"
    title = "`{name}` calls itself"
    label = "recursion"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write it as a loop over range()")
        yield Note(f"called by way of {' -> '.join(self.path)}")


class ArgumentCount(Advised):
    """A function is called with more positional arguments than it takes."""

    name: str
    takes: int
    given: int

    code = "E0606"
    title = "`{name}()` takes {takes} positional arguments, not {given}"
    label = "{given} given"
    way_out = "leave the rest out, or pass them by keyword"


class UnknownArgument(Diagnostic):
    """A keyword argument that the function has no parameter for."""

    name: str
    keyword: str
    known: tuple[str, ...]

    code = "E0607"
    title = "`{name}()` has no parameter `{keyword}`"
    label = "unexpected"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"its parameters are {listed(self.known)}" if self.known else "it takes no keyword arguments")


class ArgumentTwice(Advised):
    """An argument is given by position and by keyword."""

    name: str
    keyword: str

    code = "E0608"
    title = "`{name}()` gets `{keyword}` twice"
    label = "given already"
    way_out = "give it once"


class MissingArguments(Diagnostic):
    """A function is called without some of its arguments."""

    name: str
    missing: tuple[str, ...]

    code = "E0609"
    title = "`{name}()` is called without {names}"
    label = "incomplete"

    def texts(self) -> tuple[str, str]:
        return f"`{self.name}()` is called without {listed(tuple([f'`{m}`' for m in self.missing]))}", "incomplete"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("give them, or give the parameters defaults")


class StarParameters(Advised):
    """A function with `*args` or `**kwargs`. They are containers, which a program can't have."""

    name: str

    code = "E0610"
    title = "`{name}` has `*` or `**` parameters"
    label = "programs have no containers"
    way_out = "name each parameter"


class ReturnsObject(Advised):
    """A function that returns a map, function or type does something else besides. What it does would be lost."""

    name: str
    what: str

    code = "E0611"
    title = "`{name}()` returns {what}, which is known at compile time, and does something else besides"
    label = "called here"
    way_out = "let it only return, and do the rest in another function"


class ProgramCalled(Advised):
    """A program is called by another one. A program is started by its hook.

    Put what both need into a plain function, without a decorator.
    """

    name: str

    code = "E0612"
    title = "the program `{name}` can't be called"
    label = "programs are started by their hooks"
    way_out = "move what both need into a plain function, and call that"


class HelperArguments(Diagnostic):
    """A kernel helper is called with a wrong number of arguments, or by keyword."""

    name: str
    takes: tuple[str, ...]
    given: int
    signature: str

    code = "E0620"
    title = "`{name}()` takes {count} arguments by position, not {given}"
    label = "{given} given"

    def texts(self) -> tuple[str, str]:
        return f"`{self.name}()` takes {len(self.takes)} arguments by position, not {self.given}", f"{self.given} given"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write:", (f"{self.name}({', '.join(self.takes)})",))
        if self.signature:
            yield Note(self.signature)


class HelperNotAllowed(Diagnostic):
    """A helper that the kernel does not let this type of program call."""

    name: str
    program: str
    allowed: tuple[str, ...]

    code = "E0621"
    title = "a program of type {program} can't call `{name}`"
    label = "not allowed here"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"it can be called from {listed(tuple([n.lower() for n in self.allowed]), 8)}")
        yield Note("the kernel would say: program of this type cannot use helper, or: unknown func")


class HelperNeedsGpl(Advised):
    """A helper that only programs under a licence compatible with the GPL may call."""

    name: str
    license: str

    code = "E0622"
    title = "`{name}` needs a GPL-compatible licence, and this program is under {license!r}"
    label = "GPL only"
    way_out = 'compile with license="GPL" or "Dual BSD/GPL"'
    why = "the kernel would say: cannot call GPL-restricted function from non-GPL compatible program"


class HelperSleeps(Advised):
    """A helper that may sleep, in a program that may not."""

    name: str
    program: str

    code = "E0623"
    title = "`{name}` may sleep, and `{program}` is not a sleepable program"
    label = "may sleep"
    way_out = "attach it with sleepable=True, if the hook can sleep, or use a helper that does not"


class HelperUnsupported(Advised):
    """A helper with an argument of a kind that can't be given yet: a callback, or a key without a map before it."""

    name: str
    argument: str
    kind: str

    code = "E0624"
    title = "`{argument}` of `{name}` is a {kind}, which can't be given from a program"
    label = "not supported"
    way_out = "use another helper"


class SizeOutOfRange(Diagnostic):
    """The size given to a helper is larger than the memory before it, or may be zero where it must not."""

    text: str
    what: str
    least: int
    most: int
    lo: int
    hi: int

    code = "E0625"
    title = "`{text}` is not a good size: {what} must lie between {least} and {most}"
    label = "not known to lie between {least} and {most}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("pass the object's own size:", ("sizeof(buffer)",))
        if self.lo != self.hi:
            yield Note(between(self.lo, self.hi))


class TooNew(Diagnostic):
    """A helper or a kind of map that the oldest kernel which the program is built for does not have.

    `pybpf build --target 6.1` says which kernel that is (6.1 unless told); what is loaded at once, with `load()` or
    `pybpf run`, is compiled for the running kernel.

        events = RingBuffer[Event](4096)    # needs Linux 5.8: refused with --target 5.4
    """

    what: str
    since: str
    target: str

    code = "E0626"
    title = "{what} needs Linux {since}, and the program is built for {target}"
    label = "not in Linux {target}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"build it for newer kernels: --target {self.since}")

