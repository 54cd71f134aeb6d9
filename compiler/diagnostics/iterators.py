"""E133x: loops over iterators of the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["IteratorByHand", "IteratorOutsideLoop", "KfuncNeedsRegion", "KfuncNeedsSleep"]


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
