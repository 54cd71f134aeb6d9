"""E04xx: maps and ring buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note
from pybpf.compiler.diagnostics.values import between

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ArrayDelete", "DiscardOther", "HashSubscript", "NegativeKey", "NoEntries", "NoMapMethod",
    "PopNeedsDefault", "PopOfObject",
    "RecordEscapes", "ReserveName", "ReserveNumber", "ReserveOutsideWith", "SlotConstant", "SlotUnproven",
    "WithoutName",
]  # fmt: skip


class HashSubscript(Advised):
    """`m[k]` of a hash map read as a value. The key may be missing; Python would raise KeyError, which a program can't.

    value = m.get(key)
    if value is None:
        return
    """

    name: str
    key: str

    code = "E0401"
    title = "`{name}[{key}]` is read, but the key may be missing"
    label = "Python would raise KeyError"
    way_out = "look it up, and check for None, or give a default:"
    lines = ("value = {name}.get({key})", "value = {name}.get({key}, 0)")


class SlotConstant(Advised):
    """A constant index outside an array map."""

    index: int
    name: str
    length: int

    code = "E0402"
    title = "`{name}` has slots 0 to {length} - 1; there is no slot {index}"
    label = "out of bounds"
    way_out = "use an index below {length}, or make the map larger"


class SlotUnproven(Diagnostic):
    """An index that is not known to lie inside an array map.

    Python would raise IndexError. Compare it first, or look it up with .get(), which gives None outside the map.

        if i < 16:
            counts[i] += 1
    """

    text: str
    name: str
    length: int
    lo: int
    hi: int

    code = "E0403"
    title = "`{text}` may be out of bounds: `{name}` has {length} slots"
    label = "not known to be below {length}"

    def more(self) -> Iterator[Label | Note | Help]:
        name = self.text if self.text.isidentifier() else "i"
        first = () if self.text.isidentifier() else (f"i = {self.text}",)
        test = f"{name} < {self.length}" if self.lo >= 0 else f"0 <= {name} < {self.length}"
        yield Help("check it first:", (*first, f"if {test}:", f"    ... {self.name}[{name}]"))
        yield Note(between(self.lo, self.hi))


class NoEntries(Advised):
    """A subscript of a map that has no keys, such as a ring buffer."""

    name: str
    kind: str
    what: str

    code = "E0404"
    title = "`{what}` on `{name}`: a {kind} map has no keys"
    label = "no entries"
    way_out = "a ring buffer is filled like this:"
    lines = ("{name}.emit(Event(...))",)


class NegativeKey(Advised):
    """A key that is always negative, for a map whose keys are unsigned."""

    name: str
    kind: str

    code = "E0405"
    title = "the key of `{name}` is negative, and its keys are {kind}"
    label = "always negative"
    way_out = "use a signed key type, or another key"


class ArrayDelete(Advised):
    """`del` of an array's slot. The slots of an array always exist; set it to zero."""

    name: str

    code = "E0406"
    title = "a slot of the array `{name}` can't be deleted"
    label = "the slots of an array always exist"
    way_out = "set it to zero:"
    lines = ("{name}[i] = 0",)


class NoMapMethod(Diagnostic):
    """A method that this kind of map does not have in a program."""

    method: str
    name: str
    kind: str
    known: tuple[str, ...]
    near: str
    hint: str

    code = "E0407"
    title = "the {kind} map `{name}` has no method `{method}` in a program"
    label = "unknown"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield Help(f"did you mean `{self.near}`?")
        elif self.hint:
            yield Help(self.hint)
        else:
            yield Help(f"it has {listed(self.known)}")


class PopNeedsDefault(Advised):
    """`m.pop(k)` without a default raises KeyError in Python where the key is missing, which a program can't."""

    name: str
    key: str

    code = "E0408"
    title = "`{name}.pop()` needs a default, since the key may be missing"
    label = "Python would raise KeyError"
    way_out = "write:"
    lines = ("{name}.pop({key}, None)",)


class PopOfObject(Advised):
    """`pop()` of a struct: the entry is gone when it would be read. Look it up, use it, then delete it.

    entry = m.get(key)
    if entry is not None:
        ...
        del m[key]
    """

    name: str
    kind: str

    code = "E0409"
    title = "`{name}.pop()` would give a reference to a deleted {kind}"
    label = "only numbers can be popped"
    way_out = "look it up, use it, then delete it:"
    lines = ("entry = {name}.get(key)", "if entry is not None:", "    ...", "    del {name}[key]")


class ReserveOutsideWith(Advised):
    """`reserve()` outside a `with` statement. A reserved record must be submitted on every path, which `with` sees
    to.
    """

    name: str

    code = "E0411"
    title = "`{name}.reserve()` stands only in a `with` statement"
    label = "nothing would submit the record"
    way_out = "write:"
    lines = ("with {name}.reserve() as event:", "    if event is not None:", "        ...")


class WithoutName(Advised):
    """A reservation without a name for the record."""

    name: str

    code = "E0412"
    title = "the reserved record needs a name"
    label = "no `as`"
    way_out = "write:"
    lines = ("with {name}.reserve() as event:",)


class ReserveNumber(Advised):
    """`reserve()` of a ring buffer of plain numbers: there is no object to fill. Emit the number."""

    name: str
    kind: str

    code = "E0413"
    title = "a record of `{name}` is a plain {kind}, so there is nothing to fill in place"
    label = "no object"
    way_out = "emit it:"
    lines = ("{name}.emit(value)",)


class ReserveName(Advised):
    """The name of a reserved record is assigned again while the record is open, or was used for something else
    before.
    """

    name: str

    code = "E0414"
    title = "`{name}` names a reserved record, and nothing else"
    label = "used for something else"
    way_out = "use another name"


class DiscardOther(Advised):
    """`discard()` on something other than the name after `as`, or outside the `with` block."""

    code = "E0415"
    title = "only the record of a `with ....reserve()` block around can be discarded"
    label = "not that record"
    way_out = "call it on the name after `as`, inside the block"


class RecordEscapes(Advised):
    """A function returns a record that it reserved. It is submitted when the function leaves the `with` block."""

    code = "E0416"
    title = "the reserved record is submitted when the function returns"
    label = "can't be returned"
    way_out = "return a number, or fill the record where it is reserved"
