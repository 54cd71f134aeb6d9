"""E06xx: calls of functions, helpers and types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note, misspelt
from pybpf.compiler.diagnostics.values import between

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "ArgumentCount", "ArgumentTwice", "CallArguments", "HelperArguments", "HelperNeedsGpl", "HelperNotAllowed",
    "HelperSleeps", "HelperUnsupported", "MissingArguments", "NoBuiltin", "NotCallable", "ProgramCalled", "Recursion",
    "ReturnsObject", "SizeOutOfRange", "StarParameters", "TooNew", "UnknownArgument", "UnknownCall",
]  # fmt: skip


class CallArguments(Diagnostic):
    """A call with arguments that what is called doesn't take.

    Methods of maps, types, and functions that the compiler itself knows say here what they take.

        counts.get()                    # fails
        counts.get(pid())               # works
        counts.get(pid(), 0)            # works
    """

    name: str
    takes: str
    example: str

    code = "E0601"
    title = "{name} {takes}"
    label = "wrong arguments"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write:", (self.example,))


class NotCallable(Advised):
    """A call of something that is no function, such as a number.

    Functions, types, helpers and methods can be called.

        limit = const(u32, 10)

        if pid() > limit():      # fails
        if pid() > limit:        # works
    """

    text: str
    what: str

    code = "E0602"
    title = "`{text}` is {what}, which can't be called"
    label = "no function"
    way_out = "leave out the parentheses, or call a function"


# What people reach for, and what a program has instead.
_INSTEAD = {
    "time": "ktime() gives nanoseconds since boot",
    "os": "pid(), tid(), uid() and comm() tell about the current task",
    "posix": "pid(), tid(), uid() and comm() tell about the current task",
    "random": "random() of pybpf gives a pseudo-random u32",
    "secrets": "random() of pybpf gives a pseudo-random u32",
    "threading": "tid() gives the current thread's id, cpu() the CPU",
    "socket": "constants can be computed at module level; fields of type be16 and be32 are swapped by themselves",
    "logging": 'printk(f"...") writes to the kernel\'s trace',
    "math": "BPF has integers only; a constant can be computed at module level",
    "struct": "declare a class of Struct",
    "ctypes": "declare a class of Struct",
}


class UnknownCall(Diagnostic):
    """A call of a function of Python's library, one of C, or a class that is no Struct.

    They run in user space only. Plain functions of your own modules are inlined, kernel helpers are in pybpf.helpers.
    What does not depend on run time can be computed at module level, and used as a constant.

        now = time.time()       # fails
        now = ktime()           # works
    """

    what: str
    module: str
    is_class: bool

    code = "E0603"
    title = "{what} can't be called in a program"
    label = "runs in user space only"

    def more(self) -> Iterator[Label | Note | Help]:
        instead = _INSTEAD.get(self.module.partition(".")[0])
        if instead:
            yield Help(instead)
        elif self.is_class:
            yield Help("keep data in a class of Struct, and objects in user space")
        else:
            yield Help("compute it at module level, and use the result as a constant")
            yield Help("or find what the kernel offers in pybpf.helpers")


class NoBuiltin(Advised):
    """A builtin function of Python that a program can't call.

    Those that work on numbers and on objects known at compile time can be: abs, bool, int, len, max, min, ord, range.

        print("exec by", pid())          # fails
        printk(f"exec by {pid()}")       # works: goes to the kernel's trace
    """

    name: str
    instead: str

    code = "E0604"
    title = "`{name}()` can't be called in a program"
    label = "not available"
    way_out = "{instead}"


class Recursion(Diagnostic):
    """A function that calls itself, directly or by way of others.

    Functions are inlined, and the kernel allows no recursion either. Write a loop.

        def factorial(n: u32) -> u64:
            return 1 if n < 2 else n * factorial(n - 1)     # fails

        def factorial(n: u32) -> u64:
            product = 1
            for i in range(2, min(n, 20) + 1):              # works
                product *= i
            return product
    """

    name: str
    path: tuple[str, ...]

    code = "E0605"
    title = "`{name}` calls itself"
    label = "recursion"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write it as a loop over range()")
        yield Note(f"called by way of {' -> '.join(self.path)}")


class ArgumentCount(Diagnostic):
    """A function is called with more positional arguments than it takes.

    The rules for arguments are Python's.

        def count(key: u32, amount: u64 = 1) -> None: ...

        count(pid(), 1, tid())     # fails
        count(pid(), 1)            # works
    """

    name: str
    takes: int
    given: int
    parameters: tuple[str, ...]

    code = "E0606"
    title = "`{name}()` takes {count}, not {given}"
    label = "one too many"

    def texts(self) -> tuple[str, str]:
        count = "no arguments" if not self.takes else f"{self.takes} argument{'s' if self.takes > 1 else ''}"
        given = f", not {self.given}" if self.takes else ""
        return f"`{self.name}()` takes {count}{given}", "too many" if self.given > self.takes + 1 else "one too many"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.parameters:
            yield Help("write:", (f"{self.name}({', '.join(self.parameters)})",))
        else:
            yield Help("write:", (f"{self.name}()",))


class UnknownArgument(Diagnostic):
    """A keyword argument that the function has no parameter for.

    The rules for arguments are Python's.

        def count(key: u32, amount: u64 = 1) -> None: ...

        count(pid(), ammount=2)     # fails
        count(pid(), amount=2)      # works
    """

    name: str
    keyword: str
    known: tuple[str, ...]
    near: str

    code = "E0607"
    title = "`{name}()` has no parameter `{keyword}`"
    label = "unexpected"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield misspelt(self.span, self.keyword, self.near)
        else:
            yield Help(f"its parameters are {listed(self.known)}" if self.known else "it takes no keyword arguments")


class ArgumentTwice(Diagnostic):
    """An argument is given by position and by keyword.

    The rules for arguments are Python's.

        def count(key: u32, amount: u64 = 1) -> None: ...

        count(pid(), key=tid())     # fails
        count(key=tid())            # works
    """

    name: str
    keyword: str
    first: Span

    code = "E0608"
    title = "`{name}()` gets `{keyword}` twice"
    label = "and again by keyword"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.first, f"this is `{self.keyword}`")
        yield Help("give it once")


class MissingArguments(Diagnostic):
    """A function is called without some of its arguments.

    The rules for arguments are Python's: parameters without a default must be given.

        def count(key: u32, amount: u64 = 1) -> None: ...

        count()            # fails
        count(pid())       # works
    """

    name: str
    missing: tuple[str, ...]
    parameters: tuple[str, ...]

    code = "E0609"
    title = "`{name}()` is called without {names}"
    label = "incomplete"

    def texts(self) -> tuple[str, str]:
        return f"`{self.name}()` is called without {listed(tuple([f'`{m}`' for m in self.missing]))}", "incomplete"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write:", (f"{self.name}({', '.join(self.parameters)})",))


class StarParameters(Diagnostic):
    """A function with `*args` or `**kwargs` is called.

    They are containers, which a program can't have. Name each parameter.

        def total(*numbers: u64) -> u64: ...           # fails
        def total(a: u64, b: u64 = 0) -> u64: ...      # works
    """

    name: str
    star: str
    where: Span | None
    program: bool = False

    code = "E0610"
    title = "`{name}()` has a `{star}` parameter, which programs can't fill"
    label = "called here"

    def texts(self) -> tuple[str, str]:
        return super().texts()[0], "a container" if self.program else self.label

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where is not None:
            yield Label(self.where, "a container")
        yield Help("name each parameter; those that may be left out get a default")


class ReturnsObject(Advised):
    """A function that returns a map, function or type does something else besides, which would be lost.

    Such a call is worked out at compile time, and leaves nothing for run time.

        def counter():
            calls[pid()] += 1           # fails
            return reads

        def counter():                  # works
            return reads
    """

    name: str
    what: str

    code = "E0611"
    title = "`{name}()` returns {what}, which is known at compile time, and does something else besides"
    label = "called here"
    way_out = "let it only return, and do the rest in another function"


class ProgramCalled(Advised):
    """A program is called by another one, but programs are started by their hooks.

    Put what both need into a plain function, without a decorator.

        @xdp
        def drop_large(pkt: XdpContext) -> XDP: ...

        return drop_large(pkt)                          # fails

        def verdict(pkt: XdpContext) -> XDP: ...        # works: no decorator

        return verdict(pkt)
    """

    name: str

    code = "E0612"
    title = "the program `{name}` can't be called"
    label = "programs are started by their hooks"
    way_out = "move what both need into a plain function, without a decorator, and call that"


class HelperArguments(Diagnostic):
    """A kernel helper is called with a wrong number of arguments, or by keyword.

    Helpers take all of their arguments, in the kernel's order.

        helpers.bpf_map_update_elem(counts, pid(), 1)        # fails
        helpers.bpf_map_update_elem(counts, pid(), 1, 0)     # works
    """

    name: str
    written: str
    takes: tuple[str, ...]
    given: int
    by_keyword: bool
    signature: str

    code = "E0620"
    title = "`{name}()` takes {count}, not {given}"
    label = "{given} given"

    def texts(self) -> tuple[str, str]:
        if self.by_keyword:
            return f"`{self.name}()` takes its arguments by position", "by keyword"
        takes = len(self.takes)
        count = "no arguments" if not takes else f"{takes} argument{'s' if takes > 1 else ''}"
        return f"`{self.name}()` takes {count}, not {self.given}", f"{self.given} given"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write:", (f"{self.written}({', '.join(self.takes)})",))
        if self.signature:
            yield Note(f"the kernel's prototype: {self.signature}")


# The decorators that make programs of a type (`enum bpf_prog_type`), and what a program of it is called.
_HOOKS = {
    "KPROBE": "@kprobe, @kretprobe, @uprobe, @uretprobe", "TRACEPOINT": "@tracepoint", "RAW_TRACEPOINT": "@raw_tp",
    "XDP": "@xdp",
}  # fmt: skip
_PROGRAMS = {
    "KPROBE": "a kprobe or uprobe", "TRACEPOINT": "a tracepoint program", "RAW_TRACEPOINT": "a raw tracepoint program",
    "XDP": "an XDP program",
}  # fmt: skip
_NO_TASK = "a packet belongs to no task: tell packets apart by what is in them"
# What does the same for another type of program.
_SAME = {
    ("XDP", "bpf_skb_load_bytes"): "use bpf_xdp_load_bytes(pkt, offset, buffer, size), or pkt.parse(header)",
    ("XDP", "bpf_skb_load_bytes_relative"): "use bpf_xdp_load_bytes(pkt, offset, buffer, size), or pkt.parse(header)",
    ("XDP", "bpf_skb_store_bytes"): "use bpf_xdp_store_bytes(pkt, offset, buffer, size)",
    ("XDP", "bpf_skb_pull_data"): "use pkt.parse(header), which compares with the packet's end",
    ("XDP", "bpf_skb_change_head"): "use bpf_xdp_adjust_head(pkt, delta)",
    ("XDP", "bpf_skb_change_tail"): "use bpf_xdp_adjust_tail(pkt, delta)",
    ("XDP", "bpf_skb_adjust_room"): "use bpf_xdp_adjust_head(pkt, delta), and write the new headers",
    ("XDP", "bpf_clone_redirect"): "use bpf_redirect(ifindex, flags), which moves the packet instead of a copy",
    ("XDP", "bpf_redirect_peer"): "use bpf_redirect(ifindex, flags)",
    ("XDP", "bpf_l3_csum_replace"): "use bpf_csum_diff(...), and store the checksum into the header",
    ("XDP", "bpf_l4_csum_replace"): "use bpf_csum_diff(...), and store the checksum into the header",
    ("XDP", "bpf_get_current_comm"): _NO_TASK,
    ("XDP", "bpf_get_current_uid_gid"): _NO_TASK,
}


class HelperNotAllowed(Diagnostic):
    """A helper that the kernel does not let this type of program call.

    Which helper may be called from where is the kernel's table. Often there is another helper for this program.

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            header = Bytes[L[14]]()
            helpers.bpf_skb_load_bytes(pkt, 0, header, sizeof(header))     # fails
            helpers.bpf_xdp_load_bytes(pkt, 0, header, sizeof(header))     # works
    """

    name: str
    number: int
    program: str
    allowed: tuple[str, ...]

    code = "E0621"
    title = "{program} can't call `{name}`"
    label = "not allowed here"

    def texts(self) -> tuple[str, str]:
        program = _PROGRAMS.get(self.program, f"a program of type {self.program}")
        return f"{program} can't call `{self.name}`", self.label

    def more(self) -> Iterator[Label | Note | Help]:
        same = _SAME.get((self.program, self.name), "")
        if same:
            yield Help(same)
        hooks = ", ".join([_HOOKS[p] for p in self.allowed if p in _HOOKS])
        if hooks:
            yield Help(f"it can be called from programs of {hooks}")
        else:
            kinds = listed(tuple([n.lower() for n in self.allowed]), 20)
            yield (Note if same else Help)(f"the kernel has it for programs of the types {kinds}")
        yield Note(f"the kernel would say: program of this type cannot use helper {self.name}#{self.number}")


class HelperNeedsGpl(Advised):
    """A helper that only programs under a licence compatible with the GPL may call.

    The licence is part of the object, and "GPL" if nothing else is said. Here `target=Target(license=...)` said so.

        build(probe, target=Target(license="Proprietary"))       # fails
        build(probe, target=Target(license="Dual BSD/GPL"))      # works
    """

    name: str
    license: str

    code = "E0622"
    title = "`{name}` needs a GPL-compatible licence, and this program is under {license!r}"
    label = "GPL only"
    way_out = "compile it under the GPL, or without this helper:"
    lines = ('target=Target(license="Dual BSD/GPL")',)
    why = "the kernel would say: cannot call GPL-restricted function from non-GPL compatible program"


# Helpers that do the same without waiting for memory to be read in.
_AWAKE = {
    "bpf_copy_from_user": "bpf_probe_read_user(dst, size, address), or user_bytes(address)",
    "bpf_copy_from_user_task": "bpf_probe_read_user(dst, size, address), or user_bytes(address)",
}


class HelperSleeps(Diagnostic):
    """A helper that may sleep, in a program that may not.

    Reading user memory may have to wait for the disk. Programs that can't wait read what is there, and get an error
    for what is not.

        helpers.bpf_copy_from_user(head, 16, ctx.buf)      # fails
        helpers.bpf_probe_read_user(head, 16, ctx.buf)     # works
    """

    name: str
    program: str

    code = "E0623"
    title = "`{name}` may sleep, and `{program}` runs where nothing may"
    label = "may sleep"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"use {_AWAKE.get(self.name, 'a helper that does not sleep')}")
        yield Note("the kernel would say: helper call might sleep in a non-sleepable prog")


_PLAINLY = {
    "bpf_loop": "write a for loop over range()",
    "bpf_for_each_map_elem": "walk through the map in user space: for key, value in obj[m].items()",
    "bpf_trace_printk": 'write printk(f"...")',
    "bpf_trace_vprintk": 'write printk(f"...")',
    "bpf_snprintf": "send the numbers to user space, and format them there",
    "bpf_seq_printf": "send the numbers to user space, and format them there",
    "bpf_strncmp": 'compare texts with ==, as in comm() == "sshd"',
    "bpf_user_ringbuf_drain": "pass data from user space in a map",
    "bpf_timer_set_callback": "let user space do what is to be done later",
    "bpf_find_vma": "find it in user space, from /proc/PID/maps",
}
_ARGUMENTS = {"func": "a callback function", "fmt": "a constant string", "key": "a map's key", "value": "a map's value"}


class HelperUnsupported(Diagnostic):
    """A helper with an argument of a kind that a program can't give: a callback, or a constant string.

    What such helpers are for is written in the language itself.

        helpers.bpf_loop(10, step, None, 0)       # fails

        for i in range(10):                       # works
            step(i)
    """

    name: str
    argument: str
    kind: str

    code = "E0624"
    title = "`{argument}` of `{name}` can't be given from a program"
    label = ""

    def texts(self) -> tuple[str, str]:
        return super().texts()[0], f"must be {_ARGUMENTS.get(self.kind, self.kind)}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(_PLAINLY.get(self.name, "use another helper"))


class SizeOutOfRange(Diagnostic):
    """The size given to a helper is larger than the memory before it, or may be zero where it must not.

    The verifier refuses a call that could write past the object.

        head = Bytes[L[16]]()
        helpers.bpf_probe_read_user(head, ctx.count, ctx.buf)             # fails
        helpers.bpf_probe_read_user(head, min(ctx.count, 16), ctx.buf)    # works
        helpers.bpf_probe_read_user(head, sizeof(head), ctx.buf)          # works
    """

    text: str
    what: str
    memory: str
    least: int
    most: int
    lo: int
    hi: int

    code = "E0625"
    title = "{what} must lie between {least} and {most}, the size of `{memory}`"
    label = ""

    def texts(self) -> tuple[str, str]:
        if self.lo == self.hi:
            return super().texts()[0], f"this is {self.lo}"
        if self.hi <= self.most:
            return super().texts()[0], "may be 0" if self.lo == 0 else "may be negative"
        return super().texts()[0], f"not known to be at most {self.most}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("pass the object's own size:", (f"sizeof({self.memory})",))
        if self.lo != self.hi:
            if self.lo >= self.least:
                yield Help("or bound it:", (f"min({self.text}, {self.most})",))
            yield Note(between(self.lo, self.hi))


class TooNew(Diagnostic):
    """A helper or a kind of map that the oldest kernel which the program is built for does not have.

    `pybpf build --target 6.1` says which kernel that is (6.1 unless told); what is loaded at once, with `load()` or
    `pybpf run`, is compiled for the running kernel.

        events = RingBuffer[Event](4096)    # fails with --target 5.4, works with --target 5.8
    """

    what: str
    since: str
    target: str

    code = "E0626"
    title = "{what} needs Linux {since}, and the program is built for {target}"
    label = "not in Linux {target}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"build it for newer kernels: --target {self.since}")
