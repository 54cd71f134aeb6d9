"""E05xx, first part: structs and arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note, misspelt

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ArrayItems", "MethodNotCalled", "MissingFields", "NoField", "NoMethod", "PositionalField", "UnknownField"]


class PositionalField(Advised):
    """The fields of a struct are given by keyword, so that the order of declaration does not matter.

    That is how the class works in plain Python, too.

        Task(pid(), tid())               # fails
        Task(pid=pid(), tid=tid())       # works
    """

    struct: str
    call: str

    code = "E0501"
    title = "the fields of {struct} are given by keyword"
    label = "which field?"
    way_out = "write:"
    lines = ("{call}",)


class UnknownField(Diagnostic):
    """A keyword that names no field of the struct.

    The fields are the annotations in the class.

        class Task(Struct):
            pid: u32
            tid: u32

        Task(pid=pid(), tidd=tid())      # fails
        Task(pid=pid(), tid=tid())       # works
    """

    name: str
    struct: str
    fields: tuple[str, ...]
    near: str

    code = "E0502"
    title = "{struct} has no field `{name}`"
    label = "unknown field"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield misspelt(self.span, self.name, self.near)
        else:
            yield Help(f"its fields are {listed(self.fields)}")


class MissingFields(Diagnostic):
    """Fields of a new struct are left without a value.

    All must be given, except those for which the class has a default.

        class Open(Struct):
            pid: u32
            flags: u32
            size: u64 = 0

        Open(pid=pid())                    # fails
        Open(pid=pid(), flags=ctx.flags)   # works
    """

    struct: str
    missing: tuple[str, ...]
    default: str  # the first of them, declared with a default; "" where there is none

    code = "E0503"
    title = "{struct} needs a value for {names}"
    label = "incomplete"

    def texts(self) -> tuple[str, str]:
        names = listed(tuple([f"`{n}`" for n in self.missing]))
        return f"{self.struct}() needs a value for {names}", "incomplete"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("add " + listed(tuple([f"{n}=..." for n in self.missing])))
        if self.default:
            yield Help(f"or give a default in class {self.struct}:", (self.default,))


class NoField(Diagnostic):
    """An attribute that is neither a field nor a method of the struct.

    The fields are the annotations in the class. Structs of pybpf.net have the kernel's names.

        eth.proto == ETH_P_IP          # fails
        eth.h_proto == ETH_P_IP        # works
    """

    name: str
    struct: str
    fields: tuple[str, ...]
    near: str

    code = "E0504"
    title = "{struct} has no field `{name}`"
    label = "unknown field"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield misspelt(self.span, self.name, self.near)
        else:
            yield Help(f"its fields are {listed(self.fields)}")


class MethodNotCalled(Advised):
    """A method is named but not called.

    There are no function objects at run time, so a method can only be called.

        flow.average > 1000          # fails
        flow.average() > 1000        # works
    """

    name: str
    what: str
    call: str

    code = "E0505"
    title = "`{name}` is a method of {what}"
    label = "not called"
    way_out = "call it:"
    lines = ("{call}",)


class NoMethod(Diagnostic):
    """A method that the class of the object does not define.

    Plain functions in the class of a Struct are its methods, and are inlined where they are called.

        class Flow(Struct):
            bytes: u64

            def reset(self) -> None:
                self.bytes = 0

        flow.clear()      # fails
        flow.reset()      # works
    """

    name: str
    what: str
    known: tuple[str, ...]
    near: str
    own: bool  # the class is the user's

    code = "E0506"
    title = "{what} has no method `{name}`"
    label = "unknown method"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield misspelt(self.span, self.name, self.near)
        elif self.own:
            yield Help(f"define it in class {self.what}:", (f"def {self.name}(self): ...",))
        elif self.known:
            yield Help(f"its methods are {listed(self.known)}")
        elif self.what == "u64":
            yield Help("if it is the address of a text, read that first:", ("text: Text[L[64]] = user_str(address)",))
        else:
            yield Help("write a plain function of the module, and pass it as an argument")


class ArrayItems(Advised):
    """A list or tuple given for an array has another number of elements.

    An array has a fixed length, and each element gets a value.

        class Sample(Struct):
            values: Array[u16, L[4]]

        Sample(values=[1, 2, 3])             # fails
        Sample(values=[1, 2, 3, 0])          # works
        Sample(values=Array())               # works: all zero
    """

    kind: str
    length: int
    given: int

    code = "E0507"
    title = "{kind} takes {length} elements, not {given}"
    label = "{given} elements"
    way_out = "give {length} elements, or make the array all zero and then set some:"
    lines = ("values = {kind}()", "values[0] = ...")
