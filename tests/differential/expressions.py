"""Random expressions. Types follow docs/semantics.md, so that the reference can say at which type each result wraps."""

from __future__ import annotations

import random
from typing import Any

from tests.differential.declarations import CONSTANTS, GLOBALS
from tests.differential.model import INTS, STRUCTS
from tests.differential.nodes import Expr

__all__ = ["Expressions", "Signature", "fits", "host", "joined", "stored"]

LITERALS = [
    *(0, 1, 2, 3, 5, 7, 8, 10, 15, 64, 100, 127, 128, 255, 256, 1000, 32767, 65535, 1 << 20),
    *((1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, (1 << 62) + 5),
    *(-1, -2, -3, -8, -100, -128, -32768, -(1 << 31), -(1 << 40)),
]
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


def stored(kind: str, value: Expr) -> Expr:
    """A value as a place of an int type takes it: wrapped. A literal has to fit, or is converted."""
    kind = host(kind)
    if value.type == "lit" and not fits(kind, value.value):
        value = Expr(kind, kind + "({0})", None, (value,))
    if value.type in (kind, "lit"):
        return value
    return Expr("stored", "{0}", kind + "({0})", (value,))


def operation(op: str, a: Expr, b: Expr) -> str:
    """The type that a op b is computed in."""
    if op in ("<<", ">>"):
        signed = a.value < 0 if a.type == "lit" else a.type[0] == "i"
        return "i64" if signed else "u64"
    kinds = [e.type for e in (a, b) if e.type != "lit"]
    if "u64" in kinds:
        return "u64"
    if any(kind[0] == "i" for kind in kinds) or any(e.value < 0 for e in (a, b) if e.type == "lit"):
        return "i64"
    return "i64" if op == "-" else "u64"


class Expressions:
    """Makes expressions over what is in scope."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numbers: list[tuple[str, str]] = []  # name, type
        self.objects: list[tuple[str, str]] = []  # name, struct
        self.texts: list[tuple[str, int]] = []  # name, size
        self.functions: list[Signature] = []
        self.in_program = True

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def one(self, items: Any) -> Any:
        return self.random.choice(items)

    # --- numbers

    def literal(self, value: int | None = None) -> Expr:
        value = self.one(LITERALS) if value is None else value
        text = str(value) if abs(value) < 1 << 16 or self.chance(0.5) else hex(value)
        return Expr("lit", text if value >= 0 else f"({text})", None, (), value)

    def leaf(self) -> Expr:
        kind = self.random.randint(0, 9)
        if kind <= 5 and self.numbers:
            name, type = self.one(self.numbers)
            return Expr(type, name)
        if kind == 6 and self.objects:
            return self.field()
        if kind == 7:
            name, (type, _) = self.one(sorted({**GLOBALS, **CONSTANTS}.items()))
            return Expr(type, name)
        return self.literal()

    def convert(self, kind: str, value: Expr) -> Expr:
        if value.type == kind:
            return value
        return Expr(kind, kind + "({0})", None, (value,))

    def agreeing(self, op: str, a: Expr, b: Expr) -> tuple[Expr, Expr]:
        """Operands whose comparison or division has an answer in 64 bits: no u64 with what may be negative."""
        if operation(op, a, b) != "u64":
            return a, b
        if all(e.value >= 0 if e.type == "lit" else e.type[0] != "i" for e in (a, b)):
            return a, b
        kind = "i64" if any(e.type == "lit" and e.value < 0 for e in (a, b)) else self.one(["i64", "u64"])
        return tuple([e if e.type == "lit" else self.convert(kind, e) for e in (a, b)])  # type: ignore[return-value]

    def value(self, depth: int = 3) -> Expr:
        """Any number."""
        if depth <= 0 or self.chance(0.12):
            return self.leaf()
        kind = self.random.randint(0, 19)
        if kind <= 4:
            return self.binary(
                self.one(["+", "-", "*", "&", "|", "^", "+", "-"]), self.value(depth - 1), self.value(depth - 2)
            )
        if kind <= 6:
            return self.division(depth)
        if kind <= 8:
            return self.shift(depth)
        if kind <= 10:
            return self.convert(self.one(sorted(INTS)), self.value(depth - 1))
        if kind == 11:
            return self.choice(depth)
        if kind == 12:
            return self.either(depth)
        if kind == 13:
            return self.least(depth)
        if kind == 14:
            return self.unary(depth)
        if kind == 15:
            return self.call(depth)
        if kind == 16:
            return Expr("bool", "({0})", None, (self.condition(depth - 1, pure=True),))
        if kind == 17 and self.objects:
            return self.field()
        return self.slot(depth)

    def binary(self, op: str, a: Expr, b: Expr) -> Expr:
        if a.type == b.type == "lit":
            value = {"+": a.value + b.value, "-": a.value - b.value, "*": a.value * b.value, "&": a.value & b.value,
                     "|": a.value | b.value, "^": a.value ^ b.value}[op]  # fmt: skip
            if -(1 << 63) <= value < 1 << 63:
                return Expr("lit", f"({{0}} {op} {{1}})", None, (a, b), value)
            a = self.convert("i64", a)
        kind = operation(op, a, b)
        return Expr(kind, f"({{0}} {op} {{1}})", f"{kind}({{0}} {op} {{1}})", (a, b))

    def division(self, depth: int) -> Expr:
        op = self.one(["//", "%"])
        a = self.value(depth - 1)
        style = self.random.randint(0, 9)
        if style <= 4:
            b = self.literal(
                self.one([1, 2, 3, 4, 7, 8, 10, 16, 100, 1000, 1 << 20, 1 << 33, -1, -2, -3, -7, -8, -100])
            )
        elif style <= 6:
            b = self.binary("|", self.value(depth - 2), self.literal(1))
        elif style == 7:
            b = self.either(1, self.value(depth - 2), self.literal(self.random.randint(1, 9)), "or")
        else:
            b = self.one([self.leaf, lambda: self.value(depth - 2)])()
        if a.type == "lit" or (b.type == "lit" and b.value == 0):
            a = self.convert(self.one(sorted(INTS)), a)
        if b.type == "lit" and b.value == 0:
            b = self.literal(3)
        a, b = self.agreeing(op, a, b)
        kind = operation(op, a, b)
        return Expr(kind, f"({{0}} {op} {{1}})", f"{kind}({'div' if op == '//' else 'mod'}({{0}}, {{1}}))", (a, b))

    def shift(self, depth: int) -> Expr:
        op = self.one(["<<", ">>"])
        a = self.value(depth - 1)
        b = self.literal(self.random.randint(0, 63))
        if self.chance(0.4):
            b = self.binary("&", self.value(depth - 2), self.literal(self.one([7, 31, 63, 255])))
            if b.type == "lit":
                b = self.literal(5)
        if a.type == "lit":
            a = self.convert(self.one(["u8", "u32", "i32", "i64", "u64"]), a)
        kind = operation(op, a, b)
        return Expr(kind, f"({{0}} {op} {{1}})", f"{kind}({{0}} {op} ({{1}} & 63))", (a, b))

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

    def choice(self, depth: int) -> Expr:
        a, b, kind = self.alike(self.value(depth - 1), self.value(depth - 2))
        return Expr(kind, "({0} if {1} else {2})", None, (a, self.condition(depth - 1), b))

    def either(self, depth: int, a: Expr | None = None, b: Expr | None = None, op: str = "") -> Expr:
        """`a and b`, `a or b`."""
        one, other = a or self.value(depth - 1), b or self.value(depth - 2)
        if one.type == "lit":
            one = self.convert("i64", one)
        one, other, kind = self.alike(one, other)
        return Expr(kind, f"({{0}} {op or self.one(['and', 'or'])} {{1}})", None, (one, other))

    def least(self, depth: int) -> Expr:
        name = self.one(["min", "max", "abs"])
        a = self.plain(self.value(depth - 1))
        if a.type == "lit":
            a = self.convert("i32", a)
        if name == "abs":
            kind = a.type if a.type[0] == "u" else "i64"
            return Expr(kind, "abs({0})", f"{kind}(abs({{0}}))", (a,))
        a, b = self.agreeing(name, a, self.plain(self.value(depth - 2)))
        return Expr(operation(name, a, b), name + "({0}, {1})", None, (a, b))

    def unary(self, depth: int) -> Expr:
        op, a = self.one("-~+"), self.plain(self.value(depth - 1))
        if a.type == "lit":
            a = self.convert("i16", a)
        kind = "u64" if a.type == "u64" else "i64"
        return Expr(kind, f"({op}{{0}})", f"{kind}({op}{{0}})", (a,))

    def call(self, depth: int) -> Expr:
        kind = self.random.randint(0, 3)
        if kind == 0:
            return Expr("u64", "tick({0})", None, (stored("u32", self.value(depth - 2)),))
        if kind == 1:
            bounds = self.one([("-5", "9"), ("0", "200"), ("g1", "limit")])
            return Expr("i64", f"clamp({{0}}, {', '.join(bounds)})", None, (stored("i64", self.value(depth - 1)),))
        found = [name for name, struct in self.objects if struct == "Pair"]
        if kind == 2 and found:
            if self.chance(0.5):
                return Expr("i64", f"{self.one(found)}.total()")
            return Expr("i32", f"bump({self.one(found)}, {{0}})", None, (stored("i32", self.value(depth - 2)),))
        if not self.functions:
            return Expr("i64", "i64(is_odd({0}))", None, (stored("i64", self.value(depth - 1)),))
        made = self.one(self.functions)
        holes = ", ".join([f"{{{i}}}" for i in range(len(made.parameters))])
        # a literal would stay one in the function, and be computed with exactly
        arguments = tuple([self.convert(kind, self.value(depth - 2)) for kind in made.parameters])
        return Expr(made.result, f"{made.name}({holes})", None, arguments)

    # --- memory

    def index(self, length: int, depth: int = 1) -> Expr:
        """A number that is shown to be below `length`, by its form."""
        kind = self.random.randint(0, 5)
        if kind <= 1:
            return self.literal(self.random.randrange(length))
        value = self.plain(self.value(depth))
        if value.type == "lit":
            return self.literal(value.value % length)
        if kind == 2:
            return self.binary("&", value, self.literal(length - 1))
        if kind == 3:
            value = self.convert(self.one(["u8", "u32", "u64"]), value)
            return Expr("u64", "min({0}, {1})", None, (value, self.literal(length - 1)))
        op = operation("%", value, self.literal(length))
        return Expr(op, "({0} % {1})", f"{op}({{0}} % {{1}})", (value, self.literal(self.random.randint(1, length))))

    def slot(self, depth: int) -> Expr:
        """An element of an array map."""
        name, type, count = self.one([("slots", "i32", 8), ("pc", "u64", 4), ("outs", "i64", 64)])
        if self.chance(0.3):
            base = Expr("Nest", "rows[{0}]", None, (self.index(4, depth - 2),))
            return self.path(base, "Nest")[0]
        return Expr(type, name + "[{0}]", None, (self.index(count, depth - 2),))

    def field(self) -> Expr:
        name, struct = self.one(self.objects)
        return self.path(Expr(struct, name), struct)[0]

    def path(self, base: Expr, struct: str) -> tuple[Expr, str]:
        """A number inside a struct, and its type in memory."""
        name, type = self.one([item for item in STRUCTS[struct].items() if not isinstance(item[1], int)])
        if isinstance(type, tuple):
            place = Expr(type[0], f"{{0}}.{name}[{{1}}]", None, (base, self.index(type[1])))
            return place, type[0]
        if type in STRUCTS:
            return self.path(Expr(type, f"{{0}}.{name}", None, (base,)), type)
        return Expr(host(type), f"{{0}}.{name}", None, (base,)), type

    # --- conditions

    def condition(self, depth: int = 2, pure: bool = False) -> Expr:
        """A bool; what Python takes for one, unless `pure`."""
        kind = self.random.randint(0, 11)
        if depth <= 0 or kind <= 3:
            return self.compare(depth)
        if kind <= 5:
            op = self.one(["and", "or"])
            return Expr(
                "bool", f"({{0}} {op} {{1}})", None, (self.condition(depth - 1, pure), self.condition(depth - 1, pure))
            )
        if kind == 6:
            return Expr("bool", "(not {0})", None, (self.condition(depth - 1, pure),))
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
            return Expr("bool", "is_odd({0})", None, (stored("i64", self.value(depth - 1)),))
        return self.in_map(depth)

    def compare(self, depth: int) -> Expr:
        op, a, b = self.one(COMPARE), self.value(depth - 1), self.value(depth - 2)
        if a.type == b.type == "lit":
            a = self.convert("i32", a)
        a, b = self.agreeing(op, a, b)
        return Expr("bool", f"{{0}} {op} {{1}}", "({0} " + op + " {1})", (a, b))

    def chain(self, depth: int) -> Expr:
        items = [self.value(depth - 1), self.value(depth - 1), self.value(depth - 2)]
        kinds = [self.convert("i64", item) if item.type != "lit" else item for item in items]
        if kinds[1].type == "lit":
            kinds[1] = self.convert("i64", kinds[1])
        ops = self.one(COMPARE), self.one(COMPARE)
        return Expr("bool", f"({{0}} {ops[0]} {{1}} {ops[1]} {{2}})", None, tuple(kinds))

    def member(self, depth: int) -> Expr:
        item = self.plain(self.value(depth - 1))
        if item.type == "lit":
            item = self.convert("i32", item)
        low = 0 if item.type[0] == "u" else -5
        word = self.one(["in", "not in"])
        if self.chance(0.3):
            return Expr("bool", f"({{0}} {word} range({low}, {self.random.randint(1, 99)}))", None, (item,))
        members = ", ".join([str(self.random.randint(low, 20)) for _ in range(self.random.randint(2, 4))])
        return Expr("bool", f"({{0}} {word} ({members}))", None, (item,))

    def text_test(self, pure: bool) -> Expr:
        found = self.known_texts()
        name, size = self.one(found)
        kind = self.random.randint(0, 2)
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
        return Expr("bool", f"({{0}} {self.one(['in', 'not in'])} {name})", None, (self.key(type, depth - 1),))

    def key(self, type: str, depth: int = 1) -> Expr:
        """A key among few, so that entries are met again."""
        return stored(type, self.index(8, depth))

    def pair(self, depth: int = 1) -> Expr:
        values = tuple([stored(kind, self.value(depth)) for kind in ("i32", "u16", "i64", "be32")])
        return Expr("Pair", "Pair(x={0}, y={1}, z={2}, big={3})", None, values)

    def map_key(self) -> Expr:
        return Expr("Key", "Key(low={0}, high={1})", None, (self.key("u8"), self.literal(self.random.randint(0, 1))))
