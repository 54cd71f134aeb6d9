"""E05xx, first part: structs and arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ArrayItems", "MethodNotCalled", "MissingFields", "NoField", "NoMethod", "PositionalField", "UnknownField"]


class PositionalField(Diagnostic):
    """The fields of a struct are given by keyword, so that the order of declaration does not matter.

    Event(pid=pid(), comm=comm())
    """

    struct: str
    fields: tuple[str, ...]

    code = "E0501"
    title = "the fields of {struct} are given by keyword"
    label = "no keyword"

    def more(self) -> Iterator[Label | Note | Help]:
        given = ", ".join([f"{f}=..." for f in self.fields])
        yield Help("write:", (f"{self.struct}({given})",))


class UnknownField(Diagnostic):
    """A keyword that names no field of the struct."""

    name: str
    struct: str
    fields: tuple[str, ...]
    near: str

    code = "E0502"
    title = "{struct} has no field `{name}`"
    label = "unknown field"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"did you mean `{self.near}`?" if self.near else f"its fields are {listed(self.fields)}")


class MissingFields(Diagnostic):
    """Fields without a value. All must be given, except those for which the class has a default (`hits: u64 = 0`)."""

    struct: str
    missing: tuple[str, ...]

    code = "E0503"
    title = "{struct} needs a value for {names}"
    label = "incomplete"

    def texts(self) -> tuple[str, str]:
        names = listed(tuple([f"`{n}`" for n in self.missing]))
        return f"{self.struct}() needs a value for {names}", "incomplete"

    def more(self) -> Iterator[Label | Note | Help]:
        given = ", ".join([f"{n}=..." for n in self.missing])
        yield Help(f"add {given}, or give a default in the class:", (f"{self.missing[0]}: ... = 0",))


class NoField(Diagnostic):
    """An attribute that is neither a field nor a method of the struct."""

    name: str
    struct: str
    fields: tuple[str, ...]
    near: str

    code = "E0504"
    title = "{struct} has no field `{name}`"
    label = "unknown field"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"did you mean `{self.near}`?" if self.near else f"its fields are {listed(self.fields)}")


class MethodNotCalled(Advised):
    """A method is named but not called. There are no function objects at run time."""

    name: str
    what: str

    code = "E0505"
    title = "`{name}` is a method of {what}"
    label = "not called"
    way_out = "call it:"
    lines = ("....{name}(...)",)


class NoMethod(Diagnostic):
    """A method that the class of the object does not define as a plain function."""

    name: str
    what: str
    near: str

    code = "E0506"
    title = "{what} has no method `{name}`"
    label = "unknown method"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield Help(f"did you mean `{self.near}`?")
        else:
            yield Help("define it in the class as a plain function, which is inlined, or call a function of the module")


class ArrayItems(Advised):
    """A list or tuple given for an array has another number of elements. An array has a fixed length:

    Sample(values=[1, 2, 3, 4])        # values: Array[u16, L[4]]
    Sample(values=Array())             # all zero
    """

    kind: str
    length: int
    given: int

    code = "E0507"
    title = "{kind} takes {length} elements, not {given}"
    label = "{given} elements"
    way_out = "give each of the {length} elements, or all zeroes and then some of them:"
    lines = ("values = {kind}()", "values[0] = ...")
