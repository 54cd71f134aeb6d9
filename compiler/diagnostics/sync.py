"""E14xx: what several CPUs share: atomic instructions, spin locks, timers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "AtomicLevel", "CallWhileLocked", "LockAs", "LockByHand", "LockInLock", "LockOutsideMap", "NoLock",
    "NotAtomicPlace", "OpaqueAssigned", "OpaqueCopied", "OpaqueForbidden", "TimerCallback", "TimerMap",
    "TimerOutsideMap",
]  # fmt: skip


class AtomicLevel(Diagnostic):
    """An atomic instruction that the instruction set of `--cpu` does not have.

    Atomic additions are in every instruction set; `&=`, `|=`, `^=` on memory that other CPUs see, and what gives back
    the old value (`fetch_add()` and the like), came with v3 (Linux 5.12).

        before = fetch_add(entry.hits, 1)      # fails with --cpu v2, works with --cpu v3
        entry.hits += 1                        # works everywhere
    """

    what: str
    level: int

    code = "E1401"
    title = "{what} needs instruction set v3, and the program is built for v{level}"
    label = "no such instruction in v{level}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("build with --cpu v3, which Linux 5.12 and later run")


class NotAtomicPlace(Diagnostic):
    """What an atomic function is given is not a number in memory that the machine can change in one step.

    It can for fields, elements, array slots and `var()`s of 32 or 64 bits, in host order.

        hits = entry.hits
        fetch_add(hits, 1)              # fails: a copy
        fetch_add(entry.hits, 1)        # works
        fetch_add(slots[0], 1)          # works, where slots is an ArrayMap
    """

    text: str
    why: str
    map: str

    code = "E1402"
    title = "`{text}` can't be changed in one step: {why}"
    label = "not such a place"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.map:
            lines = (f"entry = {self.map}.get(key)", "if entry is not None:", "    fetch_add(entry.hits, 1)")
            yield Help("look up an entry that is a Struct, and name the field:", lines)
        else:
            yield Help("name a field, an element, an array's slot or a `var()` of type u32, i32, u64 or i64")


class CallWhileLocked(Diagnostic):
    """Something is called while a spin lock is held: a helper, a map operation, a function of its own.

    The verifier allows only loads, stores and arithmetic there, so that no lock is held for long. Look up and ask
    before, and do the rest after the block.

        with lock(flow):                  # fails
            flow.seen = ktime()

        now = ktime()                     # works
        with lock(flow):
            flow.seen = now
    """

    what: str
    lock: Span

    code = "E1403"
    title = "{what} can't be called while a spin lock is held"
    label = "a call"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.lock, "held since here")
        yield Help("do it before the `with` block, and keep the result in a variable; or after the block")
        yield Note("the kernel would say: function calls are not allowed while holding a lock")


class LockInLock(Diagnostic):
    """A spin lock is taken while another is held.

    A program holds one at a time: two, taken in different orders by two CPUs, would wait for each other for ever.

        with lock(a):                     # fails
            with lock(b):
                a.n, b.n = b.n, a.n

        with lock(a):                     # works
            n = a.n
        with lock(b):
            b.n += n
    """

    lock: Span

    code = "E1404"
    title = "a second spin lock, while one is held"
    label = "taken here"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.lock, "held since here")
        yield Help("end the first `with` block before the second one begins")
        yield Note("the kernel would say: Locking two bpf_spin_locks are not allowed")


class NoLock(Diagnostic):
    """What `lock()` is given has no spin lock.

    The lock is a field of the map's value.

        class Flow(Struct):
            lock: SpinLock = SpinLock()
            packets: u64 = 0

        with lock(count):                 # fails: count is a number
        with lock(flow):                  # works: flow = flows.get(key), and is not None
            flow.packets += 1
    """

    text: str
    kind: str

    code = "E1405"
    title = "`{text}` has no spin lock"
    label = "is {kind}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("lock the value of a map whose struct has the field:", ("lock: SpinLock = SpinLock()",))


class LockOutsideMap(Diagnostic):
    """What `lock()` is given is not a value in a map, but a copy.

    Others can wait for a lock only where they see it.

        flow = Flow(packets=1)            # fails
        with lock(flow): ...

        flow = flows.get(key)             # works
        if flow is not None:
            with lock(flow): ...
    """

    text: str
    space: str

    code = "E1406"
    title = "`{text}` lies in {space} memory, where no other CPU sees its lock"
    label = "not a value of a map"

    def more(self) -> Iterator[Label | Note | Help]:
        lines = ("value = table.get(key)", "if value is not None:", "    with lock(value):")
        yield Help("lock the value that is in the map:", lines)


class LockAs(Diagnostic):
    """`with lock(value) as x`: taking a lock gives no value.

    Leave out the name.

        with lock(flow) as held:          # fails
        with lock(flow):                  # works
    """

    call: str

    code = "E1407"
    title = "taking a lock gives nothing to name"
    label = "no value"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("leave it out:", (f"with {self.call}:",))


class OpaqueCopied(Diagnostic):
    """A value with a spin lock or a timer is copied out of its map.

    What the kernel keeps there can't be read. Copy the other fields.

        last[0] = flow                          # fails: flow has a SpinLock
        last[0].packets = flow.packets          # works
    """

    text: str
    kind: str
    held: str

    code = "E1408"
    title = "`{text}` can't be copied: a {kind} holds what the kernel keeps to itself"
    label = "holds a {held}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("copy its other fields one by one")
        yield Note(f"the kernel would say: {self.held} cannot be accessed directly by load/store")


class OpaqueForbidden(Diagnostic):
    """A map with a spin lock or a timer in its values is used by a tracing program or a socket filter.

    Such a program may interrupt one that holds the lock. Tracing programs are those of kprobes, tracepoints, raw
    tracepoints and perf events; socket filters may use timers, but no locks.

        @tracepoint("sched:sched_switch")         # fails where Flow has a SpinLock
        def count(ctx: TracepointContext) -> None:
            flow = flows.get(0)

        @tracepoint("sched:sched_switch")         # works: an atomic instruction
        def count(ctx: TracepointContext) -> None:
            counts[0] += 1
    """

    map: str
    what: str
    hook: str

    code = "E1409"
    title = "a {hook} program can't use {map}, whose values have {what}"
    label = "used here"

    def more(self) -> Iterator[Label | Note | Help]:
        traces = not self.hook.startswith("socket")
        if traces:
            yield Help("programs of @tp_btf, @fentry and @fexit may use it")
        if self.what == "a SpinLock":
            yield Help(f"{'or ' * traces}count with atomic updates (`+=`, fetch_add), or per CPU")
        yield Note("the kernel would say: tracing progs cannot use it yet")


class OpaqueAssigned(Diagnostic):
    """A value in a map that holds a spin lock or a timer is assigned as a whole, or the lock or timer itself is.

    Storing there would overwrite what the kernel keeps. Assign the other fields.

        slots[1] = Flow(packets=0)        # fails: Flow has a SpinLock
        slots[1].packets = 0              # works
    """

    text: str
    kind: str

    code = "E1410"
    title = "`{text}` can't be assigned: it holds what the kernel keeps to itself"
    label = "is or holds a {kind}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.kind == "kptr_untrusted":
            yield Help("set what it remembers:", (f"{self.text}.set(new)",))
        elif self.kind == "kptr":
            yield Help("exchange what it keeps:", (f"old = {self.text}.exchange(new)",))
        else:
            yield Help("assign its other fields one by one")
        yield Note(f"the kernel would say: {self.kind} cannot be accessed directly by load/store")


class TimerOutsideMap(Diagnostic):
    """A timer that does not lie in a value of a map is started or cancelled.

    The kernel calls back with an element of a map, and stops the timer when the element goes.

        entry = Entry(hits=0)                                 # fails
        entry.timer.start(entries, 1_000_000_000, expire)

        entry = entries.get(key)                              # works
        if entry is not None:
            entry.timer.start(entries, 1_000_000_000, expire)
        entry.timer.start(entries, 1_000_000_000, 5)                                 # fails
    """

    text: str
    space: str

    code = "E1411"
    title = "`{text}` lies in {space} memory; timers run in the values of maps"
    label = "not in a map"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("use the timer of a value that is in the map:", ("value = table.get(key)", "if value is not None:"))


class TimerMap(Diagnostic):
    """The map that a timer is started with is not the one that holds it.

    The kernel hands the map to the callback, and frees the timer with it.

        entry = entries.get(key)
        entry.timer.start(others, 1_000_000_000, expire)      # fails
        entry.timer.start(entries, 1_000_000_000, expire)     # works
    """

    given: str
    text: str
    kind: str

    code = "E1412"
    title = "`{given}` is not a map whose values hold `{text}`"
    label = "needs a map of {kind}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("give the map that the value was looked up in")
        yield Note("the kernel would say: timer pointer in R1 doesn't match map pointer in R2")


class TimerCallback(Diagnostic):
    """What a timer is to call is not a plain function of the map, a key and a value that returns nothing.

        def expire(table: HashMap[u32, Entry], key: u32, entry: Entry) -> None:      # works
            del table[key]

        entry.timer.start(entries, 1_000_000_000, 5)           # fails
        entry.timer.start(entries, 1_000_000_000, expire)      # works
    """

    text: str
    why: str
    map: str

    code = "E1413"
    title = "a timer can't call `{text}`: it {why}"
    label = "not a function (table, key, value) -> None"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write a function of the module:", (f"def expire(table, key, value) -> None:  # of {self.map}",))


class LockByHand(Advised):
    """A spin lock is taken or given back by calling its helper.

    A `with` block gives it back on every way out, also at a return in the middle; the kernel refuses a program that may
    end while it holds a lock.

        helpers.bpf_spin_lock(flow.lock)      # fails
        flow.packets += 1
        helpers.bpf_spin_unlock(flow.lock)

        with lock(flow):                      # works
            flow.packets += 1
    """

    name: str
    value: str  # what holds the lock

    code = "E1420"
    title = "`{name}` is called by a `with` block only"
    label = "nothing gives the lock back on every way out"
    way_out = "hold the lock for a block:"
    lines = ("with lock({value}):", "    ...")
    why = "the kernel would say: BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region"
