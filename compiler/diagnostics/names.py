"""E03xx: names and attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AnnotatedGlobal", "ConstAssigned", "GlobalNotVar", "NoAttribute", "Unassigned", "Unknown", "UnknownAttribute",
]  # fmt: skip


class Unknown(Diagnostic):
    """A name that stands for nothing: no variable of the function, nothing in the module, no builtin.

    Names are looked up when the program is compiled, so whatever it uses must be defined or imported by then.
    """

    name: str
    near: str

    code = "E0301"
    title = "the name `{name}` is not defined"
    label = "unknown"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield Help(f"did you mean `{self.near}`?")
        else:
            yield Help("import it, or define it before the program is compiled")


class Unassigned(Diagnostic):
    """A variable is read where it may have no value yet. Python would raise UnboundLocalError.

    Give it a value on every path that leads here. A name that is assigned anywhere in a function is local to the
    whole function: to change a var() of the module, declare it.

        global total
        total += n
    """

    name: str
    maybe: bool
    outer: str

    code = "E0302"
    title = "`{name}` may have no value here"
    label = "not assigned on every path"

    def texts(self) -> tuple[str, str]:
        if self.maybe:
            return super().texts()
        return f"`{self.name}` has no value yet", "read before it is assigned"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.outer == "var":
            yield Help(
                f"to use the module's `{self.name}`, say so at the start of the function:", (f"global {self.name}",)
            )
        elif self.outer == "other":
            yield Help(
                f"the function assigns `{self.name}`, so it is not the module's: use another name for the variable"
            )
        else:
            yield Help("give it a value before:", (f"{self.name} = 0",))


class UnknownAttribute(Diagnostic):
    """A module, class or object of the user's file has no attribute of that name."""

    what: str
    name: str
    near: str

    code = "E0303"
    title = "{what} has no attribute `{name}`"
    label = "unknown"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"did you mean `{self.near}`?" if self.near else "check its spelling")


class NoAttribute(Advised):
    """An attribute of something that has none: a number, an array, a text."""

    name: str
    kind: str

    code = "E0304"
    title = "{kind} has no attribute `{name}`"
    label = "unknown"
    way_out = "only structs, the context, modules and enums have attributes"


class GlobalNotVar(Diagnostic):
    """`global x` where x is not a var(). A program can't change a Python object of the module; it has globals of its
    own.

        total = var(u64, 0)
    """

    name: str
    what: str

    code = "E0305"
    title = "`{name}` is {what}, which a program can't change"
    label = "not a var()"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("declare it as a variable of the program:", (f"{self.name} = var(u64, 0)",))


class ConstAssigned(Advised):
    """A const() is assigned by a program. It is set when the program is loaded, and fixed from then on."""

    name: str

    code = "E0306"
    title = "`{name}` is a const(), which a program can't change"
    label = "assigned here"
    way_out = "declare it with var() instead:"
    lines = ("{name} = var(u64, 0)",)


class AnnotatedGlobal(Advised):
    """An annotation of a name that is declared global in the same function. Python refuses it too."""

    name: str

    code = "E0307"
    title = "the global `{name}` can't be annotated here"
    label = "its type is fixed by its declaration"
    way_out = "leave the annotation out"
