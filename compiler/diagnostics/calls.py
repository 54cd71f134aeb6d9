"""E06xx: calls of functions and types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note, misspelt
from pybpf.compiler.diagnostics.elsewhere import CALLS, MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "ArgumentCount", "ArgumentTwice", "CallArguments", "DeclaredInside", "MethodOfConstant", "MissingArguments",
    "NoBuiltin", "NotCallable", "NotConstant", "ProgramCalled", "Recursion", "ReturnsObject", "StarParameters",
    "UnknownArgument", "UnknownCall",
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
        name = self.what.strip("`()").rpartition(".")[2].rpartition(" ")[2]
        instead = CALLS.get(name) or MODULES.get(self.module.partition(".")[0])
        if instead:
            yield Help(instead)
        elif self.is_class:
            yield Help("keep data in a class of Struct, and objects in user space")
        else:
            yield Help("compute it at module level, and use the result as a constant")
            yield Help("or find what the kernel offers in pybpf.helpers")


class MethodOfConstant(Diagnostic):
    """A method of a list, a dict or a set of the module: what a program keeps while it runs is a map or a variable.

    A program sees such an object as it is when it is compiled, as a constant.

    Fails:

        counts = {}

        counts.setdefault(pid(), 0)

    Works:

        counts = HashMap[u32, u64](max_entries=1024)

        counts.setdefault(pid(), 0)
    """

    text: str
    what: str
    lines: tuple[str, ...]

    code = "E0632"
    title = "`{text}()` is a method of {what}, which can't be called in a program"
    label = "known at compile time only"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("declare a variable of the program at module level, or a map:", self.lines)


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


class DeclaredInside(Advised):
    """A map, a const() or a var() that is declared inside a program.

    They are made when the program is loaded, once, and live as long as it does: declare them at module level.

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            counts = HashMap[u32, u64](max_entries=64)      # fails
            counts[0] = 1

        counts = HashMap[u32, u64](max_entries=64)          # works: at module level
    """

    text: str
    what: str  # "a map", "a global"
    name: str

    code = "E0613"
    title = "{what} can't be declared inside a program"
    label = "made when the program is loaded"
    way_out = "move it to module level:"
    lines = ("{name} = {text}",)


class NotConstant(Advised):
    """A function that makes a constant is given a value that is known only when the program runs.

    `ipv4("10.0.0.1")` is worked out when the program is compiled. Addresses that change belong into a const() or a map.

        if ip.saddr == ipv4(name):                # fails
        if ip.saddr == ipv4("10.0.0.1"):          # works

        blocked = const(be32, ipv4("10.0.0.1"))   # works: at module level; set when loaded
    """

    text: str
    function: str

    code = "E0614"
    title = "`{text}` is not a constant, which {function} needs"
    label = "known only at run time"
    way_out = "keep the result in a const() of the module, or look it up in a map"
