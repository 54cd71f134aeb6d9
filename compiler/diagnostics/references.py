"""E131x: references that a call acquires, and another must give back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "AcquiredAgain", "NotAcquired", "NotHeld", "ReferenceEscapes", "RegionNotOpen", "RegionOpen", "SocketIndex",
    "StillHeld", "TestedTwice", "WithoutVariable",
]  # fmt: skip


class StillHeld(Diagnostic):
    """A reference that the program acquired is not released on this way out.

    A socket that was looked up, a task, a cgroup or memory of a ring buffer is counted: until it is released it can't
    go away. The verifier refuses a program that can end with one. `with releasing(...)` releases it on every way out.

    Fails:

        sk = helpers.bpf_sk_lookup_tcp(pkt, where, sizeof(where), -1, 0)
        if sk is None or sk.family != AF_INET:
            return XDP.PASS
        helpers.bpf_sk_release(sk)

    Works:

        with releasing(helpers.bpf_sk_lookup_tcp(pkt, where, sizeof(where), -1, 0)) as sk:
            if sk is None or sk.family != AF_INET:
                return XDP.PASS
    """

    name: str
    origin: Span
    call: str
    release: str
    region: bool = False

    code = "E1310"
    title = "{what} is not released on this way out"
    label = "still held here"

    def texts(self) -> tuple[str, str]:
        if self.region:
            return f"the region of `{self.call}` does not end on this way out", "still inside"
        return f"{f'`{self.name}`' if self.name else 'what was acquired'} is not released on this way out", self.label

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.origin, "entered here" if self.region else "acquired here")
        if self.region:
            yield Help("end it first:", (f"{self.release}()",))
            yield Help("or let a block do so on every way out:", (f"with releasing({self.call}):",))
            yield Note("the kernel would say: BPF_EXIT instruction cannot be used inside such a region")
            return
        if self.release.endswith("_dynptr"):
            yield Help("release it first:", (f"{self.release}({self.name or 'd'}, 0)",))
            yield Help("or let a block do so on every way out:", ("with records.reserve(size) as d:",))
            yield Note("the kernel would say: BPF_EXIT instruction in main prog would lead to reference leak")
            return
        if self.name:
            yield Help("release it first:", (f"{self.release}({self.name})",))
        else:
            yield Help("keep it in a variable, and release that:", (f"it = {self.call}", f"{self.release}(it)"))
        yield Help("or let a block do so on every way out:", (f"with releasing({self.call}) as it:",))
        yield Note("the kernel would say: BPF_EXIT instruction in main prog would lead to reference leak")


class NotHeld(Diagnostic):
    """A call that releases something, given what the function did not acquire, or may have released before.

    Only what a call gave to keep can be released, once, in the function that acquired it (or that a function which it
    calls returned to it). What a `with releasing(...)` block holds the block releases.

    Fails:

        def drop(task: task_struct) -> None:
            kfuncs.bpf_task_release(task)

    Works:

        task = kfuncs.bpf_task_from_pid(1)
        if task is not None:
            kfuncs.bpf_task_release(task)
    """

    text: str
    held: tuple[str, ...]
    managed: str
    handed: bool = False  # it should go into a map, a list or a tree

    code = "E1311"
    title = "`{text}` is not held here, so it can't be released"
    label = ""

    def texts(self) -> tuple[str, str]:
        if self.managed:
            return f"`{self.text}` is released at the end of its `with` block", "released here as well"
        if self.held:
            return f"`{self.text}` may be either of two references that are held", "which one is released?"
        title = f"`{self.text}` is not held here, so it can't be kept elsewhere" if self.handed else super().texts()[0]
        return title, "not acquired by this function"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.managed:
            yield Help("leave it out: the block releases it on every way out")
        elif self.held:
            yield Help(f"use a variable for each of {listed(self.held)}")
        elif self.handed:
            yield Help("give what this function acquired: it is held once, and then by who keeps it")
        else:
            yield Help("release it in the function that acquired it, once")
        yield Note("the kernel would say: R1 must be referenced when passed to release function")


class AcquiredAgain(Diagnostic):
    """A loop acquires a reference again while that of an earlier iteration may still be held.

    Fails:

        for pid in range(1, 4):
            task = kfuncs.bpf_task_from_pid(pid)

    Works:

        for pid in range(1, 4):
            with releasing(kfuncs.bpf_task_from_pid(pid)) as task:
                if task is not None:
                    total += task.prio
    """

    call: str
    release: str

    code = "E1312"
    title = "the reference of an earlier iteration may still be held here"
    label = "acquired again"

    def more(self) -> Iterator[Label | Note | Help]:
        block = f"with releasing({self.call}) as it:"
        if self.release.endswith("_dynptr"):
            block = "with records.reserve(size) as d:"
        yield Help("release it before the iteration ends, on every way:", (block,))
        yield Note("the kernel would say: BPF_EXIT instruction in main prog would lead to reference leak")


class NotAcquired(Advised):
    """`with releasing(...)` needs a call that acquires something.

    Fails:

        with releasing(helpers.bpf_sk_fullsock(sk)) as full:

    Works:

        with releasing(helpers.bpf_sk_lookup_tcp(pkt, where, sizeof(where), -1, 0)) as sk:
    """

    text: str

    code = "E1313"
    title = "`{text}` acquires nothing that could be released"
    label = "no reference to be released"
    way_out = "use it without `with`"


class ReferenceEscapes(Diagnostic):
    """A function returns a reference that its `with releasing(...)` block releases.

    Fails:

        def find(pid: i32) -> task_struct | None:
            with releasing(kfuncs.bpf_task_from_pid(pid)) as task:
                return task

    Works:

        def find(pid: i32) -> task_struct | None:
            return kfuncs.bpf_task_from_pid(pid)          # who calls it releases it
    """

    text: str
    origin: Span

    code = "E1314"
    title = "`{text}` is released before the function returns it"
    label = "no longer held when it is returned"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.origin, "acquired here, for this block")
        yield Help("return what was acquired, and let the caller release it, in a `with` block of its own")


class WithoutVariable(Advised):
    """`with releasing(...)` whose `as` names no local variable.

    Fails:

        with releasing(kfuncs.bpf_task_from_pid(1)) as holder.task:

    Works:

        with releasing(kfuncs.bpf_task_from_pid(1)) as task:
    """

    text: str

    code = "E1315"
    title = "`{text}` needs a local variable"
    label = "kept elsewhere"
    way_out = "name it so, or not at all:"
    lines = ("with {text} as it:",)


class SocketIndex(Advised):
    """An element of an array in a socket, a context or the like by an index that is not constant.

    The verifier lets a program read those at fixed offsets only.

    Fails:

        word = sk.src_ip6[i]

    Works:

        word = sk.src_ip6[3]
    """

    text: str
    array: str

    code = "E1316"
    title = "`{array}` takes constant indices only"
    label = "not a constant"
    way_out = "write each index as a number:"
    lines = ("{array}[0]",)


class RegionOpen(Diagnostic):
    """A region is entered that the program is in already.

    `bpf_rcu_read_lock` and `bpf_preempt_disable` begin a region of the program, which another call ends. One in itself
    makes no difference, and not all kernels take it.

    Fails:

        kfuncs.bpf_rcu_read_lock()
        kfuncs.bpf_rcu_read_lock()

    Works:

        with releasing(kfuncs.bpf_rcu_read_lock()):
            total = task.real_parent.tgid
    """

    call: str
    origin: Span

    code = "E1317"
    title = "the region of `{call}` is entered already"
    label = "entered again"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.origin != self.span:
            yield Label(self.origin, "entered here")
        yield Help("leave this one out, or end the other first")
        if "rcu" in self.call:
            yield Note("the kernel would say: nested rcu read lock")


class RegionNotOpen(Advised):
    """A call ends a region that was not entered, not on every way here, or that a `with` block ends.

    Fails:

        kfuncs.bpf_rcu_read_unlock()

    Works:

        kfuncs.bpf_rcu_read_lock()
        kfuncs.bpf_rcu_read_unlock()
    """

    call: str
    name: str

    code = "E1318"
    title = "there is no region here that `{name}` could end"
    label = "not entered on every way here"
    way_out = "enter and leave it in one place, with a block:"
    lines = ("with releasing(kfuncs.bpf_rcu_read_lock()):",)
    why = "the kernel would say: unmatched rcu read unlock"


class TestedTwice(Advised):
    """What an inlined function acquired, and has tested on some of its ways, is tested for None once more.

    Older kernels remember of sockets only that they are there: of memory of a ring buffer, and of objects that kernel
    functions give, they take a second test for one that may fail, with the reference still held.

    Fails for such kernels:

        def reserve():
            record = helpers.bpf_ringbuf_reserve(events, 16, 0)
            if record is not None:
                return record
            return helpers.bpf_ringbuf_reserve(spare, 16, 0)

        record = reserve()
        if record is not None:
            helpers.bpf_ringbuf_submit(record, 0)

    Works:

        def reserve():
            return helpers.bpf_ringbuf_reserve(events, 16, 0)
    """

    name: str
    since: str
    call: str

    code = "E1319"
    title = "kernels before {since} lose track of `{name}`, which `{call}` has tested for None"
    label = "tested again"
    way_out = "test it in one place only, or build for newer kernels: --target {since}"
    why = "the kernel would say: Unreleased reference"
