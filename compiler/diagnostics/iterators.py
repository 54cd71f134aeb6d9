"""E133x: loops over iterators of the kernel, and over helpers that call their body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "HelperOutsideLoop", "IteratorByHand", "IteratorOutsideLoop", "KfuncNeedsRegion", "KfuncNeedsSleep", "SleepInBody",
]  # fmt: skip


class IteratorByHand(Advised):
    """A call of one of the three functions that an iterator is made of.

    A `for` loop calls them: it destroys the iterator on every way out.

    Fails:

        kfuncs.bpf_iter_task_new(it, None, 0)

    Works:

        for task in kfuncs.bpf_iter_task(None, 0):
            tasks += 1
    """

    name: str
    iterator: str

    code = "E1330"
    title = "`{name}` is called by loops over the iterator"
    label = "can't be called by itself"
    way_out = "loop over it:"
    lines = ("for item in kfuncs.{iterator}(...):",)


class IteratorOutsideLoop(Advised):
    """An iterator of the kernel that is not what a `for` loops over.

    It is not a value: the loop makes it, and destroys it on every way out.

    Fails:

        tasks = kfuncs.bpf_iter_task(None, 0)

    Works:

        for task in kfuncs.bpf_iter_task(None, 0):
            total += 1
    """

    name: str
    call: str

    code = "E1331"
    title = "`{name}` makes an iterator, which only a `for` loop can use"
    label = "no value"
    way_out = "loop over it:"
    lines = ("for item in {call}:",)


class KfuncNeedsRegion(Advised):
    """A kfunc whose objects are there only in an RCU section, called outside of one in a program that may sleep.

    A program that can't sleep is one section as a whole.

    Fails:

        @syscall
        def count(ctx: SyscallContext) -> int:
            for task in kfuncs.bpf_iter_task(None, 0):

    Works:

            with releasing(kfuncs.bpf_rcu_read_lock()):
                for task in kfuncs.bpf_iter_task(None, 0):
    """

    name: str
    program: str
    begin: str

    code = "E1332"
    title = "`{name}` needs an RCU section, and {program}() may sleep"
    label = "outside of an RCU section"
    way_out = "put it into one:"
    lines = ("with releasing(kfuncs.{begin}()):",)
    why = "the kernel would say: kernel func {name} requires RCU critical section protection"


class KfuncNeedsSleep(Advised):
    """A kfunc that only programs which may sleep can call, and iterators and security hooks.

        @xdp
        def count(pkt: XdpContext) -> XDP:
            for task in kfuncs.bpf_iter_css_task(css, 0):      # fails

    The same loop works in `@syscall`, in `@bpf_iter.task` and in the sleepable variants of hooks.
    """

    name: str
    program: str

    code = "E1333"
    title = "`{name}` can't be called by a program of type {program} that does not sleep"
    label = "not allowed here"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("call it in a program that may sleep, such as @syscall, or in an iterator (@bpf_iter)")
        yield Note(f"the kernel would say: calling kernel function {self.name} is not allowed")


class HelperOutsideLoop(Advised):
    """A helper that calls a function with what it finds, and is not what a `for` loops over.

    The loop's body is that function. It runs if there is something, and not at all otherwise.

    Fails:

        vma = helpers.bpf_find_vma(current_task(), address)

    Works:

        for vma in helpers.bpf_find_vma(current_task(), address):
            start = vma.vm_start
    """

    name: str
    element: str
    call: str

    code = "E1334"
    title = "`{name}` calls the body of a `for` loop"
    label = "no value"
    way_out = "loop over it:"
    lines = ("for {element} in {call}:",)


class SleepInBody(Diagnostic):
    """A call that may sleep, in the body of a loop over a helper that holds a lock meanwhile.

    What waits for memory to be read in may need the same lock, and then waits for ever.

    Fails:

        for vma in helpers.bpf_find_vma(current_task(), address):
            helpers.bpf_copy_from_user(head, 16, vma.vm_start)

    Works:

        start = u64(0)
        for vma in helpers.bpf_find_vma(current_task(), address):
            start = vma.vm_start
        helpers.bpf_copy_from_user(head, 16, start)
    """

    name: str
    helper: str
    where: Span

    code = "E1335"
    title = "`{name}` may sleep, and `{helper}` holds a lock while the loop's body runs"
    label = "may sleep"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.where, "held until the body ends")
        yield Help("keep the numbers you need in variables, and call it behind the loop")
