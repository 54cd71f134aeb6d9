"""E143x: objects that maps, lists and trees keep, and those that programs allocate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "BorrowedEscapes", "KeptOutsideMap", "KptrOutsideSection", "NotAllocatable", "NotCounted", "NotInTree", "NotLocked",
    "OrderFunction",
]  # fmt: skip


class KeptOutsideMap(Diagnostic):
    """A pointer, a list or a tree is used that does not lie in a value of a map.

    The kernel gives back what a map keeps when the element goes, so it must know the place.

        slot = Slot()                     # fails
        slot.task.exchange(task)

        slot = slots.get(0)               # works
        if slot is not None:
            old = slot.task.exchange(task)
    """

    text: str
    space: str

    code = "E1430"
    title = "`{text}` lies in {space} memory; objects are kept in the values of maps"
    label = "not in a map"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("use that of a value in a map:", ("value = table.get(key)", "if value is not None:"))


class KptrOutsideSection(Advised):
    """What a map keeps is looked at in a program that may sleep, outside an RCU section.

    While the program sleeps another one may take the object out, and it may be freed. In programs that don't sleep the
    whole program is such a section.

    Fails:

        task = slot.task.get()

    Works:

        with releasing(kfuncs.bpf_rcu_read_lock()):
            task = slot.task.get()
            if task is not None:
                total += task.prio
    """

    text: str

    code = "E1431"
    title = "`{text}` needs an RCU section in a program that may sleep"
    label = "the object may be freed meanwhile"
    way_out = "look at it in a section, or take it out with exchange():"
    lines = ("with releasing(kfuncs.bpf_rcu_read_lock()):", "    it = {text}")


class NotLocked(Diagnostic):
    """A list or a tree is used without the lock that lies beside it in the same value.

    The verifier knows a lock by the lookup that gave its value: another lookup of the same key is another lock to it.

    Fails:

        jobs = table.get(0)
        if jobs is not None:
            job = jobs.queue.pop_front()

    Works:

        jobs = table.get(0)
        if jobs is not None:
            with lock(jobs):
                job = jobs.queue.pop_front()
    """

    name: str
    root: Span
    lock: Span | None

    code = "E1432"
    title = "a list or a tree is used without its lock"
    label = "needs the lock"

    def texts(self) -> tuple[str, str]:
        if self.lock is not None:
            return "the lock that is held here is not that of this list or tree", "of another value"
        return super().texts()

    def more(self) -> Iterator[Label | Note | Help]:
        if self.lock is not None:
            yield Label(self.lock, "held here")
        line = self.root.source.line(self.root.line)
        text = line[self.root.col : self.root.end_col]
        value = text.rpartition(".")[0]
        if not value.replace(".", "").isidentifier():
            value = "value"
        yield Help("hold the lock of the value, in a variable, that it lies in:", (f"with lock({value}):",))
        yield Note("the kernel would say: bpf_spin_lock must be held for the list or tree")


class BorrowedEscapes(Advised):
    """An object of a list or a tree is returned out of the block that holds the lock.

    Without the lock another CPU may take it out and free it.

    Fails:

        with lock(jobs):
            return jobs.queue.first()

    Works:

        with lock(jobs):
            job = jobs.queue.first()
            return job.due if job is not None else 0
    """

    text: str

    code = "E1433"
    title = "`{text}` can't leave the `with` block: it is the list's or the tree's, and the lock is given back"
    label = "may be gone without the lock"
    way_out = "return what is needed of it, or take it out: pop_front(), remove()"


class NotInTree(Advised):
    """What is to be taken out of a tree was not found there.

    Only an object that `first`, `root`, `left` or `right` gave, under the same lock, can be removed.

    Fails:

        jobs.queue.remove(job)            # which the program holds itself

    Works:

        job = jobs.queue.first()
        if job is not None:
            taken = jobs.queue.remove(job)
    """

    text: str
    root: str

    code = "E1434"
    title = "`{text}` was not found in `{root}`"
    label = "held by the program itself"
    way_out = "remove what first() gives:"
    lines = ("it = {root}.first()", "if it is not None:", "    taken = {root}.remove(it)")


class OrderFunction(Diagnostic):
    """What orders a tree is not a plain function of two objects that returns a bool.

        def earlier(a: Job, b: Job) -> bool:      # works
            return a.due < b.due

        jobs.queue.add(job, 5)                    # fails
        jobs.queue.add(job, earlier)              # works

    It runs while the lock is held, so it compares fields and calls nothing.
    """

    text: str
    why: str
    struct: str

    code = "E1435"
    title = "`{text}` can't order a tree: it {why}"
    label = "not a function ({struct}, {struct}) -> bool"

    def more(self) -> Iterator[Label | Note | Help]:
        head = f"def before(a: {self.struct}, b: {self.struct}) -> bool:"
        yield Help("write a function of the module:", (head, "    return ..."))


class NotAllocatable(Diagnostic):
    """A class whose objects can't be allocated: they hold what only a value of a map may, or can hang in two places
    without being counted.

    An object is of numbers, texts, arrays, structs, and one ListNode, one RbNode and one RefCount at most. With both
    nodes it needs a RefCount.

        class Job(Struct):                # fails: a SpinLock belongs in a map's value
            lock: SpinLock = SpinLock()

        class Job(Struct):                # works
            due: u64
            node: ListNode = ListNode()
    """

    struct: str
    problem: str
    help: str
    lines: tuple[str, ...] = ()

    code = "E1436"
    title = "objects of {struct} can't be allocated"
    label = "{problem}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.help:
            yield Help(self.help, self.lines)


class NotCounted(Advised):
    """An object is to be held once more, and has no RefCount.

    Fails:

        class Job(Struct):
            due: u64

        again = refcount_acquire(job)

    Works:

        class Job(Struct):
            due: u64
            refs: RefCount = RefCount()
    """

    text: str
    struct: str

    code = "E1437"
    title = "`{text}` can't be held twice: {struct} has no RefCount"
    label = "of one holder"
    way_out = "add a field to {struct}:"
    lines = ("refs: RefCount = RefCount()",)
