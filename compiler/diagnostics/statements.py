"""E01xx, second part: statements that a BPF program can't have, targets, and source text that can't be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "AnnotatedPlace", "DelName", "DelPlace", "NestedDecorator", "NoAssert", "NoAsync", "NoException", "NoImport",
    "NoNestedDefinition", "NoNonlocal", "NoSource", "NoSourceOf", "NoUnpacking", "NonlocalElsewhere", "TupleIndex",
    "UnpackCount", "WithOther",
]  # fmt: skip


class NoAsync(Advised):
    """A program is not a coroutine: it can't wait. User space can wait for what it sends.

    Fails:

        @kprobe("vfs_read")
        async def probe(ctx: PtRegs) -> None:
            pids.emit(pid())

    Works:

        @kprobe("vfs_read")
        def probe(ctx: PtRegs) -> None:
            pids.emit(pid())

        async for who in obj[pids]:         # in user space
            print(who)
    """

    what: str

    code = "E0108"
    title = "{what}: a program can't wait"
    label = "not in a program"
    way_out = "make it a plain `def`; `async for e in obj[events]` belongs in user space"


class NoException(Diagnostic):
    """BPF has no exceptions: nothing can be raised, so there is nothing to catch.

    What can fail says so in its value: a lookup gives None, a helper a negative number.

    Fails:

        try:
            value = table[key]
        except KeyError:
            return

    Works:

        value = table.get(key)
        if value is None:
            return
    """

    word: str
    answer: str  # how the function can be left early

    code = "E0109"
    title = "`{word}`: programs have no exceptions"
    label = "can't be compiled"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.word == "raise":
            yield Help("leave the function early:", (self.answer,))
        else:
            yield Help(
                "what can fail says so in its value; ask that:",
                ("value = table.get(key)", "if value is None:", f"    {self.answer}"),
            )


class NoAssert(Advised):
    """An assertion raises an exception, which BPF does not have. Test, and return early.

    Fails:

        assert n < 16

    Works:

        if n >= 16:
            return
    """

    test: str  # what must not hold
    answer: str

    code = "E0110"
    title = "`assert`: programs have no exceptions"
    label = "can't be compiled"
    way_out = "return early where it does not hold:"
    lines = ("if {test}:", "    {answer}")


class NoImport(Advised):
    """An import inside a program. Modules are imported when the file is loaded; a program only sees the results.

    Fails:

        @kprobe("vfs_read")
        def probe(ctx: PtRegs) -> None:
            from pybpf import comm

    Works:

        from pybpf import comm

        @kprobe("vfs_read")
        def probe(ctx: PtRegs) -> None:
            ...
    """

    text: str

    code = "E0111"
    title = "an import inside a program"
    label = "nothing is imported at run time"
    way_out = "move it to the top of the file:"
    lines = ("{text}",)


class NoNestedDefinition(Advised):
    """A class defined inside a program. Define it at module level.

    Fails:

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            class Key(Struct):
                port: u16
            ...

    Works:

        class Key(Struct):
            port: u16

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            ...
    """

    name: str

    code = "E0112"
    title = "the class `{name}` is defined inside a program"
    label = "can't be made at run time"
    way_out = "move `{name}` to module level"


class NestedDecorator(Advised):
    """A function inside a program has a decorator. Such a function is inlined where it is called.

    Decorators run when a module is imported; the functions inside a program are made when it runs.

    Fails:

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            @subprog
            def even(n: u32) -> bool:
                return n % 2 == 0
            ...

    Works:

        @subprog
        def even(n: u32) -> bool:
            return n % 2 == 0

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            ...
    """

    name: str
    decorator: str

    code = "E0128"
    title = "the function `{name}` inside a program is decorated with `{decorator}`"
    label = "runs when the module is imported"
    way_out = "leave the decorator out, or move `{name}` to module level"


class NonlocalElsewhere(Advised):
    """A function inside a program changes a variable of the program, and is called by a function it was given to.

    It may read the program's variables wherever it is called. It may change them where the program itself calls it.

    Fails:

        def apply(f, n):
            return f(n)

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            total = 0
            def add(n):
                nonlocal total
                total += n
            apply(add, 3)

    Works:

            add(3)
    """

    name: str
    variable: str
    caller: str

    code = "E0129"
    title = "`{name}` changes `{variable}`, and is called by `{caller}`"
    label = "not where the variable is"
    way_out = "return the new value, and assign it to `{variable}` where that is; or call `{name}` there"


class NoNonlocal(Advised):
    """`nonlocal` changes a variable of a function that is not running any more when the program does.

    State that outlives a run is a global declared with var(), or a map entry.

    Fails:

        nonlocal total
        total += 1

    Works:

        total = var(u64, 0)     # at module level

        global total            # in the program
        total += 1
    """

    names: str
    first: str

    code = "E0113"
    title = "`nonlocal {names}`: the function around a program is gone when it runs"
    label = "can't be changed"
    way_out = "declare a variable of the program at module level, and name it in the program:"
    lines = ("{first} = var(u64, 0)", "", "global {names}")


class TupleIndex(Diagnostic):
    """The index of a tuple is known only at run time, or is outside it.

    The items of a tuple are variables of their own, so the index is a constant. What is indexed at run time is an array
    of a Struct, or a map.

    Fails:

        pair = first, second
        chosen = pair[n]

    Works:

        chosen = pair[1]
        chosen = pair[0] if n == 0 else pair[1]
    """

    text: str
    length: int
    index: int | None = None

    code = "E0118"
    title = "`{text}`: the index of a tuple must be a constant"
    label = "known only at run time"

    def texts(self) -> tuple[str, str]:
        if self.index is not None:
            return f"index {self.index} of a tuple of {self.length}", "there is no such item"
        return super().texts()

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"use a constant from 0 to {self.length - 1}" if self.length else "the tuple is empty")
        if self.index is None:
            yield Help("keep the values in an Array of a Struct, or in an ArrayMap, to choose one at run time")


class NoUnpacking(Diagnostic):
    """Only a tuple can be taken apart.

    Fails:

        start, end = span           # a Struct

    Works:

        start, end = span.start, span.end
    """

    kind: str
    targets: str
    fields: tuple[str, ...] = ()

    code = "E0119"
    title = "{kind} can't be unpacked"
    label = "this is {kind}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.fields:
            yield Help("read the fields one by one:", (f"{self.targets} = {', '.join(self.fields)}",))
        else:
            yield Help("only a tuple can be taken apart:", ("a, b = x, y",))


class UnpackCount(Diagnostic):
    """The two sides of an unpacking assignment differ in length, which Python would raise ValueError for.

    Fails:

        a, b, c = pid(), tid()

    Works:

        a, b = pid(), tid()
    """

    targets: int
    values: int
    where: Span

    code = "E0120"
    title = "{values} values can't be unpacked into {targets} targets"
    label = "{targets} targets"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.where, f"{self.values} values")
        yield Help("give each value one target")


class WithOther(Advised):
    """`with` is for what a program must give back: a ring buffer's record, a lock, a reference.

    Fails:

        with open("/tmp/log") as log:
            ...

    Works:

        with events.reserve() as event:
            if event is not None:
                event.pid = pid()

        with releasing(kfuncs.bpf_task_from_pid(1)) as task:
            ...
    """

    code = "E0123"
    title = "in a program, `with` is for ring.reserve(), lock(...) and releasing(...)"
    label = "none of them"
    way_out = "reserve a record like this:"
    lines = ("with events.reserve() as event:", "    if event is not None:", "        event.pid = pid()")


class DelName(Advised):
    """`del` of a variable. Registers need no freeing.

    Fails:

        entry = usage.get(pid())
        del entry

    Works:

        del usage[pid()]        # deletes the entry from the map
    """

    name: str

    code = "E0124"
    title = "`del {name}`: a variable can't be deleted"
    label = "nothing to free"
    way_out = "leave it out, or delete the map's entry:"
    lines = ("del m[key]",)


class DelPlace(Advised):
    """`del` of something that is not an entry of a map.

    Fails:

        del entry.reads

    Works:

        entry.reads = 0
        del usage[pid()]
    """

    text: str

    code = "E0125"
    title = "`{text}` can't be deleted: only entries of maps can"
    label = "not a map's entry"
    way_out = "set it to zero:"
    lines = ("{text} = 0",)


class AnnotatedPlace(Advised):
    """An annotation on a field or an element. Their types are fixed by the struct or the map.

    Fails:

        entry.reads: u64 = 0

    Works:

        entry.reads = 0
    """

    text: str

    code = "E0127"
    title = "`{text}` can't be annotated: only variables can"
    label = "its type is fixed by its declaration"
    way_out = "leave the annotation out:"
    lines = ("{text} = ...",)


class NoSource(Diagnostic):
    """The source text of a program can't be found. pybpf compiles source text, not bytecode.

    That is so for functions typed into the plain `python` prompt, made by exec() or eval(), or whose file has gone or
    has changed since it was imported. Write the program into a file, or into a notebook cell.

    Fails:

        exec("def probe(ctx): pass", made)
        probe = kprobe("vfs_read")(made["probe"])

    Works:

        @kprobe("vfs_read")
        def probe(ctx: PtRegs) -> None:
            pass
    """

    name: str
    filename: str

    code = "E0130"
    title = "the source text of `{name}` can't be found"
    label = "expected in {filename}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.filename.startswith("<"):
            yield Help("write the program into a file or a notebook cell")
            yield Note("text typed at the python prompt, or given to exec(), is not kept")
        else:
            yield Help("start Python again, if the file has changed since it was imported")
            yield Note(f"expected in {self.filename}")


class NoSourceOf(Advised):
    """A function that a program calls has no source text: it was made by exec(), or its file has gone or has changed.

    Fails:

        exec("def bucket(n): return n % 16", made)
        bucket = made["bucket"]             # and a program calls bucket(pid())

    Works:

        def bucket(n: u32) -> u32:
            return n % 16
    """

    name: str

    code = "E0131"
    title = "the source text of `{name}` can't be found, so it can't be inlined"
    label = "called here"
    way_out = "define `{name}` in a file or a notebook cell"
