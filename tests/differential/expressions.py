"""Random expressions. Types follow docs/semantics.md, so that what is made of them is known to be taken.

`choices` is anything with `randrange`: random.Random, or hypothesis, which then makes small what fails. The first
alternative is always the simplest one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.differential.declarations import CONSTANTS, GLOBALS, INTS, STRUCTS
from tests.differential.nodes import Expr

if TYPE_CHECKING:
    from random import Random

__all__ = ["COMPARE", "FREE", "Expressions", "Signature", "host", "operation"]

LITERALS = [
    *(0, 1, 2, 3, 5, 7, 8, 10, 15, 64, 100, 127, 128, 255, 256, 1000, 32767, 65535, 1 << 20),
    *((1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, (1 << 62) + 5),
    *(-1, -2, -3, -8, -100, -128, -32768, -(1 << 31), -(1 << 40)),
]
DIVISORS = [1, 2, 3, 4, 7, 8, 10, 16, 100, 1000, 1 << 20, 1 << 33, -1, -2, -3, -7, -8, -100]
WORDS = ["", "a", "ab", "hello", "eight ch"]
COMPARE = ["<", "<=", ">", ">=", "==", "!="]
FREE = ["a", "b", "c"]


class Signature:
    """A generated function: its name, the types of its parameters, that of its result."""

    def __init__(self, name: str, parameters: list[str], result: str) -> None:
        self.name, self.parameters, self.result = name, parameters, result


def host(kind: str) -> str:
    return "u" + kind[2:] if kind.startswith("be") else kind


def fits(kind: str, value: int) -> bool:
    low, high = INTS[kind]
    return low <= value <= high


def signed(value: Expr) -> bool:
    return value.value < 0 if value.type == "lit" else value.type[0] == "i"


def joined(a: Expr, b: Expr) -> str | None:
    """The type that holds the values of both; None where there is none."""
    kinds = [e.type for e in (a, b) if e.type != "lit"]
    lows = [e.value if e.type == "lit" else INTS[e.type][0] for e in (a, b)]
    highs = [e.value if e.type == "lit" else INTS[e.type][1] for e in (a, b)]
    if not kinds:
        return "i64"
    if len(set(kinds)) == 1 and all(fits(kinds[0], e.value) for e in (a, b) if e.type == "lit"):
        return kinds[0]
    for bits in (8, 16, 32, 64):
        for kind in (f"u{bits}", f"i{bits}"):
            if fits(kind, min(lows)) and fits(kind, max(highs)):
                return kind
    return None


def operation(op: str, a: Expr, b: Expr) -> str:
    """The type that a op b is computed in."""
    if op in ("<<", ">>"):
        return "i64" if signed(a) or a.type == "bool" else "u64"
    kinds = [e.type for e in (a, b) if e.type != "lit"]
    if "u64" in kinds:
        return "u64"
    if signed(a) or signed(b) or all(kind == "bool" for kind in kinds):
        return "i64"
    return "i64" if op == "-" else "u64"


class Expressions:
    """Makes expressions over what is in scope."""

    def __init__(self, choices: Random, prefix: str) -> None:
        self.choices = choices
        self.prefix = prefix  # of the names of functions
        self.numbers: list[tuple[str, str]] = []  # name, type
        self.objects: list[tuple[str, str]] = []  # name, struct
        self.texts: list[tuple[str, int]] = []  # name, size
        self.functions: list[Signature] = []
        self.in_program = True

    def below(self, count: int) -> int:
        return self.choices.randrange(count)

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def chance(self, share: float) -> bool:
        return self.below(100) >= 100 - 100 * share

    def one(self, items: Any) -> Any:
        return items[self.below(len(items))]

    # --- numbers

    def literal(self, value: int | None = None) -> Expr:
        value = self.one(LITERALS) if value is None else value
        text = str(value) if abs(value) < 1 << 16 or self.chance(0.5) else hex(value)
        return Expr("lit", text if value >= 0 else f"({text})", (), value)

    def leaf(self) -> Expr:
        kind = self.below(10)
        if kind <= 5 and self.numbers:
            name, type = self.one(self.numbers)
            return Expr(type, name)
        if kind == 6 and self.objects:
            return self.field()
        if kind == 7:
            name, type = self.one(sorted({**GLOBALS, **CONSTANTS}.items()))
            return Expr(type, name)
        return self.literal()

    def convert(self, kind: str, value: Expr) -> Expr:
        if value.type == kind:
            return value
        return Expr(kind, kind + "({0})", (value,))

    def stored(self, kind: str, value: Expr) -> Expr:
        """A value as a place of an int type takes it. A literal has to fit, or is converted."""
        kind = host(kind)
        if value.type == "lit" and not fits(kind, value.value):
            return self.convert(kind, value)
        return value

    def agreeing(self, op: str, a: Expr, b: Expr) -> tuple[Expr, Expr]:
        """Operands whose comparison or division has an answer in 64 bits: no u64 with what may be negative."""
        if operation(op, a, b) != "u64" or not (signed(a) or signed(b)):
            return a, b
        kind = "i64" if any(e.type == "lit" and e.value < 0 for e in (a, b)) else self.one(["i64", "u64"])
        a, b = [e if e.type == "lit" else self.convert(kind, e) for e in (a, b)]
        return a, b

    def value(self, depth: int = 3) -> Expr:
        """Any number."""
        if depth <= 0 or self.chance(0.12):
            return self.leaf()
        kind = self.below(20)
        if kind <= 1:
            return self.leaf()
        if kind <= 5:
            op = self.one(["+", "-", "*", "&", "|", "^", "+", "-"])
            return self.binary(op, self.value(depth - 1), self.value(depth - 2))
        if kind <= 7:
            return self.division(depth)
        if kind <= 9:
            return self.shift(depth)
        if kind <= 11:
            return self.convert(self.one(sorted(INTS)), self.value(depth - 1))
        if kind == 12:
            return self.choice(depth)
        if kind == 13:
            return self.either(depth)
        if kind == 14:
            return self.least(depth)
        if kind == 15:
            return self.unary(depth)
        if kind == 16:
            return self.call(depth)
        if kind == 17:
            return Expr("bool", "({0})", (self.condition(depth - 1, pure=True),))
        if kind == 18 and self.objects:
            return self.field()
        return self.slot(depth)

    def binary(self, op: str, a: Expr, b: Expr) -> Expr:
        if a.type == b.type == "lit":
            value = {"+": a.value + b.value, "-": a.value - b.value, "*": a.value * b.value, "&": a.value & b.value,
                     "|": a.value | b.value, "^": a.value ^ b.value}[op]  # fmt: skip
            if -(1 << 63) <= value < 1 << 63:
                return Expr("lit", f"({{0}} {op} {{1}})", (a, b), value)
            a = self.convert("i64", a)
        if a.type == b.type == "bool" and op in "&|^":
            return Expr("bool", f"({{0}} {op} {{1}})", (a, b))
        a, b = self.typed(a, b)
        return Expr(operation(op, a, b), f"({{0}} {op} {{1}})", (a, b))

    def typed(self, a: Expr, b: Expr) -> tuple[Expr, Expr]:
        """Beside a u64 or a literal a bool is written as a number: Python's True has no type to give to the result."""
        if {a.type, b.type} <= {"bool", "lit"}:
            return tuple([self.convert("i64", e) if e.type == "bool" else e for e in (a, b)])  # type: ignore[return-value]
        return (self.plain(a), self.plain(b)) if "u64" in (a.type, b.type) else (a, b)

    def division(self, depth: int) -> Expr:
        op = self.one(["//", "%"])
        a = self.plain(self.value(depth - 1))
        style = self.below(20)
        if style <= 9:
            b = self.literal(self.one(DIVISORS))
        elif style <= 13:
            b = self.binary("|", self.value(depth - 2), self.literal(1))
        elif style <= 18:
            b = self.either(1, self.value(depth - 2), self.literal(self.between(1, 9)), "or")
        else:
            b = self.plain(self.one([self.leaf, lambda: self.value(depth - 2)])())
        if a.type == "lit" or (b.type == "lit" and b.value == 0):
            a = self.convert(self.one(sorted(INTS)), a)
        if b.type == "lit" and b.value == 0:
            b = self.literal(3)
        a, b = self.agreeing(op, a, b)
        return Expr(operation(op, a, b), f"({{0}} {op} {{1}})", (a, b))

    def shift(self, depth: int) -> Expr:
        op = self.one(["<<", ">>"])
        a = self.plain(self.value(depth - 1))
        b = self.literal(self.below(64))
        if self.chance(0.4):
            b = self.binary("&", self.value(depth - 2), self.literal(self.one([7, 31, 63, 255])))
            if b.type in ("lit", "bool"):
                b = self.literal(5)
        if a.type == "lit":
            a = self.convert(self.one(["u8", "u32", "i32", "i64", "u64"]), a)
        return Expr(operation(op, a, b), f"({{0}} {op} {{1}})", (a, b))

    def plain(self, value: Expr) -> Expr:
        """Not a bool."""
        return self.convert("u32", value) if value.type == "bool" else value

    def alike(self, a: Expr, b: Expr) -> tuple[Expr, Expr, str]:
        """Two operands that one type holds, and the type."""
        a, b = self.plain(a), self.plain(b)
        kind = joined(a, b)
        if kind is None:
            a, b, kind = self.convert("i64", a), self.convert("i64", b), "i64"
        return a, b, kind

    def meeting(self, kind: str, template: str, a: Expr, b: Expr, *others: Expr) -> Expr:
        """One of two values. In Python the result has the type of the one; where that shows, it is written down."""
        made = Expr(kind, template, (a, b, *others))
        if a.type == b.type != "lit" or (kind[1:] != "64" and signed(a) == signed(b)):
            return made
        return Expr(kind, kind + "({0})", (Expr("", template, (a, b, *others)),))

    def choice(self, depth: int) -> Expr:
        a, b, kind = self.alike(self.value(depth - 1), self.value(depth - 2))
        return self.meeting(kind, "({0} if {2} else {1})", a, b, self.condition(depth - 1))

    def either(self, depth: int, a: Expr | None = None, b: Expr | None = None, op: str = "") -> Expr:
        """`a and b`, `a or b`."""
        one, other = a or self.value(depth - 1), b or self.value(depth - 2)
        if one.type == "lit":
            one = self.convert("i64", one)
        one, other, kind = self.alike(one, other)
        return self.meeting(kind, f"({{0}} {op or self.one(['and', 'or'])} {{1}})", one, other)

    def least(self, depth: int) -> Expr:
        name = self.one(["min", "max", "abs"])
        a = self.plain(self.value(depth - 1))
        if a.type == "lit":
            a = self.convert("i32", a)
        if name == "abs":
            return Expr(a.type if a.type[0] == "u" else "i64", "abs({0})", (a,))
        a, b = self.agreeing(name, a, self.plain(self.value(depth - 2)))
        return Expr(operation(name, a, b), name + "({0}, {1})", (a, b))

    def unary(self, depth: int) -> Expr:
        op, a = self.one("-~+"), self.plain(self.value(depth - 1))
        if a.type == "lit":
            a = self.convert("i16", a)
        return Expr("u64" if a.type == "u64" else "i64", f"({op}{{0}})", (a,))

    def call(self, depth: int) -> Expr:
        kind = self.below(4)
        if kind == 0:
            return Expr("u64", "tick({0})", (self.stored("u32", self.value(depth - 2)),))
        if kind == 1:
            bounds = self.one(["-5, 9", "0, 200", "g1, limit", "high=9, low=-7"])
            return Expr("i64", f"clamp({{0}}, {bounds})", (self.stored("i64", self.value(depth - 1)),))
        found = [name for name, struct in self.objects if struct == "Pair"]
        if kind == 2 and found:
            if self.chance(0.5):
                return Expr("i64", f"{self.one(found)}.total()")
            if self.chance(0.2):
                return Expr("i32", f"bump({self.one(found)})")
            return Expr("i32", f"bump({self.one(found)}, {{0}})", (self.stored("i32", self.value(depth - 2)),))
        if not self.functions:
            return Expr("i64", "i64(is_odd({0}))", (self.stored("i64", self.value(depth - 1)),))
        made = self.one(self.functions)
        holes = ", ".join([f"{{{i}}}" for i in range(len(made.parameters))])
        # a literal would stay one in the function, and be computed with exactly
        arguments = tuple([self.convert(kind, self.value(depth - 2)) for kind in made.parameters])
        return Expr(made.result, f"{made.name}({holes})", arguments)

    # --- memory

    def index(self, length: int, depth: int = 1) -> Expr:
        """A number that is shown to be below `length`, by its form."""
        kind = self.below(6)
        if kind <= 1:
            return self.literal(self.below(length))
        value = self.plain(self.value(depth))
        if value.type == "lit":
            value = self.convert("u32", value)
        if kind <= 3:
            return Expr(operation("&", value, self.literal(1)), f"({{0}} & {length - 1})", (value,))
        if kind == 4:
            if value.type[0] == "i":
                value = self.convert(self.one(["u8", "u32", "u64"]), value)
            return Expr("u64", "min({0}, {1})", (value, self.literal(length - 1)))
        divisor = self.literal(self.between(1, length))
        return Expr(operation("%", value, divisor), "({0} % {1})", (value, divisor))

    def slot(self, depth: int) -> Expr:
        """An element of an array map."""
        name, type, count = self.one([("slots", "i32", 8), ("pc", "u64", 4), ("outs", "i64", 64)])
        if self.chance(0.3):
            return self.path(Expr("Nest", "rows[{0}]", (self.index(4, depth - 2),)), "Nest")[0]
        return Expr(type, name + "[{0}]", (self.index(count, depth - 2),))

    def field(self) -> Expr:
        name, struct = self.one(self.objects)
        return self.path(Expr(struct, name), struct)[0]

    def path(self, base: Expr, struct: str) -> tuple[Expr, str]:
        """A number inside a struct, and its type in memory."""
        name, type = self.one([item for item in STRUCTS[struct].items() if not isinstance(item[1], int)])
        if isinstance(type, tuple):
            return Expr(type[0], f"{{0}}.{name}[{{1}}]", (base, self.index(type[1]))), type[0]
        if type in STRUCTS:
            return self.path(Expr(type, f"{{0}}.{name}", (base,)), type)
        return Expr(host(type), f"{{0}}.{name}", (base,)), type

    # --- conditions

    def condition(self, depth: int = 2, pure: bool = False) -> Expr:
        """A bool; what Python takes for one, unless `pure`."""
        kind = self.below(12)
        if depth <= 0 or kind <= 3:
            return self.compare(depth)
        if kind <= 5:
            op = self.one(["and", "or"])
            both = self.condition(depth - 1, pure), self.condition(depth - 1, pure)
            return Expr("bool", f"({{0}} {op} {{1}})", both)
        if kind == 6:
            return Expr("bool", "(not {0})", (self.condition(depth - 1, pure),))
        if kind == 7:
            return self.chain(depth)
        if kind == 8:
            return self.member(depth)
        if kind == 9 and not pure:
            value = self.value(depth - 1)
            return value if value.type != "lit" else self.compare(depth)
        if kind == 10 and self.known_texts():
            return self.text_test(pure)
        if kind == 11 and not pure:
            return Expr("bool", "is_odd({0})", (self.stored("i64", self.value(depth - 1)),))
        return self.in_map(depth)

    def compare(self, depth: int) -> Expr:
        op, a, b = self.one(COMPARE), self.value(depth - 1), self.value(depth - 2)
        if a.type == b.type == "lit":
            a = self.convert("i32", a)
        a, b = self.agreeing(op, a, b)
        return Expr("bool", f"({{0}} {op} {{1}})", (a, b))

    def chain(self, depth: int) -> Expr:
        items = [self.value(depth - 1), self.value(depth - 1), self.value(depth - 2)]
        kinds = [self.convert("i64", item) if item.type != "lit" else item for item in items]
        if kinds[1].type == "lit":
            kinds[1] = self.convert("i64", kinds[1])
        ops = self.one(COMPARE), self.one(COMPARE)
        return Expr("bool", f"({{0}} {ops[0]} {{1}} {ops[1]} {{2}})", tuple(kinds))

    def member(self, depth: int) -> Expr:
        item = self.plain(self.value(depth - 1))
        if item.type == "lit":
            item = self.convert("i32", item)
        low = 0 if item.type[0] == "u" else -5
        word = self.one(["in", "not in"])
        if self.chance(0.3):
            return Expr("bool", f"({{0}} {word} range({low}, {self.between(1, 99)}))", (item,))
        members = ", ".join([str(self.between(low, 20)) for _ in range(self.between(2, 4))])
        return Expr("bool", f"({{0}} {word} ({members}))", (item,))

    def text_test(self, pure: bool) -> Expr:
        found = self.known_texts()
        name, size = self.one(found)
        kind = self.below(3)
        if kind == 0 and not pure:
            return Expr("bool", f"bool({name})")
        op = self.one(["==", "!="])
        if kind == 1:
            return Expr("bool", f"({name} {op} {self.one(found)[0]})")
        return Expr("bool", f'({name} {op} "{self.word(size)}")')

    def known_texts(self) -> list[tuple[str, int]]:
        """Texts in scope and their sizes."""
        fields = {"Nest": ("name", 8), "Event": ("what", 6)}
        return self.texts + [(f"{n}.{fields[s][0]}", fields[s][1]) for n, s in self.objects if s in fields]

    def word(self, size: int) -> str:
        return str(self.one([word for word in WORDS if len(word) <= size]))

    def in_map(self, depth: int) -> Expr:
        name, type = self.one([("table", "u32"), ("tiny", "u16"), ("ph", "u8")])
        return Expr("bool", f"({{0}} {self.one(['in', 'not in'])} {name})", (self.key(type, depth - 1),))

    def key(self, type: str, depth: int = 1) -> Expr:
        """A key among few, so that entries are met again."""
        return self.stored(type, self.index(8, depth))

    def pair(self, depth: int = 1) -> Expr:
        values = tuple([self.stored(kind, self.value(depth)) for kind in ("i32", "u16", "i64", "be32")])
        return Expr("Pair", "Pair(x={0}, y={1}, z={2}, big={3})", values)

    def map_key(self) -> Expr:
        return Expr("Key", "Key(low={0}, high={1})", (self.key("u8"), self.literal(self.below(2))))
