"""Random programs of the language as source text, from a seed; equal seeds give equal programs.

Each module has one raw tracepoint `f`, which takes numbers from its context, computes with them by all kinds of
statements, and leaves a result in the global `out` and in the maps `table` and `slots`. The numbers come from `args`.
The programs terminate and index within bounds; whether the compiler takes all of them is for the test to say.

`pure_program` has a plain function `compute(a, b, c, d, e)` that CPython can run as well: it keeps to numbers, and
writes out every conversion that a store would make. Where values leave 64 bits CPython's stay equal modulo 2**64; all
that does not respect this (comparing, dividing, shifting right) gets converted operands.
"""

from __future__ import annotations

import random

__all__ = ["program", "pure_program"]

HEAD = """\
from pybpf import *


class Pair(Struct):
    x: i32
    y: u16
    z: i64
    big: be32


class Nest(Struct):
    flag: bool
    pair: Pair
    cells: Array[i16, L[8]]


out = var(i64, 0)
scale = const(u32, 3)
table = HashMap[u32, i64](max_entries=64)
pairs = HashMap[Pair, Pair](max_entries=64)
slots = ArrayMap[i32](8)


def clamp(v: i64, low: i64, high: i64) -> i64:
    if v < low:
        return low
    if v > high:
        return high
    return v


def is_odd(v: i64) -> bool:
    return v & 1 == 1


def first_of(k: u32) -> i64 | None:
    if k & 4:
        return None
    return table.get(k)


@raw_tp("kmalloc")
def f(ctx: RawTracepointContext) -> None:
    global out
    a = i64(ctx.args[0])
    b = i64(ctx.args[1])
    c = u32(ctx.args[2])
    d = u8(ctx.args[3])
    e = i16(ctx.args[4])
"""

NARROW = ["u8", "u16", "u32", "i8", "i16", "i32", "i64"]


PURE = """\
def compute(a: i64, b: i64, c: u32, d: u8, e: i16) -> i64:
"""

CALL = """\


@raw_tp("kmalloc")
def f(ctx: RawTracepointContext) -> None:
    global out
    args = ctx.args
    out = compute(i64(args[0]), i64(args[1]), u32(args[2]), u8(args[3]), i16(args[4]))
"""


