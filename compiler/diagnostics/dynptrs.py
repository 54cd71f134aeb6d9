"""E134x: dynptrs, which refer to memory whose size is known only when the program runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, memory
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "DynptrCopied", "DynptrMemory", "EmptyDynptr", "FullDynptr", "NoDataOfPacket", "NoPlaceForDynptr",
    "NoSliceToWrite", "NotADynptr", "OtherDynptr", "RecordsOfAnySize", "RecordsOfOneType", "SliceType",
]  # fmt: skip


class EmptyDynptr(Diagnostic):
    """A dynptr that no call has made yet, or not on every way to the place where it is used.

    Fails:

        d = Dynptr()
        size = d.size()

    Works:

        d = Dynptr()
        helpers.bpf_dynptr_from_mem(entry, 64, 0, d)
        size = d.size()

    `Dynptr.from_mem(entry)` does both.
    """

    name: str
    made: Span
    partly: bool

    code = "E1340"
    title = "`{name}` is about nothing here"
    label = "not made yet"

    def texts(self) -> tuple[str, str]:
        return super().texts()[0], "not made on every way here" if self.partly else self.label

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.made, "an empty one")
        yield Help("let a call make it first:", (f"helpers.bpf_dynptr_from_mem(entry, sizeof(entry), 0, {self.name})",))
        yield Note("the kernel would say: Expected an initialized dynptr as R1")


class FullDynptr(Diagnostic):
    """A dynptr that is made again, though it may be about something already.

    Fails:

        d = Dynptr()
        for key in (1, 2):
            helpers.bpf_dynptr_from_mem(table[key], 64, 0, d)

    Works:

        for key in (1, 2):
            d = Dynptr()
            helpers.bpf_dynptr_from_mem(table[key], 64, 0, d)
    """

    call: str
    name: str
    before: Span | None

    code = "E1341"
    title = "`{name}` may be about something already"
    label = "made again"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.before is not None and self.before != self.span:
            yield Label(self.before, "made here")
        yield Help(f"make a new one for {self.call}():", (f"{self.name} = Dynptr()",))
        yield Note("the kernel would say: cannot overwrite referenced dynptr")


class NoPlaceForDynptr(Advised):
    """A call that makes a dynptr, given something else than a `Dynptr()` of the same function.

    Fails:

        def fill(d: Dynptr) -> None:
            helpers.bpf_dynptr_from_mem(entry, 64, 0, d)

    Works:

        def filled() -> Dynptr:
            d = Dynptr()
            helpers.bpf_dynptr_from_mem(entry, 64, 0, d)
            return d
    """

    call: str
    name: str

    code = "E1342"
    title = "`{call}` makes a dynptr of one `Dynptr()`, and `{name}` may be another"
    label = "not known to be a new one"
    way_out = "make it in this function, and return it:"
    lines = ("{name} = Dynptr()",)


class NotADynptr(Advised):
    """An argument that must be a dynptr.

    The functions of dynptrs take a variable that refers to one.

        helpers.bpf_dynptr_read(header, 8, pkt, 0, 0)                         # fails
        helpers.bpf_dynptr_read(header, 8, Dynptr.from_xdp(pkt), 0, 0)        # works
    """

    argument: str
    call: str
    name: str
    given: str

    code = "E1343"
    title = "`{argument}` of {call}() must be a Dynptr, not {given}"
    label = "no dynptr"
    way_out = "give a Dynptr: d = Dynptr(), Dynptr.from_mem(entry), Dynptr.from_skb(ctx), events.reserve(size)"


class OtherDynptr(Diagnostic):
    """A dynptr of another kind than the call wants, or one that two calls would make of different kinds.

    The verifier tells dynptrs apart by what they are about: a map's memory, a record of a ring buffer, a packet.

        d = Dynptr.from_mem(entry)
        helpers.bpf_ringbuf_submit_dynptr(d, 0)        # fails: it is no record of a ring buffer
        d.write(header)                                # works
    """

    call: str
    name: str
    given: str
    wanted: str

    code = "E1344"
    title = "`{name}` is of another kind than `{call}` takes"
    label = "{given}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"give a {self.wanted}; a Dynptr() is for one kind only")


class DynptrMemory(Diagnostic):
    """Memory that the kernel makes no dynptr of.

    It must be a value of a map without locks and timers, or a `var()`.

    Fails:

        header = Header(a=1)
        d = Dynptr.from_mem(header)

    Works:

        header = headers.get(key)
        if header is not None:
            d = Dynptr.from_mem(header)
    """

    call: str
    name: str
    space: str
    opaque: bool

    code = "E1345"
    title = "`{call}` makes no dynptr of `{name}`"
    label = "in {space}"

    def texts(self) -> tuple[str, str]:
        there = "it holds what the kernel keeps to itself" if self.opaque else f"it lies in {memory(self.space)}"
        return super().texts()[0], there

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("give a value of a map, or a var(), or an array inside one")
        if not self.opaque:
            yield Note("the kernel would say: Unsupported reg type fp for bpf_dynptr_from_mem data")


class NoDataOfPacket(Advised):
    """data() of a packet, which may not lie in one piece.

    The kernel's helper never gives any of it.

        header = d.data(ethhdr)             # fails
        header = d.slice(ethhdr)            # works: to be read
        header = d.slice_rdwr(ethhdr)       # works: to be written, None where it is not in one piece
    """

    name: str
    given: str

    code = "E1346"
    title = "`{name}` is a {given}, which data() is not for"
    label = "may not lie in one piece"
    way_out = "read it with slice(), write it with slice_rdwr() or write()"


class NoSliceToWrite(Advised):
    """slice_rdwr() in a program that may not write to packets, whatever the dynptr is about.

    The verifier asks what the type of the program may do with packets, and nothing else.

        d = Dynptr.from_mem(entry)
        header = d.slice_rdwr(Header)       # fails in a tracepoint
        header = d.data(Header)             # works
    """

    program: str

    code = "E1347"
    title = "a program of type {program} can't use slice_rdwr()"
    label = "not allowed here"
    way_out = "use data(), which is not for packets; or write(), which is for all"
    why = "the kernel would say: the prog does not allow writes to packet data"


class SliceType(Advised):
    """A slice of something else than a struct, array, text or bytes.

    A slice is a reference, and there are none to numbers.

        number = d.slice(u32, 4)                    # fails
        number = d.read(u32, 4)                     # works: a copy
        numbers = d.slice(Array[u32, L[2]], 4)      # works
    """

    call: str
    text: str

    code = "E1348"
    title = "`{call}` gives a reference, and `{text}` is no type of an object"
    label = "not a struct, array, text or bytes"
    way_out = "read a number with read(), or name the array that it is in"


class DynptrCopied(Advised):
    """A dynptr that is copied or compared.

    It is not a value, and its bytes are the kernel's own.

        other = copy.copy(d)        # fails
        other = d.clone()           # works
    """

    text: str

    code = "E1349"
    title = "`{text}`: a dynptr can't be copied or compared"
    label = "not a value"
    way_out = "use d.clone() for another one of the same memory, d.read() for what is in it"


class RecordsOfAnySize(Advised):
    """emit(), reserve() or drain() of a type, on a buffer of bytes: the size of its records is known at run time only.

    Fails:

        events = RingBuffer[bytes](4096)

        events.emit(Event(pid=1))

    Works:

        with events.reserve(sizeof(Event) + length) as record:
            record.write(Event(pid=1))
    """

    name: str

    code = "E1350"
    title = "the records of `{name}` are bytes of any size"
    label = "how many?"
    way_out = "say how many, and write what belongs there:"
    lines = ("with {name}.reserve(size) as record:", "    record.write(header)")


class RecordsOfOneType(Advised):
    """reserve() with a size, on a ring buffer whose records are all of one type.

    Fails:

        events = RingBuffer[Event](4096)

        with events.reserve(100) as record:

    Works:

        events = RingBuffer[bytes](4096)

        with events.reserve(100) as record:
    """

    name: str
    type: str

    code = "E1351"
    title = "the records of `{name}` are of type {type}, and of its size"
    label = "another size"
    way_out = "leave the size out, or declare a buffer for records of any size:"
    lines = ("{name} = RingBuffer[bytes](256 * 1024)",)
