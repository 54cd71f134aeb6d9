"""E04xx: maps and ring buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, between, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note, misspelt

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ArrayDelete", "DiscardOther", "HashSubscript", "InnerMapLoop", "InnerMapTruth", "MapAccess", "Misaligned",
    "NegativeKey", "NoEntries", "NoLockInValue", "NoMapMethod", "NotOnMap", "PopNeedsDefault", "PopOfOpaque",
    "RecordEscapes", "ReserveName", "ReserveNumber", "ReserveOutsideWith", "SlotConstant", "SlotUnproven",
    "WithoutName",
]  # fmt: skip

# What kinds of maps are called in a sentence (`enum bpf_map_type`).
_KINDS = {
    "HASH": "hash map", "ARRAY": "array map", "PERCPU_HASH": "per-CPU hash map", "PERCPU_ARRAY": "per-CPU array map",
    "LRU_HASH": "LRU hash map", "LRU_PERCPU_HASH": "LRU per-CPU hash map", "LPM_TRIE": "trie of prefixes",
    "RINGBUF": "ring buffer", "QUEUE": "queue", "STACK": "stack", "BLOOM_FILTER": "bloom filter",
    "PROG_ARRAY": "program array", "ARRAY_OF_MAPS": "array of maps", "HASH_OF_MAPS": "hash of maps",
    "DEVMAP": "map of interfaces", "DEVMAP_HASH": "map of interfaces", "CPUMAP": "map of CPUs",
    "XSKMAP": "map of AF_XDP sockets", "CGROUP_ARRAY": "array of cgroups", "ARENA": "arena",
}  # fmt: skip


class HashSubscript(Diagnostic):
    """`m[k]` of a hash map is read as a value, but the key may be missing.

    Python would raise KeyError, which a program can't. `get` gives None where the key is missing, or a default.
    Assigning `m[k] = v` and counting `m[k] += 1` need no check: they make the entry.

        seen = drops[key]                 # fails

        seen = drops.get(key, 0)          # works

        flow = flows.get(key)             # works: a struct, changed in place
        if flow is not None:
            flow.packets += 1
    """

    name: str
    key: str
    number: bool

    code = "E0401"
    title = "`{name}[{key}]` is read, but the key may be missing"
    label = "Python would raise KeyError"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.number:
            yield Help("give a default for a missing key:", (f"{self.name}.get({self.key}, 0)",))
        lines = (f"entry = {self.name}.get({self.key})", "if entry is not None:", "    ...")
        yield Help(
            "look it up, and check for None:" if not self.number else "or look it up, and check for None:", lines
        )


class SlotConstant(Diagnostic):
    """A constant index that lies outside an array map.

    The slots of an array map are counted from 0; negative indices don't count from the end.

        counts = ArrayMap[u64](max_entries=4)

        counts[4] += 1        # fails: the last slot is 3
        counts[3] += 1        # works
    """

    index: int
    name: str
    length: int

    code = "E0402"
    title = "`{name}` has {slots}; there is no slot {index}"
    label = "out of bounds"

    def texts(self) -> tuple[str, str]:
        slots = "slot 0 only" if self.length == 1 else f"slots 0 to {self.length - 1}"
        return f"`{self.name}` has {slots}; there is no slot {self.index}", "out of bounds"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.index < 0:
            yield Help(f"count from 0: the last slot is {self.name}[{self.length - 1}]")
        else:
            largest = f"slot {self.length - 1} or below" if self.length > 1 else "slot 0"
            yield Help(f"use {largest}, or make the map larger: max_entries={self.index + 1}")


class SlotUnproven(Diagnostic):
    """An index that is not known to lie inside an array map.

    Python would raise IndexError. Compare it first, or look it up with .get(), which gives None outside the map.

        counts = ArrayMap[u64](max_entries=16)

        counts[i] += 1        # fails: i may be 16 or more

        if i < 16:            # works
            counts[i] += 1
    """

    text: str
    name: str
    length: int
    lo: int
    hi: int

    code = "E0403"
    title = "`{text}` may be out of bounds: `{name}` has {slots}"
    label = ""

    def texts(self) -> tuple[str, str]:
        slots = "slot 0 only" if self.length == 1 else f"slots 0 to {self.length - 1}"
        return f"`{self.text}` may be out of bounds: `{self.name}` has {slots}", outside(self.lo, self.hi, self.length)

    def more(self) -> Iterator[Label | Note | Help]:
        name = self.text if self.text.isidentifier() else "i"
        first = () if self.text.isidentifier() else (f"i = {self.text}",)
        test = f"{name} < {self.length}" if self.lo >= 0 else f"0 <= {name} < {self.length}"
        what = "check it first:" if self.text.isidentifier() else "keep it in a variable, and check that:"
        yield Help(what, (*first, f"if {test}:", f"    ... {self.name}[{name}]"))
        yield Note(between(self.lo, self.hi))


def outside(lo: int, hi: int, length: int) -> str:
    """On which side an index may miss an array of `length` elements."""
    if hi < length:
        return "may be negative"
    if lo < 0:
        return f"not known to lie between 0 and {length - 1}"
    return f"may be {length}" if hi == length else f"not known to be below {length}"


class NoEntries(Diagnostic):
    """A ring buffer is subscripted, or searched with `in`, but it has no keys.

    Records are put into a ring buffer one after the other, and user space takes them out.

        execs[pid()] = Exec(pid=pid())    # fails
        execs.emit(Exec(pid=pid()))       # works
    """

    name: str
    kind: str
    what: str
    value: str

    code = "E0404"
    title = "`{name}` is a {kind}, which has no keys"
    label = "`{what}` needs a map with keys"

    def texts(self) -> tuple[str, str]:
        title = f"`{self.name}` is a {_KINDS.get(self.kind, self.kind)}, which has no keys"
        return title, f"`{self.what}` needs a map with keys"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("send a record:", (f"{self.name}.emit({self.value})",))
        yield Help("or keep the values in a HashMap, by key")


class NegativeKey(Advised):
    """A key that is always negative, for a map whose keys are unsigned.

    It would be stored as a large number, 4294967283 for -13.

        errors = HashMap[u32, u64](max_entries=64)    # fails for errors[error], where error is -13
        errors = HashMap[i32, u64](max_entries=64)    # works
    """

    name: str
    kind: str
    signed: str

    code = "E0405"
    title = "this key of `{name}` is negative, and its keys are {kind}"
    label = "always negative"
    way_out = "declare the map with keys of type {signed}, or use another key"


class ArrayDelete(Advised):
    """`del` of an array map's slot.

    The slots of an array always exist, so they can't be deleted; set the slot to zero.

        del calls[0]        # fails
        calls[0] = 0        # works
    """

    name: str
    key: str
    zero: str

    code = "E0406"
    title = "a slot of the array map `{name}` can't be deleted"
    label = "the slots of an array always exist"
    way_out = "set it to zero:"
    lines = ("{name}[{key}] = {zero}",)


class NoMapMethod(Diagnostic):
    """A method that this kind of map does not have in a program.

    In a program hash maps have get, pop and setdefault, array maps have get, ring buffers have emit and reserve. What
    walks through a whole map is for user space, which has all of Python's methods: `obj[seen].clear()`.

        seen.update(pid(), 1)       # fails
        seen[pid()] = 1             # works
    """

    method: str
    name: str
    kind: str
    known: tuple[str, ...]
    near: str
    hint: str

    code = "E0407"
    title = "the {kind} `{name}` has no method `{method}` in a program"
    label = "no such method"

    def texts(self) -> tuple[str, str]:
        kind = _KINDS.get(self.kind, self.kind)
        return f"the {kind} `{self.name}` has no method `{self.method}` in a program", self.label

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield misspelt(self.span, self.method, self.near)
        elif self.hint:
            yield Help(self.hint)
        elif len(self.known) == 1:
            yield Help(f"its only method in a program is {self.known[0]}")
        else:
            yield Help(f"its methods in a program are {listed(self.known)}")


class PopNeedsDefault(Advised):
    """`m.pop(k)` without a default, but the key may be missing.

    Python would raise KeyError, which a program can't.

        begin = started.pop(tid())          # fails

        begin = started.pop(tid(), None)    # works
        if begin is None:
            return
    """

    name: str
    key: str

    code = "E0408"
    title = "`{name}.pop()` needs a default, since the key may be missing"
    label = "Python would raise KeyError"
    way_out = "give a default, and check for it:"
    lines = ("value = {name}.pop({key}, None)", "if value is not None:", "    ...")


class PopOfOpaque(Advised):
    """`pop()` of a struct with a lock, a timer or the like: these live in their map, and can't be copied out of it.

    Elsewhere `pop()` gives a copy, which is the program's own.

        call = calls.pop(tid(), None)      # fails, where a Call has a SpinLock

        call = calls.get(tid())            # works
        if call is not None:
            printk(f"{call.size}")
            del calls[tid()]
    """

    name: str
    kind: str
    opaque: str
    key: str

    code = "E0409"
    title = "`{name}.pop()` would copy the {opaque} of a {kind}"
    label = "it can't leave the map"
    way_out = "look it up, use it, then delete it:"
    lines = ("entry = {name}.get({key})", "if entry is not None:", "    ...", "    del {name}[{key}]")


def _reserving(name: str, sized: bool) -> tuple[str, ...]:
    """How a record is reserved."""
    if sized:
        return (f"with {name}.reserve(size) as d:", "    d.write(header)")
    return (f"with {name}.reserve() as event:", "    if event is not None:", "        ...")


class ReserveOutsideWith(Diagnostic):
    """`reserve()` outside a `with` statement.

    A reserved record must be submitted on every path, which `with` sees to.

        event = execs.reserve()               # fails

        with execs.reserve() as event:        # works
            if event is not None:
                event.pid = pid()
    """

    name: str
    sized: bool = False  # its records are bytes of any number

    code = "E0411"
    title = "`{name}.reserve()` stands only in a `with` statement"
    label = "nothing would submit the record"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write:", _reserving(self.name, self.sized))


class WithoutName(Diagnostic):
    """A reservation without a name for the record.

    Without `as` there is nothing to fill the record by.

        with execs.reserve():                 # fails

        with execs.reserve() as event:        # works
            if event is not None:
                event.pid = pid()
    """

    name: str
    sized: bool = False

    code = "E0412"
    title = "the record reserved in `{name}` needs a name"
    label = "no `as`"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write:", _reserving(self.name, self.sized))


class ReserveNumber(Advised):
    """`reserve()` of a ring buffer of plain numbers: there is no object to fill.

    Emit the number.

        pids = RingBuffer[u32](4096)

        with pids.reserve() as slot:     # fails
        pids.emit(pid())                 # works
    """

    name: str
    kind: str

    code = "E0413"
    title = "a record of `{name}` is a plain {kind}, so there is nothing to fill in place"
    label = "no object"
    way_out = "emit the number:"
    lines = ("{name}.emit(value)",)


class ReserveName(Diagnostic):
    """The name of a reserved record is used for something else.

    It is assigned while the record is open, or it had another value before. The record is filled by its fields.

        with execs.reserve() as event:
            if event is not None:
                event = Exec(pid=pid())       # fails
                event.pid = pid()             # works
    """

    name: str
    open: bool

    code = "E0414"
    title = "`{name}` names a reserved record, and can't be assigned"
    label = "assigned here"

    def texts(self) -> tuple[str, str]:
        if self.open:
            return super().texts()
        return f"`{self.name}` already has another value, so it can't name a reserved record", "used before"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.open:
            yield Help(f"fill the record by its fields, `{self.name}.field = ...`, or assign to another name")
        else:
            yield Help("use another name")


class DiscardOther(Diagnostic):
    """`discard()` on something other than the name after `as`, or outside the `with` block.

    The compiler sees to it that a record is submitted or discarded exactly once, by the name it was reserved under.

        with execs.reserve() as event:
            if event is not None:
                same = event
                same.discard()      # fails
                event.discard()     # works
    """

    text: str
    names: tuple[str, ...]

    code = "E0415"
    title = "`{text}` is not the name that a record was reserved under"
    label = "can't be discarded by this name"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.names:
            yield Help("discard it by the name after `as`:", (f"{self.names[-1]}.discard()",))
        else:
            yield Help("discard it inside the `with` block that reserved it, by the name after `as`")


class RecordEscapes(Advised):
    """A function returns a record that it reserved.

    The record is submitted when the function leaves the `with` block, so the caller could not use it. Return a Struct,
    which the caller emits.

        def new_event() -> Exec | None:
            with execs.reserve() as event:
                return event                  # fails

        def new_event() -> Exec:
            return Exec(pid=pid())            # works

        execs.emit(new_event())
    """

    text: str

    code = "E0416"
    title = "`{text}` is submitted when the function returns, so it can't be returned"
    label = "a reserved record"
    way_out = "fill it where it is reserved, or return a new Struct and emit that"


class Misaligned(Advised):
    """`+=` on a field of a packed struct in a map that other CPUs see, at an offset where it can't be atomic.

    The update must be atomic, and the kernel takes atomic instructions at aligned addresses only: a u64 at a multiple
    of 8 bytes, a u32 at a multiple of 4.

        class Flow(Struct, packed=True):      # fails for flow.bytes += 1: it lies at byte 1
            proto: u8
            bytes: u64

        class Flow(Struct, packed=True):      # works: at byte 0
            bytes: u64
            proto: u8

        class Flow(Struct):                   # works: with padding, at byte 8
            proto: u8
            bytes: u64
    """

    text: str
    struct: str
    kind: str
    size: int
    offset: int

    code = "E0417"
    title = "`{text}` can't be updated atomically: it lies at byte {offset} of {struct}"
    label = "a {kind} needs a multiple of {size}"
    way_out = "put the field at a multiple of {size} bytes, or leave out packed=True"

    def texts(self) -> tuple[str, str]:
        title, label = super().texts()
        if self.offset % self.size == 0:
            title = f"`{self.text}` can't be updated atomically: this {self.struct} may lie at an odd address"
        return title, label

    why = "the kernel would say: misaligned value access"


class NotOnMap(Diagnostic):
    """An operator that a map of this type does not have in a program.

    A queue has no keys. A lookup in a trie finds the longest prefix that matches, which may be another than the one
    meant, so entries of it are not added to by key.

        pending = Queue[Job](64)
        jobs[0] = job                 # fails
        jobs.push(job)                # works

        routes[prefix] += 1           # fails: LpmTrie
        route = routes.get(prefix)    # works
    """

    what: str
    name: str
    kind: str
    methods: tuple[str, ...]

    code = "E0418"
    title = "`{what}` is not for `{name}`, a {kind}"
    label = "not here"

    def texts(self) -> tuple[str, str]:
        kind = _KINDS.get(self.kind, self.kind)
        article = "an" if kind[0] in "aeiou" else "a"
        return f"`{self.what}` is not for `{self.name}`, {article} {kind}", self.label

    def more(self) -> Iterator[Label | Note | Help]:
        if self.methods:
            yield Help(f"its methods in a program are {listed(self.methods)}")
        else:
            yield Help("call one of its methods, or a helper that takes maps of this type")


class MapAccess(Diagnostic):
    """A program changes a map that is read-only for programs, or reads one that is write-only.

    `rdonly_prog=True` and `wronly_prog=True` say so in the declaration (BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG).

        limits = ArrayMap[u64](4, rdonly_prog=True)
        limits[0] = 1        # fails
        limit = limits[0]    # works
    """

    name: str
    flag: str

    code = "E0419"
    title = "programs may not {verb} `{name}`"
    label = "declared with {flag}=True"

    def texts(self) -> tuple[str, str]:
        verb = "change" if self.flag == "rdonly_prog" else "read"
        return f"programs may not {verb} `{self.name}`", f"it is declared with {self.flag}=True"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"leave {self.flag} out of the declaration, or do it in user space")


class NoLockInValue(Advised):
    """`lock=True` for a map whose values have no SpinLock.

    The lock that is held while the value is copied (BPF_F_LOCK) is one in the value.

        totals = HashMap[u32, u64](max_entries=64)
        totals.set(key, 1, lock=True)           # fails

        class Total(Struct):                    # works for totals.set(key, Total(packets=1), lock=True)
            lock: SpinLock
            packets: u64
    """

    name: str
    kind: str

    code = "E0420"
    title = "the values of `{name}` have no SpinLock to hold"
    label = "lock=True"
    way_out = "leave out lock=True, or give {kind} a field of type SpinLock"


class InnerMapTruth(Advised):
    """A map out of a map of maps, as a condition.

    Python would ask whether there is anything in it, which a program can't find out.

        table = tables.get(cpu())
        if table:                    # fails
        if table is not None:        # works
            table[key] = value
    """

    text: str

    code = "E0421"
    title = "whether `{text}` is empty can't be asked in a program"
    label = "a map"
    way_out = "ask whether there is one:"
    lines = ("if {text} is not None:",)


class InnerMapLoop(Advised):
    """A `for` over a map out of a map of maps.

    The verifier has to know which map a loop walks through. User space walks through any: `obj[tables][1].items()`.

        table = tables.get(cpu())
        if table is not None:
            for key in table:        # fails
                ...

        for key in first:            # works: a map by its own name
            ...
    """

    name: str

    code = "E0422"
    title = "a program can't loop over `{name}`, a map out of a map of maps"
    label = "the verifier does not know which map it is"
    way_out = "do it in user space, or loop over a map that is named in the program"
