"""E07xx: programs, their contexts and their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note, misspelt
from pybpf.compiler.diagnostics.elsewhere import FIELDS, FIELDS_OF

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AnswerNotAllowed", "ArgumentNotNumber", "BareReturn", "NoContextField", "NotAMember", "OddParameter",
    "ReadOnlyField", "ReturnsNothing", "SameSymbol",
]  # fmt: skip

class NoContextField(Diagnostic):
    """A field that the program's context does not have.

    A tracepoint's fields are those of its format in tracefs; the other contexts are structs of the kernel. What is
    the same everywhere, such as the process, is a function.

        @tracepoint("syscalls:sys_enter_openat")
        def on_open(ctx: TracepointContext) -> None:
            path = ctx.path            # fails
            path = ctx.filename        # works
            process = pid()            # works
    """

    name: str
    context: str
    fields: tuple[str, ...]
    near: str

    code = "E0701"
    title = "the context has no field `{name}`"
    label = "unknown field of {context}"

    def more(self) -> Iterator[Label | Note | Help]:
        first: Help | None = None
        sk_buff = FIELDS.get(self.name, "").startswith("a frame")
        if self.name in FIELDS_OF.get(self.context, ()):
            first = Help(FIELDS_OF[self.context][self.name])
        elif self.name in FIELDS and (not sk_buff or self.context == "xdp_md"):
            first = Help(FIELDS[self.name])
        elif self.near:
            first = misspelt(self.span, self.name, self.near)
        fields = f"its fields are {listed(self.fields, 24)}"
        if len(self.fields) == 1:
            fields = f"its only field is {self.fields[0]}"
        if first:
            yield first
        yield Note(fields) if first else Help(fields)


class ReadOnlyField(Diagnostic):
    """A field of the context that the kernel does not let this type of program change.

    Keep the value in a variable, and change that.

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            pkt.rx_queue_index = 0             # fails
            queue = pkt.rx_queue_index         # works
            queue = 0
    """

    name: str
    context: str
    writable: tuple[str, ...]

    code = "E0702"
    title = "the field `{name}` of {context} is read-only"
    label = "assigned here"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.writable:
            yield Help(f"these can be changed: {listed(self.writable)}")
        else:
            yield Help("no field of this context can be changed; keep the value in a variable")
        yield Note("the kernel would say: invalid bpf_context access")


class ArgumentNotNumber(Advised):
    """An argument of a hook is annotated with something other than a number.

    Arguments come in registers, which hold numbers and addresses. Read what an address points to.

        @uprobe("libc", "puts")
        def puts(ctx: PtRegs, text: Text[L[64]]) -> None:      # fails
            ...

        @uprobe("libc", "puts")
        def puts(ctx: PtRegs, text: u64) -> None:              # works
            content: Text[L[64]] = user_str(text)
    """

    name: str
    kind: str
    read: str

    code = "E0706"
    title = "the argument `{name}` comes in a register, which holds a number, not {kind}"
    label = "not a number's type"
    way_out = "annotate it u64, and read what the address points to:"
    lines = ("{read}",)


class OddParameter(Diagnostic):
    """A parameter of a program has a default, or can be given by keyword only.

    The kernel calls the program with the arguments of the hook, all of them and nothing else. What is set when the
    program is loaded is a const().

        @kprobe("vfs_read")
        def read(ctx: PtRegs, file: u64, limit: u32 = 4096) -> None: ...     # fails

        limit = const(u32, 4096)                                             # works

        @kprobe("vfs_read")
        def read(ctx: PtRegs, file: u64) -> None: ...
    """

    name: str
    parameter: str
    default: str
    keyword_only: bool

    code = "E0707"
    title = "the parameter `{parameter}` of the program `{name}` {problem}"
    label = "the kernel can't give it"

    def texts(self) -> tuple[str, str]:
        problem = "can be given by keyword only" if self.keyword_only else "has a default"
        return f"the parameter `{self.parameter}` of the program `{self.name}` {problem}", self.label

    def more(self) -> Iterator[Label | Note | Help]:
        constant = f"{self.parameter} = const(u32, {self.default or 0})"
        yield Help("what is set when the program is loaded is declared in the module:", (constant,))


class ReturnsNothing(Advised):
    """A value is returned from a program that is declared to return nothing.

    Annotate the program `-> int` if the kernel is to have the value, or write a bare return.

        @tracepoint("sched:sched_process_exec")
        def on_exec(ctx: TracepointContext) -> None:
            return 0        # fails
            return          # works
    """

    name: str

    code = "E0708"
    title = "`{name}` is declared to return nothing"
    label = "nobody takes this value"
    way_out = "write a bare `return`, or annotate the program `-> int`"


class BareReturn(Advised):
    """A return without a value, from a program that must give an answer.

    The kernel does with the packet, or the call, what the program returns.

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            return              # fails
            return XDP.PASS     # works
    """

    wanted: str
    example: str

    code = "E0709"
    title = "this program must return {wanted}"
    label = "no value"
    way_out = "return one:"
    lines = ("{example}",)


class SameSymbol(Advised):
    """Two programs, maps or globals of one object that would have the same symbol.

    A program's symbol is the name of its function; a map's or global's is the variable that holds it, or its `name=`:

        counts = HashMap[u32, u64](max_entries=64)

        @xdp
        def counts(pkt: XdpContext) -> XDP: ...      # fails: the map and the program are both `counts`

        @xdp
        def count(pkt: XdpContext) -> XDP: ...       # works
    """

    name: str
    first: str
    second: str

    code = "E0710"
    title = "`{name}` is both {first} and {second} of one object"
    label = "the loader finds them by name"
    way_out = "rename one of them; a map or global can also be given a name of its own:"
    lines = ('HashMap[u32, u64](max_entries=64, name="{name}_map")',)


class NotAMember(Diagnostic):
    """A constant that is no member of the enumeration that the program must return.

    The kernel knows these answers only; it takes any other for a mistake of the program, and drops the packet.

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            return 7              # fails
            return XDP.PASS       # works
    """

    value: str
    enum: str
    members: tuple[str, ...]
    example: str

    code = "E0711"
    title = "{value} is not a member of {enum}"
    label = "no such answer"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("return a member:", (self.example,))
        yield Note(f"the members of {self.enum} are {listed(self.members)}")


class AnswerNotAllowed(Diagnostic):
    """A program's answer is a number that the kernel does not take at this hook, or may be one.

    The kernel refuses to load a program when it can't see that each answer is allowed.

        @lsm("file_open")
        def guard(file: file) -> int:
            return found                        # fails: `found` may be any number
            return -EPERM if found else 0       # works
    """

    text: str
    hook: str
    low: int
    high: int
    constant: bool

    code = "E0712"
    title = "the answer of a program at @{hook} must lie between {low} and {high}"
    label = ""

    def texts(self) -> tuple[str, str]:
        title, _ = super().texts()
        if self.low == self.high:
            title = f"the answer of a program at @{self.hook} must be {self.low}"
        return title, "no such answer" if self.constant else "this may be another number"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.low == self.high:
            yield Help("nobody looks at it: annotate the program `-> None`")
        elif not self.constant:
            yield Help("keep it within them:", (f"return max({self.low}, min({self.text}, {self.high}))",))
