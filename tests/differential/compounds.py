"""Random statements about what has parts: tuples, closures, texts, arrays, bit fields, maps as a whole."""

from __future__ import annotations

from tests.differential.expressions import COMPARE
from tests.differential.nodes import Expr, Stmt
from tests.differential.places import simple
from tests.differential.shapes import Shapes

__all__ = ["Compounds"]

_LETTERS = ["a", "b", "l", "el", "he", "hello", "h c", "x"]


class Compounds(Shapes):
    """Tuples made, returned and taken apart; functions inside the program; searching texts and arrays."""

    def compound(self) -> list[Stmt]:
        kinds = [self.pair_of_numbers, self.tuple_variable, self.quotient, self.text_number, self.array_number]
        kinds += [self.bit_field]
        if self.in_program and self.depth < 2:
            kinds += [self.over_hash, self.over_slots, self.closure, self.closure]
        return self.one(kinds)()  # type: ignore[no-any-return]

    # --- tuples

    def pair_of_numbers(self) -> list[Stmt]:
        first, second = self.fresh("v"), self.fresh("v")
        values = self.convert("u32", self.value(2)), self.convert("i64", self.value(2))
        self.numbers += [(first, "i64"), (second, "u32")]
        return [simple(f"{first}, {second} = ordered({{0}}, {{1}})", *values)]

    def tuple_variable(self) -> list[Stmt]:
        name, one, two = self.fresh("t"), self.one(["i64", "u8", "u32"]), self.one(["i64", "i16", "u64"])
        values = self.convert(one, self.value(2)), self.convert(two, self.value(2))
        made = [simple(f"{name} = ({{0}}, {{1}})", *values)]
        self.numbers += [(f"{name}[0]", one), (f"{name}[1]", two)]
        return made

    def quotient(self) -> list[Stmt]:
        first, second = self.fresh("v"), self.fresh("v")
        value = self.convert(self.one(["i64", "i16", "i32"]), self.value(2))
        made = [simple(f"{first}, {second} = divmod({{0}}, {self.one([2, 3, 7, 8, -3, -8])})", value)]
        self.numbers += [(first, "i64"), (second, "i64")]
        return made

    # --- functions inside

    def closure(self) -> list[Stmt]:
        """A function that uses, and may change, a variable around it, called before and after that changed."""
        writable = [name for name, type, annotated in self.writable if type == "i64" and annotated]
        name, held = self.fresh("local"), self.fresh("v")
        first: list[Stmt] = []
        if writable:
            around = self.one(writable)
        else:
            around = self.fresh("v")
            first = [simple(f"{around}: i64 = {{0}}", self.value(1), keep=True)]
            self.name(around, "i64")
        saved = self.numbers, self.objects, self.texts, self.writable, self.in_program
        self.numbers, self.objects, self.texts, self.writable = [("x", "i64"), (around, "i64")], [], [], []
        self.in_program = False
        body = [simple("return {0}", self.convert("i64", self.value(2)), keep=True)]
        if self.chance(0.4):
            body[:0] = [simple(f"nonlocal {around}", keep=True), simple(f"{around} += {{0}}", self.value(1))]
        self.numbers, self.objects, self.texts, self.writable, self.in_program = saved
        head = f"def {name}(x: i64 = 3) -> i64:"
        call = Expr("i64", f"{name}({{0}})", (self.convert("i64", self.value(1)),))
        made = [
            *first,
            Stmt((Expr("", head), body), keep=True),
            simple(f"{held}: i64 = {{0}}", self.one([call, Expr("i64", f"{name}()")]), keep=True),
            simple(f"{around} ^= {{0}}", self.value(1)),
            simple(f"{held} += {{0}}", call),
        ]
        self.name(held, "i64")
        return made

    # --- texts, arrays, bits

    def text_number(self) -> list[Stmt]:
        name = self.fresh("v")
        found = self.known_texts()
        if not found:
            return self.tuple_variable()
        text, _ = self.one(found)
        word = self.one(_LETTERS)
        start = self.below(3)
        made = self.one(
            [
                f'{text}.find("{word}")',
                f"len({text})",
                f'i64("{word}" in {text})',
                f'i64({text}[{start}:{start + 2}] == "{word[:2]}")',
                f'i64({text}.startswith("{word}"))',
                f'i64({text}.endswith("{word}"))',
                f'i64({text} {self.one(COMPARE)} "{word}")',
            ]
        )
        self.numbers.append((name, "i64"))
        return [simple(f"{name}: i64 = {made}")]

    def array_number(self) -> list[Stmt]:
        name = self.fresh("v")
        nests = [f"{text}.cells" for text in self.of("Nest")] or [f"rows[{self.below(4)}].cells"]
        array = self.one(nests)
        if self.chance(0.3):
            start = self.below(4)
            array = f"{array}[{start}:{start + self.between(1, 4)}]"
        value = self.convert("i64", self.value(1))
        made = self.one(
            [
                Expr("i64", f"sum({array})"),
                Expr("i64", f"max({array}) - min({array})"),
                Expr("i64", f"i64({{0}} in {array})", (value,)),
                Expr("i64", f"i64(any([c > {{0}} for c in {array}]))", (Expr("i64", f"i64({self.below(50)})"),)),
                Expr("i64", f"i64(all([c != {self.below(9)} for c in {array}]))"),
                Expr("i64", f"i64({array} == {array})"),
            ]
        )
        self.numbers.append((name, "i64"))
        return [simple(f"{name}: i64 = {{0}}", made)]

    def bit_field(self) -> list[Stmt]:
        field, type = self.one([("low", "u32"), ("mid", "i32"), ("high", "u32"), ("rest", "u16")])
        place = Expr(type, f"bits[{self.below(2)}].{field}")
        value = self.convert(type, self.value(2))
        changed = simple(f"{place.src} {self.one(['', '', '+', '-', '^'])}= {{0}}", value)
        name = self.fresh("v")
        self.numbers.append((name, type))
        return [changed, simple(f"{name}: {type} = {{0}}", place)]

    # --- maps as a whole

    def over_hash(self) -> list[Stmt]:
        """The kernel has an order of its own: what is done for each entry gives the same in any."""
        name, value, total = self.fresh("k"), self.fresh("x"), self.fresh("v")
        table, key, held = self.one([("table", "u32", "i64"), ("tiny", "u16", "u32"), ("ph", "u8", "i32")])
        saved = self.numbers
        self.numbers = [(name, key), (value, held)]
        body: list[Stmt] = []
        for op in (self.one("+^"), self.one("+^"))[: self.few()]:
            operand = Expr("", self.one([f"({value} * 5 ^ {name})", f"({name} + i64({value}))", f"i64({value} >> 1)"]))
            body.append(simple(f"{total} {op}= {{0}}", operand))
            break
        self.numbers = saved
        if self.chance(0.4):
            test = Expr("", f"if {name} {self.one(COMPARE)} {self.below(8)}:")
            body = [Stmt((test, body))]
        head = self.one(
            [
                f"for {name}, {value} in {table}.items():",
                f"for {name}, {value} in {table}.items():",
                f"for {value} in {table}.values():\n    {name} = {key}(7)",
            ]
        )
        if "\n" in head:
            head, inner = head.split("\n")
            body.insert(0, simple(inner.strip(), keep=True))
        made = [simple(f"{total}: i64 = 0", keep=True), Stmt((Expr("", head), body))]
        self.name(total, "i64")
        return made

    def over_slots(self) -> list[Stmt]:
        name, value = self.fresh("k"), self.fresh("x")
        slots, held = self.one([("slots", "i32"), ("pc", "u64")])
        self.numbers += [(name, "u32"), (value, held)]
        body = self.block(1, rounds=9)
        del self.numbers[-2:]
        return [Stmt((Expr("", f"for {name}, {value} in {slots}.items():"), body))]
