"""E07xx: programs, their contexts and their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ArgumentNotNumber", "BareReturn", "NoContextField", "NoContextParameter", "OddParameter", "ReadOnlyField",
    "ReturnOutOfRange", "ReturnsNothing", "TooManyParameters", "WrongContext",
]  # fmt: skip


class NoContextField(Diagnostic):
    """A field that the program's context does not have. A tracepoint's fields are those of its format in tracefs."""

    name: str
    context: str
    fields: tuple[str, ...]
    near: str

    code = "E0701"
    title = "the context has no field `{name}`"
    label = "unknown field of {context}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield Help(f"did you mean `{self.near}`?")
        yield (Note if self.near else Help)(f"its fields are {listed(self.fields, 24)}")


class ReadOnlyField(Diagnostic):
    """A field of the context that the kernel does not let this type of program change."""

    name: str
    context: str
    writable: tuple[str, ...]

    code = "E0702"
    title = "the field `{name}` of {context} is read-only"
    label = "assigned here"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.writable:
            yield Help(f"these can be changed: {listed(self.writable)}")
        else:
            yield Help("no field of this context can be changed; keep the value in a variable")
        yield Note("the kernel would say: invalid bpf_context access")


class WrongContext(Advised):
    """The first parameter is annotated with the context of another kind of program."""

    given: str
    wanted: str
    section: str

    code = "E0703"
    title = "a program for `{section}` gets {wanted}, not {given}"
    label = "the context of another hook"
    way_out = "annotate it:"
    lines = ("ctx: {wanted}",)


class NoContextParameter(Advised):
    """A program without a parameter for its context."""

    name: str
    section: str

    code = "E0704"
    title = "`{name}` has no parameter for its context"
    label = "no parameter"
    way_out = "give it one, even if it is not used:"
    lines = ("def {name}(ctx):",)


class TooManyParameters(Advised):
    """More parameters than the hook has arguments."""

    name: str
    section: str
    most: int

    code = "E0705"
    title = "`{section}` has {most} arguments"
    label = "one too many"
    way_out = "take {most} at most, after the context"


class ArgumentNotNumber(Advised):
    """An argument of a hook annotated with something other than a number. The registers hold numbers and addresses."""

    name: str
    kind: str

    code = "E0706"
    title = "the argument `{name}` is a register, which holds a number, not {kind}"
    label = "not a number's type"
    way_out = "annotate it u64, and read what the address points to:"
    lines = ("path: Text[L[64]] = user_str({name})",)


class OddParameter(Advised):
    """A default, or a keyword-only parameter, of a program. The kernel calls it with the arguments of the hook."""

    name: str

    code = "E0707"
    title = "the parameters of the program `{name}` can't have defaults or be keyword-only"
    label = "the kernel passes no defaults"
    way_out = "use a const() for what is set when the program is loaded:"
    lines = ("limit = const(u32, 10)",)


class ReturnsNothing(Advised):
    """A value is returned to a hook that takes none."""

    section: str

    code = "E0708"
    title = "a program for `{section}` returns nothing"
    label = "nobody takes this value"
    way_out = "write a bare return"


class BareReturn(Advised):
    """A return without a value, from a program that must give an answer."""

    wanted: str

    code = "E0709"
    title = "this program must return {wanted}"
    label = "no value"
    way_out = "return one of {wanted}"


class ReturnOutOfRange(Diagnostic):
    """A result that the kernel does not allow for this hook."""

    section: str
    least: int
    most: int
    lo: int
    hi: int
    members: tuple[str, ...]

    code = "E0710"
    title = "a program for `{section}` returns {least} to {most}"
    label = "may be something else"

    def texts(self) -> tuple[str, str]:
        title, _ = super().texts()
        return title, f"this is {self.lo}" if self.lo == self.hi else f"may be {self.lo} to {self.hi}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.members:
            yield Help(f"return one of {listed(self.members)}")
        else:
            yield Help(f"return a number from {self.least} to {self.most}")
        yield Note(
            "the kernel would say: At program exit the register R0 ... should have been in ..."
        )