class _Writer:
    def __init__(self, seed: int, pure: bool = False) -> None:
        self.random = random.Random(seed)
        self.pure = pure
        self.lines: list[str] = []
        self.names = ["a", "b", "c", "d", "e"]
        self.writable: list[str] = []
        self.made = 0
        self.depth = 1
        self.loops = 0

    def choose(self, *options: str) -> str:
        return self.random.choice(options)

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def fresh(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}{self.made}"

    # --- expressions

    def number(self) -> str:
        return str(self.random.choice([0, 1, 2, 3, 5, 7, 8, 10, 64, 100, 255, 256, 1000, 65535, 1 << 20, -1, -3, -100]))

    def small(self) -> str:
        return str(self.random.randint(1, 12))

    def value(self, depth: int = 3) -> str:
        """An int expression."""
        if depth <= 0 or self.random.random() < 0.15:
            return self.choose(self.random.choice(self.names), self.number(), "4" if self.pure else "scale")
        kind = self.random.randint(0, 11 if self.pure else 12)
        one, two = (lambda: self.value(depth - 1)), (lambda: self.value(depth - 2))
        if kind <= 3:
            return f"({one()} {self.choose('+', '-', '&', '|', '^', '+', '-')} {two()})"
        if kind == 4:
            return f"(i32({one()}) * i32({two()}))"
        if kind == 5:
            divisor = self.choose(self.small(), f"-{self.small()}", f"i32({two()})")
            return f"(i64({one()}) {self.choose('//', '%')} {divisor})"
        if kind == 6:
            return f"(i32({one()}) {self.choose('<<', '>>')} {self.random.randint(0, 20)})"
        if kind == 7:
            return f"{self.random.choice(NARROW)}({one()})"
        if kind == 8:
            return f"({one()} if {self.condition(depth - 1)} else {two()})"
        if kind == 9:
            return f"{self.choose('min', 'max')}(i64({one()}), i64({two()}))"
        if kind == 10:
            return f"({self.choose('-', '~')}i32({one()}))"
        if kind == 11:
            return f"clamp(i64({one()}), {self.choose('-5', '0')}, {self.choose('9', '200')})"
        return f"slots[{self.index(8)}]"

    def index(self, length: int) -> str:
        return self.choose(str(self.random.randrange(length)), f"(u32({self.value(1)}) & {length - 1})",
                           f"(u32({self.value(1)}) % {length - 1})")  # fmt: skip

    def condition(self, depth: int = 2) -> str:
        kind = self.random.randint(0, 6)
        if depth <= 0 or kind <= 2:
            op = self.choose("<", "<=", ">", ">=", "==", "!=")
            return f"i64({self.value(depth - 1)}) {op} i64({self.value(depth - 1)})"
        if kind == 3:
            return f"({self.condition(depth - 1)} {self.choose('and', 'or')} {self.condition(depth - 1)})"
        if kind == 4:
            return f"(not {self.condition(depth - 1)})"
        if kind == 5:
            return f"is_odd(i64({self.value(depth - 1)}))"
        return f"-3 < i64({self.value(depth - 1)}) <= {self.small()}"

    # --- statements

    def statements(self, count: int) -> None:
        for _ in range(count):
            self.statement()

    def block(self, count: int) -> None:
        """Statements of an inner block; what they name for the first time is not known outside."""
        names, writable = list(self.names), list(self.writable)
        self.depth += 1
        self.statements(count)
        self.depth -= 1
        self.names, self.writable = names, writable

    def statement(self) -> None:
        kind = self.random.randint(0, 8 if self.pure else 13)
        if kind <= 2 or not self.writable or self.depth > 4:
            name, type = self.fresh("v"), self.choose("i64", "i64", "i32", "u32", "u8", "i16")
            if self.pure:
                type = "i64"
            self.line(f"{name}: {type} = {self.wrapped(self.value())}")
            self.names.append(name)
            self.writable.append(name)
        elif kind == 3:
            self.line(f"{self.random.choice(self.writable)} = {self.wrapped(self.value())}")
        elif kind == 4:
            self.line(
                f"{self.random.choice(self.writable)} {self.choose('+=', '-=', '^=', '|=', '&=')} i32({self.value()})"
            )
        elif kind <= 6:
            self.if_statement()
        elif kind == 7 and self.loops < 2:
            self.for_loop()
        elif kind == 8 and self.loops < 2:
            self.while_loop()
        elif self.pure:
            self.if_statement()
        elif kind == 9:
            self.optional()
        elif kind == 10:
            self.struct()
        elif kind == 11:
            self.line(f"table[u32({self.value(2)}) % 5] {self.choose('+=', '-=', '^=')} i64({self.value(2)})")
        elif kind == 12:
            self.line(f"slots[{self.index(8)}] {self.choose('+=', '-=', '=')} i32({self.value(2)})")
        else:
            self.line(f"table[u32({self.value(1)}) % 7] = i64({self.value(2)})")

    def wrapped(self, value: str) -> str:
        return value if self.random.random() < 0.3 else f"{self.random.choice(NARROW)}({value})"

    def if_statement(self) -> None:
        self.line(f"if {self.condition()}:")
        self.block(self.random.randint(1, 2))
        if self.random.random() < 0.3:
            self.line(f"elif {self.condition()}:")
            self.block(1)
        if self.random.random() < 0.5:
            self.line("else:")
            self.block(self.random.randint(1, 2))

    def for_loop(self) -> None:
        name = self.fresh("loop")
        start, count, step = (
            self.random.randint(-3, 3),
            self.random.randint(0, 5),
            self.random.choice([1, 1, 2, -1, -3]),
        )
        self.line(f"for {name} in range({start}, {start + count * step}, {step}):")
        self.loops += 1
        self.names.append(name)
        self.block(self.random.randint(1, 2))
        self.names.remove(name)
        if self.random.random() < 0.4:
            self.line(f"    if i64({name}) {self.choose('>', '==')} {self.small()}:")
            self.line(f"        {self.choose('break', 'continue')}")
        self.loops -= 1
        if self.random.random() < 0.3:
            self.line("else:")
            self.block(1)

    def while_loop(self) -> None:
        name = self.fresh("n")
        self.line(f"{name}: u32 = 0")
        self.line(f"while {name} < {self.random.randint(1, 5)}:")
        self.line(f"    {name} += 1")
        self.loops += 1
        self.names.append(name)
        self.block(self.random.randint(1, 2))
        self.loops -= 1

    def optional(self) -> None:
        name = self.fresh("o")
        key = f"u32({self.value(1)}) % 7"
        self.line(f"{name} = {self.choose('table.get', 'first_of')}({key})")
        self.line(self.choose(f"if {name} is not None:", f"if {name}:"))
        self.names.append(name)
        self.block(1)
        self.names.remove(name)
        if self.random.random() < 0.5:
            self.line("else:")
            self.block(1)

    def struct(self) -> None:
        name = self.fresh("s")
        pair = f"Pair(x=i32({self.value(2)}), y=u16({self.value(2)}), z=i64({self.value(2)}), big=u32({self.value(1)}))"
        if self.random.random() < 0.4:
            self.line(f"{name} = {pair}")
            self.line(f"{name}.{self.choose('x', 'z')} += i32({self.value(1)})")
            self.names += [f"{name}.x", f"{name}.y", f"{name}.z", f"{name}.big"]
            if self.random.random() < 0.5:
                self.line(f"pairs[Pair(x=1, y=2, z={self.small()}, big=3)] = {name}")
        elif self.random.random() < 0.5:
            self.line(f"{name} = Nest(flag={self.condition(1)}, pair={pair}, cells=Array[i16, L[8]]())")
            self.line(f"{name}.cells[{self.index(8)}] = i16({self.value(2)})")
            self.line(f"{name}.pair.y = u16({name}.pair.x)")
            self.names += [f"{name}.pair.y", f"{name}.cells[{self.index(8)}]", f"{name}.pair.big", f"i64({name}.flag)"]
        else:
            self.line(f"{name} = pairs.setdefault(Pair(x=1, y=2, z={self.small()}, big=3), {pair})")
            self.line(f"if {name} is not None:")
            self.line(f"    {name}.z += {name}.x")
            self.line(f"    {name}.big = u32({name}.y)")


def pure_program(seed: int, size: int = 8) -> str:
    """The source text of a module with a function that CPython can run."""
    writer = _Writer(seed, pure=True)
    writer.statements(size)
    writer.line("total: i64 = 0")
    for name in writer.names:
        writer.line(f"total = i64(total ^ i64({name})) + 1")
    writer.line("return total")
    head = HEAD.partition("@raw_tp")[0]
    return head + PURE + "\n".join(writer.lines) + "\n" + CALL


def program(seed: int, size: int = 8) -> str:
    """The source text of a module."""
    writer = _Writer(seed)
    writer.statements(size)
    writer.line("total: i64 = 0")
    for name in writer.names:
        writer.line(f"total = i64(total ^ i64({name})) + 1")
    writer.line("out = total")
    return HEAD + "\n".join(writer.lines) + "\n"
