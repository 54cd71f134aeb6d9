"""E08xx: loops, and the verifier's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = [
    "DiscardInLoop", "LoopTarget", "LoopTooLong", "MadeInLoop", "MapIteration", "MapLoopTarget",
    "NestedTooDeeply", "NotIterable", "RangeArguments", "RangeElsewhere", "RangeStep", "ReferenceCarried",
    "StackTooLarge", "TooManyItems", "UnboundedFor", "UnboundedWhile",
]  # fmt: skip


class UnboundedWhile(Diagnostic):
    """A `while` loop that never ends, or whose end the kernel of `--target` can't see.

    A program has to end. From Linux 5.17 on the kernel itself can count the iterations of a loop; the verifier of
    older ones walks through every iteration, and refuses a program that it can't see the end of. There a loop needs a
    counter that every iteration moves by a constant, and a comparison with a bound; or write a `for` with a `break`.

        while True:                 # fails on all kernels
            poll()

        while n != 1:               # fails for kernels before 5.17
            n = step(n)

        for _ in range(64):         # works
            if n == 1:
                break
            n = step(n)

        i = 0
        while i < 64:               # works
            i += 1
    """

    left: str  # the condition that ends the loop
    kernel: str
    endless: bool

    code = "E0801"
    title = "the verifier of Linux {kernel} can't see the end of this loop"
    label = "no counter with a bound"

    def texts(self) -> tuple[str, str]:
        return ("this loop never ends", "nothing leaves it") if self.endless else super().texts()

    def more(self) -> Iterator[Label | Note | Help]:
        if self.endless:
            lines = ("while True:", "    ...", "    if done:", "        break")
            yield Help("leave it with `break` or `return`:", lines)
            return
        if self.left:
            yield Help("bound it, and leave early:", ("for _ in range(64):", f"    if {self.left}:", "        break"))
        else:
            yield Help(
                "bound it, and leave early:", ("for _ in range(64):", "    ...", "    if done:", "        break")
            )
        yield Help("or compile for kernels that count iterations themselves: --target 5.17")
        yield Note("the kernel would say: infinite loop detected, or: BPF program is too large")


class UnboundedFor(Diagnostic):
    """`range()` up to a number that may be huge, or is, on a kernel whose verifier walks through every iteration.

    From Linux 5.17 on the kernel can count the iterations of a loop itself. For older ones there must be an upper
    bound, and no more than 65536 iterations.

        for i in range(n):                   # fails for kernels before 5.17
        for i in range(min(n, 1024)):        # works
    """

    text: str
    call: str
    most: int
    count: int  # of iterations, where that is known; else 0
    kernel: str  # "" where no kernel can do it

    code = "E0802"
    title = "`{text}` may be very large, and the verifier walks through every iteration"
    label = "not known to be at most {most}"

    def texts(self) -> tuple[str, str]:
        if not self.kernel:
            return f"the numbers of a range must fit an i64, and `{self.text}` may be larger", "may exceed 2**63 - 1"
        if not self.count:
            return super().texts()
        title = f"{self.count} iterations are too many: the verifier walks through every one"
        return title, f"at most {self.most} are possible"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.count:
            yield Help(f"loop at most {self.most} times, or let user space do it")
        elif not self.kernel:
            yield Help("say that it is a smaller number:", (self.rewritten(f"i64({self.text})"),))
        else:
            yield Help("bound it:", (self.rewritten(f"min({self.text}, 1024)"),))
        if self.kernel:
            yield Help("or compile for kernels that count iterations themselves: --target 5.17")
            yield Note(f"the program is compiled for Linux {self.kernel}")

    def rewritten(self, bound: str) -> str:
        """The call with another bound."""
        name, parenthesis, arguments = self.call.partition("(")
        return name + parenthesis + arguments.replace(self.text, bound, 1)


class LoopTooLong(Diagnostic):
    """A loop takes more instructions, or more branches, than the verifier is willing to walk through.

    From Linux 5.17 on (`--target`) the kernel bounds such loops itself; this is about older ones, and about bodies that
    are too long even once. The verifier gives up after a million instructions, and when more than 8192 branches wait to
    be looked at. Each iteration counts, in nested loops the product does, and all loops of a program together. A test
    that depends on nothing but the counter of a loop with constant bounds is no branch.

        for i in range(100):              # fails: 10000 iterations with two branches each
            for j in range(100):
                counts[i * j] += 1

        for i in range(50):               # works
            for j in range(50):
                counts[i * j] += 1
    """

    count: int
    each: int
    branches: int
    by_branches: bool
    most: int
    with_others: bool

    code = "E0803"
    title = "this loop is too long for the verifier: up to {count} iterations"
    label = "about {each} instructions each"

    def texts(self) -> tuple[str, str]:
        title = super().texts()[0]
        if self.with_others:
            title = f"the loops of this program are too long for the verifier: up to {self.count} iterations here"
        if self.by_branches:
            return title, f"about {self.branches} branch{'es' if self.branches > 1 else ''} each"
        return title, f"about {self.each} instructions each"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.most > 0:
            yield Help(f"loop at most {self.most} times")
        else:
            yield Help("make the other loops shorter" if self.with_others else "make the loops in it shorter")
        if self.by_branches:
            yield Note("the verifier walks through every iteration, and gives up when 8192 branches wait for it")
            yield Note("the kernel would say: The sequence of 8193 jumps is too complex.")
        else:
            yield Note("the verifier walks through every iteration, and gives up after a million instructions")
            yield Note("the kernel would say: BPF program is too large. Processed 1000001 insn")


class RangeArguments(Advised):
    """`range()` with arguments that it doesn't take.

    It takes one to three numbers, by position.

        for i in range(start=0, stop=10):      # fails, in Python too
        for i in range(0, 10):                 # works
    """

    code = "E0804"
    title = "range() takes one to three numbers"
    label = "wrong arguments"
    way_out = "write range(stop), range(start, stop) or range(start, stop, step)"


class RangeStep(Diagnostic):
    """The step of a range is zero, or is known only at run time.

    The compiler has to know in which direction the loop goes. Multiply inside the loop.

        for i in range(0, 64, stride):       # fails
            use(i)

        for n in range(16):                  # works
            use(n * stride)
    """

    text: str
    zero: bool

    code = "E0805"
    title = "the step of range() is known only at run time"
    label = "must be a constant"

    def texts(self) -> tuple[str, str]:
        return ("the step of range() is zero", "would never end") if self.zero else super().texts()

    def more(self) -> Iterator[Label | Note | Help]:
        if self.zero:
            yield Help("step by 1 or more, or by -1 or less to count down")
        else:
            yield Help("step by 1, and multiply inside the loop:", ("for n in range(16):", f"    i = n * {self.text}"))


class LoopTarget(Diagnostic):
    """The variable of a `for` loop is not a plain local name.

    A loop gives its items to local variables, one or several. Assign others inside the loop.

        for position.i in range(4):       # fails

        for i in range(4):                # works
            position.i = i
    """

    text: str
    iterated: str

    code = "E0806"
    title = "`{text}` can't be the variable of a loop"
    label = "not a local name"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("assign to it inside the loop:", (f"for i in {self.iterated}:", f"    {self.text} = i"))


class NotIterable(Diagnostic):
    """A `for` over something other than range(), a tuple, an array or a map.

    enumerate(), zip() and reversed() of these are fine too. Bytes can be looped over by their index.

        for n in count:                  # fails
        for n in range(count):           # works, where count has a bound
        for port in (80, 443):           # works
        for value in sample.values:      # works: an array
    """

    text: str
    what: str
    indexed: bool
    number: bool

    code = "E0807"
    title = "a program can't loop over {what}"
    label = "not range(), a tuple, an array or a map"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.number:
            yield Help("to loop so many times:", (f"for i in range(min({self.text}, 64)):",))
        elif self.indexed:
            lines = (f"for i in range(len({self.text})):", f"    ... {self.text}[i]")
            yield Help("loop over the index:", lines)
        else:
            yield Help("loop over a range, a tuple, an array of a Struct, or a map")


class TooManyItems(Advised):
    """A `for` over so many constants that choosing between them would bloat the program.

    Keep them in a constant array, which is memory of the program.

        for prime in PRIMES:                          # fails for more than 64 of them

        table = const(Array[u32, L[78]], PRIMES)      # at module level

        for prime in table:                           # works
    """

    text: str
    count: int
    most: int

    code = "E0808"
    title = "a loop over {count} constants; at most {most} are compiled"
    label = "too many"
    way_out = "keep them in a constant array of the module, and loop over that:"
    lines = ("table = const(Array[u32, L[{count}]], {text})",)


class MadeInLoop(Advised):
    """An object made in a loop whose body the kernel calls as a function is returned from there.

    The object is on the stack of that function, and gone with it. Loops over maps are such loops, and for kernels
    before 6.9 those without a known bound. Make the object in front of the loop.

        for key in seen:                      # fails
            return Pair(a=key, b=1)

        found = Pair(a=0, b=0)                # works
        for key in seen:
            found.a = key
            break
        return found
    """

    text: str

    code = "E0831"
    title = "`{text}` is gone when the loop is left"
    label = "made in the loop's body, which is a function of its own"
    way_out = "make it in front of the loop, and fill it in inside"


class ReferenceCarried(Diagnostic):
    """A reference that a loop changes is read in the next iteration, on a kernel that looks at one iteration only.

    Before Linux 6.7 the verifier takes a function that the kernel calls in a loop to be called once, and would take the
    reference to be what it was before the loop. Keep the key, or a number, instead.

        best = None
        for flow in flows.values():                                  # fails for kernels before 6.7
            if best is None or flow.bytes > best.bytes:
                best = flow

        most: u64 = 0
        for key, flow in flows.items():                              # works
            if flow.bytes > most:
                most, best = flow.bytes, key
    """

    name: str
    kernel: str

    code = "E0832"
    title = "`{name}` refers to another object in each iteration, which Linux {kernel} does not follow"
    label = "what an earlier iteration assigned is read here"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("keep the key of the object, or the number that you compare, in a variable instead")
        yield Help("or compile for kernels that follow it: --target 6.7")


class DiscardInLoop(Advised):
    """A ring-buffer record is discarded, or a reference released, in a loop whose body the kernel calls as a function.

    The verifier wants what was acquired to be given back by the function that acquired it. Note it in a variable, and
    give it back after the loop.

        for key in seen:              # fails
            event.discard()

        bad = False
        for key in seen:              # works
            bad = True
        if bad:
            event.discard()
    """

    name: str
    verb: str

    code = "E0833"
    title = "this loop can't {verb} `{name}`"
    label = "the loop's body is a function of its own, which did not acquire it"
    way_out = "leave the loop with `break`, and {verb} it behind the loop"


class MapIteration(Diagnostic):
    """A `for` over a map that the kernel can't walk through for a program.

    It can for hash maps and arrays, per-CPU and LRU ones too. User space walks through any map but local storages:
    their values are kept with what they belong to.

        for prefix in routes:                            # fails in a program: an LPM trie

        for prefix, hop in obj[routes].items():          # works in user space, where obj is what load() gave
    """

    name: str
    kind: str

    code = "E0809"
    title = "a program can't loop over {name}, a map of type {kind}"
    label = "the kernel has no way to walk through it"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.kind.endswith("_STORAGE") and "CGROUP" not in self.kind:
            yield Help("its values are kept with what they belong to: ask it of an object that you have")
            return
        if self.kind == "ARENA":
            lines = ("node = root.head", "while node is not None:", "    node = node.next")
            yield Help("follow the pointers in it:", lines)
            return
        yield Help("do it in user space, where obj is what load() gave:", (f"for key in obj[{self.name}]:",))


class MapLoopTarget(Diagnostic):
    """A loop over a map that does not give what it has to local names.

    `for k in m` and `m.keys()` give a key, `m.values()` a value, `m.items()` both.

        for k, v in m:               # fails
        for k, v in m.items():       # works
    """

    name: str
    what: str
    example: str

    code = "E0816"
    title = "a loop over the {what} of {name} gives something else"
    label = "not what it gives, as local names"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write:", (self.example,))


class NestedTooDeeply(Advised):
    """An expression, or blocks inside blocks, nested hundreds of levels deep.

    A sum of hundreds of terms is one: each `+` contains the one before it. So is a chain of hundreds of `elif`.

        total = a + b + c + ...      # hundreds: fails

        total = a + b + c            # works
        total += d + e + f
    """

    name: str

    code = "E0820"
    title = "`{name}` is nested too deeply"
    label = "more than 250 levels deep"
    way_out = "split it into several statements, or move parts into functions"


class RangeElsewhere(Diagnostic):
    """`range()` of values known only at run time, outside a `for`.

    There are no range objects at run time. `in` takes a range of constants; for others, compare.

        if port in range(low, high):       # fails
        if low <= port < high:             # works
        if port in range(1, 1024):         # works
    """

    bounds: tuple[str, ...]

    code = "E0811"
    title = "a range() of values known only at run time stands only after `for ... in`"
    label = "no range objects at run time"

    def more(self) -> Iterator[Label | Note | Help]:
        if len(self.bounds) in (1, 2):
            low, high = self.bounds if len(self.bounds) == 2 else ("0", self.bounds[0])
            yield Help("to see whether a number lies in it, compare:", (f"{low} <= n < {high}",))
        else:
            yield Help("compare with its ends instead")


class StackTooLarge(Diagnostic):
    """A program's variables take more than the 512 bytes of stack that the kernel gives it.

    Structs, texts and bytes that a program makes live on the stack, and so do the keys and values it hands to maps.
    What is large belongs in a map, or is built in place in a ring-buffer record, where it takes no stack.

        event = Open(pid=pid(), path=user_str(ctx.filename))           # fails if Open is large
        opens.emit(event)

        opens.emit(Open(pid=pid(), path=user_str(ctx.filename)))       # works: built in the record

        scratch = PerCpuArray[Open](max_entries=1)                     # at module level

        event = scratch[0]                                             # works: changed in the map
        event.path = user_str(ctx.filename)
    """

    name: str
    size: int
    limit: int
    parts: list[tuple[str, int]]
    object: str  # the type of the largest object; "" where it is none
    objects: tuple[tuple[Span, int], ...] = ()  # where the largest are made, and their bytes

    code = "E0812"
    title = "`{name}` needs {size} bytes of stack, but there are {limit}"
    label = "too much at once"

    def more(self) -> Iterator[Label | Note | Help]:
        for span, size in self.objects:
            yield Label(span, f"{size} bytes")
        yield Note("what takes it: " + ", ".join([f"{what} {size} bytes" for what, size in self.parts[:6]]))
        if self.object:
            name = "scratch"
            lines = (f"{name} = PerCpuArray[{self.object}](max_entries=1)", "", f"value = {name}[0]")
            yield Help("keep the largest in a map, and change it there:", lines)
            lines = (f"start = const({self.object}, {self.object}(...))", "", "table.setdefault(key, start)")
            yield Help("or, where a map is given what is always the same, keep that as a constant:", lines)
        else:
            yield Help("keep the largest in a map, and change it there")
