"""E065x, E066x: functions that are called rather than inlined, and tail calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CallsTooDeep", "ConstantLent", "GlobalContext", "GlobalMayBeNone", "GlobalParameter", "StackOfCalls",
    "SubprogramArgument", "SubprogramResult", "SubprogramState", "TailCallElsewhere", "TailCallHolds", "TailCallOther",
    "TailCallSlot", "TooManyParameters",
]  # fmt: skip


class TooManyParameters(Diagnostic):
    """A subprogram takes more than five arguments.

    Arguments are handed over in five registers. Hand over a Struct, or leave out @subprog: what is inlined may have
    any number of parameters.

        @subprog
        def record(pid: u32, cpu: u32, port: u16, size: u32, op: u8, flags: u8) -> None: ...     # fails

        class Sample(Struct):
            pid: u32
            cpu: u32
            port: u16
            size: u32
            op: u8
            flags: u8

        @subprog
        def record(sample: Sample) -> None: ...                                                  # works
    """

    name: str
    parameters: tuple[tuple[str, str], ...]  # name and type; a context has no type
    state: str = ""  # what it shares with its caller besides

    code = "E0650"
    title = "`{name}` takes {count} arguments, but a subprogram takes at most five"
    label = "the sixth"

    def texts(self) -> tuple[str, str]:
        count = len(self.parameters)
        if self.state:
            title = f"`{self.name}` takes {count} arguments and the {self.state} of its caller, but five is the most"
            return title, f"uses the {self.state}"
        return f"`{self.name}` takes {count} arguments, but a subprogram takes at most five", self.label

    def more(self) -> Iterator[Label | Note | Help]:
        title = "".join([part.capitalize() for part in self.name.split("_")]) + "Arguments"
        context = "".join([f"{name}, " for name, type in self.parameters if not type])
        lines = [f"class {title}(Struct):", *[f"    {name}: {type}" for name, type in self.parameters if type]]
        lines += ["", "@subprog", f"def {self.name}({context}given: {title}): ..."]
        yield Help("hand over a Struct:", tuple(lines))
        yield Help("or leave out @subprog: the function is inlined then")


class SubprogramResult(Diagnostic):
    """A subprogram returns something that can't be handed back.

    The result takes one register: a number, or a reference to an entry of a map, to a global or into the packet, which
    may be None. A global subprogram returns a number. An object on the stack is filled in where the caller has it;
    where there may be no number, one outside the range of results says so.

        @subprog
        def sample() -> Sample: ...                   # fails

        @subprog
        def sample(into: Sample) -> None: ...         # works: fills in what the caller made
    """

    name: str
    what: str
    global_: bool

    code = "E0651"
    title = "the subprogram `{name}` can't return {what}"
    label = "returns a number, an entry of a map, or nothing"

    def texts(self) -> tuple[str, str]:
        title, label = super().texts()
        if not self.global_:
            return title, label
        return title.replace("the", "the global", 1), "returns a number, or nothing"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("fill in an object that the caller gives, or return a number that says what happened")
        yield Help("or leave out @subprog: a function that is inlined returns anything")


class SubprogramArgument(Diagnostic):
    """An argument that can't be handed to a subprogram.

    An optional number takes two registers. Check it first, or hand over a default.

        @subprog
        def record(size: u32 | None) -> None: ...

        record(sizes.get(key))             # fails

        @subprog
        def record(size: u32) -> None: ...

        record(sizes.get(key, 0))          # works
    """

    name: str
    parameter: str
    what: str

    code = "E0652"
    title = "{what} can't be handed to the subprogram `{name}`"
    label = "for the parameter `{parameter}`"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"check it for None first, and give `{self.parameter}` a plain number")
        yield Help("or leave out @subprog: a function that is inlined takes anything")


class GlobalParameter(Diagnostic):
    """A parameter of a global subprogram without a type that the kernel can be told.

    A global subprogram is verified on its own, for any arguments of its parameters' types. These are numbers of a
    width, bool, enumerations, Structs, arrays, texts and bytes, and the program's context.

        @subprog(global_=True)
        def scale(value, by: int) -> u64: ...            # fails

        @subprog(global_=True)
        def scale(value: u64, by: u32) -> u64: ...       # works
    """

    name: str
    parameter: str
    annotation: str

    code = "E0653"
    title = "the parameter `{parameter}` of the global subprogram `{name}` {problem}"
    label = "the kernel has to know its type"

    def texts(self) -> tuple[str, str]:
        problem = f"is annotated `{self.annotation}`" if self.annotation else "has no type"
        return f"the parameter `{self.parameter}` of the global subprogram `{self.name}` {problem}", self.label

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("give it a number's type, a Struct, or the context:", (f"{self.parameter}: u32",))
        yield Help("a static subprogram takes what its callers give: write @subprog without global_=True")


class GlobalMayBeNone(Diagnostic):
    """A reference that a global subprogram is given may be None on kernels before 6.8.

    The kernel verifies a global subprogram for any arguments. Before 6.8 it can't be told that a reference is never
    null, so the parameter is `T | None`, and checked.

        @subprog(global_=True)
        def weight(sample: Sample) -> u64:               # fails for kernels before 6.8
            return sample.size * 2

        @subprog(global_=True)
        def weight(sample: Sample | None) -> u64:        # works
            return sample.size * 2 if sample is not None else 0
    """

    name: str
    parameter: str
    annotation: str
    kernel: str

    code = "E0654"
    title = "`{parameter}` of the global subprogram `{name}` may be None on kernel {kernel}"
    label = "is not told that it never is"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(
            "say so, and check it:",
            (f"{self.parameter}: {self.annotation} | None", "...", f"if {self.parameter} is None:", "    return 0"),
        )
        yield Help("or compile for kernels from 6.8 on: --target 6.8, Target(kernel=(6, 8))")
        yield Note("the kernel would say: R1 invalid mem access 'mem_or_null'")


class GlobalContext(Diagnostic):
    """A global subprogram takes the context of a program whose kind of context kernels before 6.8 don't know.

    Kernels tell a context by the name of its struct. Programs of tracepoints and of the tracing kind have no such
    name; from 6.8 on the parameter is marked.

        @subprog(global_=True)
        def opened(ctx: SysEnterOpenat) -> u64: ...      # fails for kernels before 6.8

        @subprog
        def opened(ctx: SysEnterOpenat) -> u64: ...      # works: verified with its callers
    """

    name: str
    prog_type: str
    kernel: str

    code = "E0655"
    title = "the global subprogram `{name}` can't take the context of a {prog_type} program on kernel {kernel}"
    label = "kernels from 6.8 on know it"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("make it static, which any kernel takes: write @subprog")
        yield Help("or hand over the fields that it needs, as numbers")
        yield Help("or compile for kernels from 6.8 on: --target 6.8, Target(kernel=(6, 8))")


class ConstantLent(Diagnostic):
    """A `const()` is given to a global subprogram.

    The kernel verifies a global subprogram as if it wrote what it is given, so memory that is only read can't be
    given. A static subprogram may be given it, and so may a global one a `var()`, or a copy.

        sizes = const(Array[u32, L[4]], [1, 2, 4, 8])

        total(sizes)             # fails where `total` is @subprog(global_=True)
        total(sizes)             # works where it is @subprog
    """

    text: str
    name: str

    code = "E0656"
    title = "the constant `{text}` can't be given to the global subprogram `{name}`"
    label = "is read-only memory"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"read the constant inside `{self.name}`, or make that static: write @subprog")
        yield Help("or declare it with var()")


class SubprogramState(Advised):
    """A subprogram moves the packet's cursor, or reads the packet at it.

    The cursor is the caller's own. A subprogram is given the header, or what it needs of it.

        @subprog(global_=True)
        def port(pkt: XdpContext) -> u16:
            tcp = pkt.parse(tcphdr)                      # fails
            return tcp.dest if tcp is not None else 0

        @subprog
        def port(tcp: tcphdr) -> u16:                    # works: the caller parses
            return tcp.dest
    """

    name: str
    state: str

    code = "E0657"
    title = "the subprogram `{name}` uses the {state} of its caller's context"
    label = "stays in the program"
    way_out = "parse in the program, and hand over the header; or leave out @subprog: the function is inlined then"


class StackOfCalls(Diagnostic):
    """The functions of a chain of calls take more than the 512 bytes of stack that there are for all of them.

    The kernel adds up the frames of a program, of the subprogram it calls, and so on, each rounded up to 32 bytes. In
    front of a subprogram that makes a tail call they may take at most 256. What is large belongs in a map.

        @subprog
        def report(size: u64) -> None:
            event = Event(size=size, path=user_str(address))          # fails: 300 bytes here, 300 in the program
            events.emit(event)

        @subprog
        def report(size: u64) -> None:
            events.emit(Event(size=size, path=user_str(address)))     # works: built in the record
    """

    chain: tuple[tuple[str, int], ...]
    total: int
    limit: int

    code = "E0658"
    title = "the calls {path} need {total} bytes of stack together, but there are {limit}"
    label = "the deepest call"

    def texts(self) -> tuple[str, str]:
        path = " -> ".join([f"`{name}`" for name, _ in self.chain])
        return f"the calls {path} need {self.total} bytes of stack together, but there are {self.limit}", self.label

    def more(self) -> Iterator[Label | Note | Help]:
        yield Note("what takes it: " + ", ".join([f"{name} {size} bytes" for name, size in self.chain]))
        yield Help("keep the largest object in a map: a PerCpuArray of one slot, changed in place")
        if any("_body" in name for name, _ in self.chain):
            yield Help("or have fewer loops inside each other: bodies of loops are functions before --target 6.9")
        else:
            yield Help("or leave out @subprog where one calls another: inlined functions share one frame")
        if self.limit < 512:
            yield Note("at most 256 bytes may be taken in front of a subprogram that makes a tail call")
        note = f"combined stack size of {len(self.chain)} calls is {self.total}. Too large"
        if self.limit < 512:
            note = f"tail_calls are not allowed when call stack of previous frames is {self.total} bytes. Too large"
        yield Note(f"the kernel would say: {note}")


class CallsTooDeep(Diagnostic):
    """Subprograms that call each other in a chain of more than eight functions, the program counted.

    The kernel follows calls eight deep (MAX_CALL_FRAMES). Leave out @subprog on some of them: they are inlined then.

        @subprog
        def ninth(n: u64) -> u64: ...      # fails: called by the eighth

        def ninth(n: u64) -> u64: ...      # works: inlined
    """

    chain: tuple[str, ...]

    code = "E0659"
    title = "{count} functions call each other in a chain, but eight is the most"
    label = "the last call that is too deep"

    def texts(self) -> tuple[str, str]:
        return f"{len(self.chain)} functions call each other in a chain, but eight is the most", "the last of them"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Note("the chain: " + " -> ".join(self.chain))
        yield Help("leave out @subprog on some of them: they are inlined then")
        yield Note(f"the kernel would say: the call stack of {len(self.chain)} frames is too deep !")


class TailCallSlot(Advised):
    """A tail call of a slot that the program array does not have.

    A program array has the slots 0 to its size, less one.

        stages = ProgArray[XdpContext, XDP](2)

        stages.tail_call(pkt, 2)       # fails
        stages.tail_call(pkt, 1)       # works
    """

    map: str
    index: int
    size: int

    code = "E0660"
    title = "`{map}` has no slot {index}"
    label = "it has {size}, from 0 on"
    way_out = "choose one that it has, or declare the array larger"


class TailCallElsewhere(Diagnostic):
    """A tail call in a function that is called: a subprogram, or the body of a loop that the kernel calls.

    A tail call replaces the program, and nothing comes back from it. In a function that is called the kernel would
    come back to the caller afterwards, which is not what the source says.

        @subprog
        def dispatch(pkt: XdpContext, stage: u32) -> None:
            stages.tail_call(pkt, stage)                         # fails

        def dispatch(pkt: XdpContext, stage: u32) -> None:       # works: inlined
            stages.tail_call(pkt, stage)
    """

    what: str
    subprogram: str
    in_loop: bool

    code = "E0661"
    title = "`{what}` in the subprogram `{subprogram}`"
    label = "would return to the caller"

    def texts(self) -> tuple[str, str]:
        if self.in_loop:
            return f"`{self.what}` in a loop whose body is a function of its own", self.label
        return super().texts()

    def more(self) -> Iterator[Label | Note | Help]:
        if self.in_loop:
            yield Help("leave the loop with `break`, and make the tail call behind it")
        else:
            yield Help("leave out @subprog, or return what to do, and make the tail call in the program")


class TailCallHolds(Advised):
    """A tail call while a ring-buffer record, or a reference that must be given back, is held.

    The program that goes on knows nothing of it, so the kernel refuses the call. Submit the record, or release the
    reference, before.

        with events.reserve() as event:
            if event is not None:
                event.pid = pid()
                stages.tail_call(pkt, 1)         # fails

        stages.tail_call(pkt, 1)                 # works: behind the block
    """

    what: str

    code = "E0662"
    title = "`{what}` while something is held that must be given back"
    label = "nobody would give it back"
    way_out = "make the tail call behind the `with` block, or release what is held before"
    why = "the kernel would say: tail_call would lead to reference leak"


class TailCallOther(Advised):
    """A program array holds a program of another type than those that use it.

    The program that goes on runs on the same context, so all are of one type; the kernel sees to it.

        stages = ProgArray[XdpContext, XDP](2)
        stages[0] = on_exec               # fails, where on_exec is a tracepoint's program
        stages[0] = on_packet             # works, where on_packet is one for XDP
    """

    map: str
    index: int
    name: str
    kind: str
    wanted: str

    code = "E0663"
    title = "slot {index} of `{map}` holds `{name}`, a program of type {kind}"
    label = "is called by programs of type {wanted}"
    way_out = "put a program of the same type into the slot"
