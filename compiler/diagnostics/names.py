"""E03xx: names and attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note, misspelt
from pybpf.compiler.diagnostics.elsewhere import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = ["ConstAssigned", "GlobalNotVar", "NoAttribute", "Redefined", "Unassigned", "Unknown", "UnknownAttribute"]


class Unknown(Diagnostic):
    """A name that stands for nothing: no variable of the function, nothing in the module, no builtin.

    Names are looked up when the program is compiled, so whatever it uses must be defined or imported by then.

    Fails:

        counts[ktime()] += 1          # ktime is not imported

    Works:

        from pybpf import ktime

        counts[ktime()] += 1
    """

    name: str
    near: str
    module: str = ""  # that has a public name like it

    code = "E0301"
    title = "the name `{name}` is not defined"
    label = "unknown"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.module:
            yield Help("import it:", (f"from {self.module} import {self.name}",))
        elif self.name in NAMES:
            yield Help(*NAMES[self.name])
        elif self.near:
            yield misspelt(self.span, self.name, self.near)
        else:
            yield Help("import it, or define it before the program is compiled")


class Unassigned(Diagnostic):
    """A variable is read where it may have no value yet. Python would raise UnboundLocalError.

    Give it a value on every path that leads here. A name that is assigned anywhere in a function is local to the whole
    function: to change a var() of the module, declare it.

    Fails:

        total = var(u64, 0)           # at module level

        total += n

    Works:

        global total
        total += n
    """

    name: str
    maybe: bool
    outer: str

    code = "E0302"
    title = "`{name}` may have no value here"
    label = "not assigned on every path"

    def texts(self) -> tuple[str, str]:
        if self.maybe:
            return super().texts()
        return f"`{self.name}` has no value yet", "read before it is assigned"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.outer == "var":
            yield Help(
                f"to use the module's `{self.name}`, say so at the start of the function:", (f"global {self.name}",)
            )
        elif self.outer == "const":
            yield Help(
                f"the function assigns `{self.name}`, so it is not the module's, which a program can't change: "
                "use another name for the variable"
            )
        elif self.outer == "other":
            yield Help(
                f"the function assigns `{self.name}`, so it is not the module's: use another name for the variable"
            )
        else:
            yield Help("give it a value before:", (f"{self.name} = 0",))


class UnknownAttribute(Diagnostic):
    """A module, class or object of the user's file has no attribute of that name.

    Fails:

        return XDP.ACCEPT

    Works:

        return XDP.PASS
    """

    what: str
    name: str
    near: str
    names: tuple[str, ...] = ()  # of an enumeration: all there are

    code = "E0303"
    title = "{what} has no attribute `{name}`"
    label = "unknown"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield misspelt(self.span, self.name, self.near)
        elif self.names:
            yield Help(f"it has {listed(self.names)}")
        elif self.name == "at" and self.what.startswith("the type"):  # pkt.parse(u32)
            yield Help("only a struct is found in a packet; declare one:", ("class Header(Struct):", "    value: u32"))
        elif self.what == "the module `pybpf.kernel`":
            instead = "write the number, or take it from Python (socket, errno)"
            yield Help(f"BTF has types and enumerators, but no macros: {instead}")
        else:
            yield Help("check its spelling")


class NoAttribute(Diagnostic):
    """An attribute of something that has none: a number, an array, a text.

    Fails:

        count = counts.get(pid(), 0)
        counts[0] = count.value

    Works:

        counts[0] = count             # a number is a number, not a pointer to one
    """

    name: str
    kind: str
    text: str  # of the value
    sort: str  # "number", "array", "None", "pointer" or ""

    code = "E0304"
    title = "{kind} has no attribute `{name}`"
    label = "unknown"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.sort == "number":
            yield Help("it is the number itself:", (self.text,))
            if self.kind == "u64":
                yield Help(
                    "if it is the address of a kernel struct, say which, with a type of pybpf.kernel:",
                    (f"task_struct({self.text}).{self.name}",),
                )
        elif self.sort == "pointer":
            yield Help(
                "say which struct lies there, with a type of pybpf.kernel:",
                (f"task_struct({self.text}).{self.name}",),
            )
        elif self.sort == "array":
            yield Help(f"its elements are {self.text}[0] and so on; its length:", (f"len({self.text})",))
        elif self.sort == "None":
            yield Help(f"`{self.text}` is None here: give it a value before")
        else:
            yield Help("only structs, the context, modules and enums have attributes")


class GlobalNotVar(Diagnostic):
    """`global x` where x is not a var(). A program can't change a Python object of the module.

    It has variables of its own, which keep their value from one run to the next and which user space can read.

    Fails:

        total = 0                     # at module level

        global total
        total += 1

    Works:

        total = var(u64, 0)

        global total
        total += 1
    """

    name: str
    what: str
    is_map: bool = False

    code = "E0305"
    title = "`{name}` is {what}, which a program can't change"
    label = "not a var()"

    def texts(self) -> tuple[str, str]:
        if self.is_map:
            return f"`{self.name}` is a map, to which a program can't assign", self.label
        return super().texts()

    def more(self) -> Iterator[Label | Note | Help]:
        if self.is_map:
            yield Help("assign to an entry of it:", (f"{self.name}[key] = ...",))
        else:
            yield Help("declare it as a variable of the program, at module level:", (f"{self.name} = var(u64, 0)",))


class ConstAssigned(Diagnostic):
    """A const() is assigned by a program. It is set when the program is loaded, and fixed from then on.

    Fails:

        only_pid = const(u32, 0)      # at module level

        global only_pid
        only_pid = pid()

    Works:

        last_pid = var(u32, 0)

        global last_pid
        last_pid = pid()
    """

    name: str
    kind: str
    initial: str
    extern: bool = False  # a kconfig() or ksym()

    code = "E0306"
    title = "`{name}` is a const(), which a program can't change"
    label = "assigned here"

    def texts(self) -> tuple[str, str]:
        if self.extern:
            return f"`{self.name}` is a value of the kernel's, which a program can't change", self.label
        return super().texts()

    def more(self) -> Iterator[Label | Note | Help]:
        if self.extern:
            yield Help("keep the other value in a variable of another name")
        else:
            yield Help("declare it with var() instead:", (f"{self.name} = var({self.kind}, {self.initial})",))


class Redefined(Diagnostic):
    """A program has the name of an earlier one, which Python forgets: the earlier one would be left out.

    Every program of a file is a global of it, and its name is its symbol in the object.

    Fails:

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            return XDP.PASS

        @tracepoint("sched:sched_switch")
        def probe(ctx: TracepointContext) -> None:
            count()

    Works:

        @tracepoint("sched:sched_switch")
        def switched(ctx: TracepointContext) -> None:
            count()
    """

    name: str
    first: Span

    code = "E0307"
    title = "`{name}` is defined twice, so the first program of that name is lost"
    label = "replaces the first one"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Label(self.first, "never compiled")
        yield Help("give one of them another name")
