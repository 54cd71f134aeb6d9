"""Random typed programs: equal choices give equal programs.

`program(choices, size)` is a module with XDP programs `f0`, `f1`, each of which parses a header of its packet, computes
with all kinds of expressions and statements, and adds what its variables hold to the map `outs`. Programs end, index
within bounds in ways that the compiler can see, and check what may be None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.compounds import Compounds
from tests.differential.declarations import GLOBALS, INTS, SOURCE, STRUCTS
from tests.differential.expressions import FREE, Signature
from tests.differential.nodes import Expr, Program, Stmt
from tests.differential.places import OPERATORS, simple

if TYPE_CHECKING:
    from random import Random

__all__ = ["module", "program"]

_OUTS = 64
_DEEPEST = 4  # blocks inside each other


class _Writer(Compounds):
    def __init__(self, choices: Random, prefix: str) -> None:
        super().__init__(choices, prefix)
        self.writable: list[tuple[str, str, bool]] = []  # name, type, whether it is annotated
        self.rounds = 1  # how often the statement in hand runs
        self.result = ""  # type of the function's result, of a function that is not the program

    # --- blocks

    def block(self, count: int, *first: Stmt, rounds: int = 1) -> list[Stmt]:
        """An inner block; what it names is not known outside."""
        saved = self.numbers[:], self.objects[:], self.texts[:], self.writable[:]
        self.rounds *= rounds
        self.depth += 1
        made = [*first, *self.statements(count)]
        self.depth -= 1
        self.rounds //= rounds
        self.numbers, self.objects, self.texts, self.writable = saved
        return made

    def statements(self, count: int) -> list[Stmt]:
        return [stmt for _ in range(count) for stmt in self.statement()]

    def statement(self) -> list[Stmt]:
        kind = self.below(34)
        if self.depth >= _DEEPEST:
            return [self.one([self.change, self.place_change, self.map_change])()] if self.writable else self.variable()
        if kind <= 4 or not self.writable:
            return self.variable()
        if kind <= 8:
            return [self.change()]
        if kind <= 11:
            return [self.branch()]
        if kind <= 13:
            return self.loop()
        if kind <= 15:
            return self.optional()
        if kind <= 17:
            return self.object()
        if kind <= 20:
            return [self.place_change()]
        if kind <= 23:
            return [self.map_change()]
        if kind <= 26:
            return self.shaped()
        if kind <= 29:
            return self.compound()
        if kind == 30:
            return self.jump()
        if not self.in_program or (kind == 33 and self.rounds > 4):  # the verifier follows each position in a packet
            return [self.change()]
        return [self.global_change()] if kind == 31 else self.event() if kind == 32 else self.packet()

    # --- numbers

    def name(self, name: str, type: str, writable: bool = True, annotated: bool = True) -> None:
        self.numbers.append((name, type))
        if writable:
            self.writable.append((name, type, annotated))

    def variable(self) -> list[Stmt]:
        name, kind, type = self.fresh("v"), self.below(8), self.one([*sorted(INTS), "i64", "u64", "u32"])
        if kind <= 3:
            made = [simple(f"{name}: {type} = {{0}}", self.stored(type, self.value()))]
        elif kind == 4:
            made = [simple(f"{name} = {{0}}", self.convert(type, self.value()))]
            self.name(name, type, annotated=False)
            return made
        elif kind == 5:  # the type of whatever it is given, for good
            value = self.value()
            if value.type == "lit":
                value = self.literal(self.between(-100, 100))
            made = [simple(f"{name} = {{0}}", value)]
            self.name(name, "i64" if value.type == "lit" else value.type, writable=False)
            return made
        elif kind == 6:  # assigned in both branches, a literal adapting to the other
            literal = self.literal(self.between(*((0, 100) if type[0] == "u" else (-100, 100))))
            branches = [
                [simple(f"{name} = {{0}}", literal)],
                [simple(f"{name} = {{0}}", self.convert(type, self.value()))],
            ]
            for stmt in branches[0] + branches[1]:
                stmt.keep = True
            if self.chance(0.5):
                branches.reverse()
            made = [Stmt((Expr("", "if {0}:", (self.condition(),)), branches[0]), (Expr("", "else:"), branches[1]))]
            # in Python a literal has no type to say at which width something wraps
            used = self.fresh("v")
            made.append(simple(f"{used} = {type}({name})"))
            self.name(used, type, annotated=False)
            return made
        else:
            made = [simple(f"{name}: bool = {{0}}", self.condition(pure=True))]
            self.numbers.append((name, "bool"))
            return made
        self.name(name, type)
        return made

    def change(self) -> Stmt:
        """Assignment to a local variable."""
        name, type, annotated = self.one(self.writable)
        kind = self.below(5)
        same = [n for n, t, _ in self.writable if t == type and n != name]
        if kind == 0 and same:
            other = self.one(same)
            return simple(f"{name}, {other} = {other}, {name}")
        if kind == 1 and same and annotated:
            return simple(f"{name} = {self.one(same)} = {{0}}", self.convert(type, self.value()))
        if kind <= 3:
            op = self.one([*OPERATORS, "<<", ">>", "//", "%"])
            kind_of, value = self.apply(op, Expr(type, name), self.value(2))
            if annotated or kind_of == type:
                return simple(f"{name} {op}= {{0}}", value)
        value = self.stored(type, self.value()) if annotated else self.convert(type, self.value())
        return simple(f"{name} = {{0}}", value)

    # --- control

    def branch(self) -> Stmt:
        parts = [(Expr("", "if {0}:", (self.condition(),)), self.block(self.few()))]
        if self.chance(0.3):
            parts.append((Expr("", "elif {0}:", (self.condition(),)), self.block(1)))
        if self.chance(0.5):
            parts.append((Expr("", "else:"), self.block(self.few())))
        return Stmt(*parts)

    def jump(self) -> list[Stmt]:
        """Leaves something early, now and then."""
        words = []
        if self.loops:
            words = [Expr("", "break"), Expr("", "continue")]
        if not self.in_program and self.result:
            words = [Expr("", "return {0}", (self.convert(self.result, self.value(2)),))]
        elif self.in_program and self.chance(0.3):
            words.append(Expr("", "return XDP.TX"))
        if not words:
            return [self.change()]
        return [Stmt((Expr("", "if {0}:", (self.condition(),)), [Stmt((self.one(words), None))]))]

    def loop(self) -> list[Stmt]:
        if self.loops >= 2 or self.rounds > 4:
            return [self.branch()]
        saved, self.loops = self.loops, self.loops + 1
        kinds = [self.for_range, self.for_range, self.for_items, self.while_loop, self.while_loop]
        made, head, body = self.one([*kinds, self.long_loop] if saved == 0 else kinds)()
        self.loops = saved
        parts = [(head, body)]
        if self.chance(0.25):
            parts.append((Expr("", "else:"), self.block(1)))
        return [*made, Stmt(*parts)]

    def for_range(self) -> tuple[list[Stmt], Expr, list[Stmt]]:
        name, step = self.fresh("k"), self.one([1, 1, 1, 2, 3, -1, -2])
        if self.chance(0.3):
            bound = Expr("i64", "({0} & {1})", (self.convert("u32", self.value(1)), self.literal(self.one([1, 3]))))
            head, rounds = Expr("", f"for {name} in range({{0}}):", (bound,)), 4
        else:
            start, rounds = self.between(-3, 3), self.below(6)
            stop = start + rounds * step - (self.below(abs(step)) if step > 0 and rounds else 0)
            text = f"{start}, {stop}, {step}" if step != 1 or self.chance(0.3) else f"{start}, {stop}"
            head = Expr("", f"for {name} in range({text}):")
        self.numbers.append((name, "i64"))
        body = self.block(self.few(), rounds=max(rounds, 1))
        self.numbers.remove((name, "i64"))
        return [], head, body

    def for_items(self) -> tuple[list[Stmt], Expr, list[Stmt]]:
        name = self.fresh("x")
        arrays = [(f"{text}.cells", "i16", 8) for text in self.of("Nest")]
        arrays += [(f"{text}.vals", "u32", 4) for text in self.of("Event")]
        if arrays and self.chance(0.6):
            source, type, rounds = self.one(arrays)
        else:
            items = [self.between(-9, 99) for _ in range(self.between(2, 4))]
            source, type, rounds = f"({', '.join(map(str, items))})", "i64", len(items)
        self.numbers.append((name, type))
        body = self.block(self.few(), rounds=rounds)
        self.numbers.remove((name, type))
        return [], Expr("", f"for {name} in {source}:"), body

    def while_loop(self) -> tuple[list[Stmt], Expr, list[Stmt]]:
        name, rounds, kind = self.fresh("n"), self.between(1, 5), self.below(4)
        up, test = f"{name} += 1", Expr("", f"while {name} < {rounds}:")
        start = Expr("", f"{name}: u32 = 0")
        more: list[Stmt] = []
        if kind == 1:
            start = Expr("", f"{name}: i64 = {rounds}")
            up, test = f"{name} -= 1", Expr("", f"while {name} > 0:")
        elif kind == 2:
            test = Expr("", "while True:")
            more = [Stmt((Expr("", f"if {name} >= {rounds}:"), [simple("break", keep=True)]), keep=True)]
        elif kind == 3:
            test = Expr("", f"while {name} < {rounds} and {{0}}:", (self.condition(),))
        self.numbers.append((name, "u32" if kind != 1 else "i64"))
        body = self.block(self.few(), *more, simple(up, keep=True), rounds=rounds)
        return [Stmt((start, None), keep=True)], test, body

    def long_loop(self) -> tuple[list[Stmt], Expr, list[Stmt]]:
        """Rounds that only the run decides."""
        name, kind = self.fresh("n"), self.below(3)
        held = self.convert("u32", self.value(2))
        if kind == 0:
            bound = Expr("i64", "({0} & {1})", (held, self.literal(self.one([63, 255]))))
            self.numbers.append((name, "i64"))
            body = self.block(self.few(), rounds=9)
            self.numbers.remove((name, "i64"))
            return [], Expr("", f"for {name} in range({{0}}):", (bound,)), body
        start = simple(f"{name}: u32 = {{0}}", held, keep=True)
        up = self.one([f"{name} >>= 1", f"{name} //= 3", f"{name} &= {name} - 1"])
        self.numbers.append((name, "u32"))
        body = self.block(self.few(), simple(up, keep=True), rounds=9)
        return [start], Expr("", f"while {name} > 0:" if kind == 1 else f"while {name}:"), body

    # --- functions

    def function(self) -> Stmt:
        name = self.fresh(self.prefix)
        types = [self.one(sorted(INTS)) for _ in range(self.between(1, 3))]
        self.result = self.one([*sorted(INTS), "i64", "u32"])
        self.in_program = False
        self.numbers, self.objects, self.texts, self.writable = list(zip(FREE, types)), [], [], []
        body = self.statements(self.between(1, 3))
        for _ in range(self.below(3)):
            found = Expr("", "return {0}", (self.convert(self.result, self.value(2)),))
            body.append(Stmt((Expr("", "if {0}:", (self.condition(),)), [Stmt((found, None))])))
        body.append(simple("return {0}", self.convert(self.result, self.value(3)), keep=True))
        head = f"def {name}({', '.join([f'{n}: {t}' for n, t in zip(FREE, types)])}) -> {self.result}:"
        self.functions.append(Signature(name, types, self.result))
        head = self.one(["", "", "", "@subprog\n", "@subprog(global_=True)\n"]) + head
        self.in_program, self.result = True, ""
        return Stmt((Expr("", head), body))

    def main(self, name: str, size: int) -> Stmt:
        self.numbers, self.objects, self.texts, self.writable = [], [("head", "Head")], [], []
        first = [
            simple("global " + ", ".join(sorted(GLOBALS)), keep=True),
            simple("head = pkt.parse(Head)", keep=True),
            Stmt((Expr("", "if head is None:"), [simple("return XDP.ABORTED", keep=True)]), keep=True),
        ]
        body = self.statements(size)
        numbers = [name for name, _ in self.numbers]
        for text, struct in self.objects:
            names = [n for n, t in STRUCTS[struct].items() if isinstance(t, str) and t not in STRUCTS and t != "bool"]
            numbers += [f"{text}.{n}" for n in names]
        for i, text in enumerate(numbers[:_OUTS]):
            body.append(simple(f"outs[{i}] += i64({text})"))
        last = Expr("", "return XDP.PASS")
        if self.chance(0.5):
            last = Expr("", "return XDP.DROP if {0} else XDP.PASS", (self.condition(),))
        head = Expr("", f"@xdp\ndef {name}(pkt: XdpContext) -> XDP:")
        return Stmt((head, [*first, *body, Stmt((last, None), keep=True)]))


def program(choices: Random, size: int = 8, name: str = "f0") -> Program:
    """A random program, with about `size` statements at its top level, and the functions that it calls."""
    writer = _Writer(choices, f"{name}_")
    functions = [writer.function() for _ in range(writer.below(3))]
    return Program(SOURCE, [*functions, writer.main(name, size)])


def module(programs: list[Program]) -> Program:
    """Several programs in one module."""
    return Program(SOURCE, [function for each in programs for function in each.functions])
