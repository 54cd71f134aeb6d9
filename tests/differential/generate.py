"""Random typed programs, from a seed: equal seeds and sizes give equal programs.

`program(seed, size)` is a module with one XDP program `f`, which parses a header of its packet, computes with all
kinds of expressions and statements, and leaves what its variables hold in the map `outs`. Programs end, index within
bounds in ways that the compiler can see, and check what may be None.
"""

from __future__ import annotations

from tests.differential.declarations import GLOBALS, REFERENCE, SOURCE
from tests.differential.expressions import COMPARE, FREE, Expressions, Signature, host, operation, stored
from tests.differential.model import INTS, STRUCTS
from tests.differential.nodes import Expr, Program, Stmt

__all__ = ["program"]

_OUTS = 64
OPERATORS = ["+", "-", "*", "&", "|", "^", "+", "-"]
_NUMBER_MAPS = {"table": ("u32", "i64"), "tiny": ("u16", "u32"), "ph": ("u8", "i32")}
_NUMBER_SLOTS = {"slots": ("i32", 8), "pc": ("u64", 4)}


def _simple(src: str, ref: str | None = None, *kids: Expr, keep: bool = False) -> Stmt:
    return Stmt((Expr("", src, ref, kids), None), keep=keep)


class _Writer(Expressions):
    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.writable: list[tuple[str, str, bool]] = []  # name, type, whether it is annotated
        self.made = 0
        self.loops = 0  # loops around the statement in hand
        self.rounds = 1  # how often it runs
        self.result = ""  # type of the function's result, of a function that is not the program

    def fresh(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}{self.made}"

    # --- blocks

    def block(self, count: int, *first: Stmt, rounds: int = 1) -> list[Stmt]:
        """An inner block; what it names is not known outside."""
        saved = self.numbers[:], self.objects[:], self.texts[:], self.writable[:]
        self.rounds *= rounds
        made = [*first, *self.statements(count)]
        self.rounds //= rounds
        self.numbers, self.objects, self.texts, self.writable = saved
        return made

    def statements(self, count: int) -> list[Stmt]:
        return [stmt for _ in range(count) for stmt in self.statement()]

    def few(self) -> int:
        return self.random.randint(1, 2)

    def statement(self) -> list[Stmt]:
        kind = self.random.randint(0, 27)
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
        if kind == 24:
            return self.jump()
        if not self.in_program:
            return [self.change()]
        return [self.global_change()] if kind == 25 else self.event() if kind == 26 else self.packet()

    # --- numbers

    def name(self, name: str, type: str, writable: bool = True, annotated: bool = True) -> None:
        self.numbers.append((name, type))
        if writable:
            self.writable.append((name, type, annotated))

    def variable(self) -> list[Stmt]:
        name, kind, type = self.fresh("v"), self.random.randint(0, 7), self.one([*sorted(INTS), "i64", "u64", "u32"])
        if kind <= 3:
            made = [_simple(f"{name}: {type} = {{0}}", f"{name} = {{0}}", stored(type, self.value()))]
        elif kind == 4:
            made = [_simple(f"{name} = {{0}}", None, self.convert(type, self.value()))]
            self.name(name, type, annotated=False)
            return made
        elif kind == 5:  # the type of whatever it is given, for good
            value = self.value()
            type = "i64" if value.type == "lit" else value.type
            made = [_simple(f"{name} = {{0}}", None, value)]
            self.name(name, type, writable=False)
            return made
        elif kind == 6:  # assigned in both branches, a literal adapting to the other
            literal = self.literal(self.random.randint(*((0, 100) if type[0] == "u" else (-100, 100))))
            branches = [
                [_simple(f"{name} = {{0}}", None, literal)],
                [_simple(f"{name} = {{0}}", None, self.convert(type, self.value()))],
            ]
            for stmt in branches[0] + branches[1]:
                stmt.keep = True
            self.random.shuffle(branches)
            test = Expr("", "if {0}:", None, (self.condition(),))
            made = [Stmt((test, branches[0]), (Expr("", "else:"), branches[1]))]
        else:
            made = [_simple(f"{name}: bool = {{0}}", f"{name} = {{0}}", self.condition(pure=True))]
            self.numbers.append((name, "bool"))
            return made
        self.name(name, type, annotated=kind <= 3)
        return made

    def change(self) -> Stmt:
        """Assignment to a local variable."""
        name, type, annotated = self.one(self.writable)
        kind = self.random.randint(0, 4)
        same = [n for n, t, _ in self.writable if t == type and n != name]
        if kind == 0 and same:
            other = self.one(same)
            return _simple(f"{name}, {other} = {other}, {name}")
        if kind == 1 and same and annotated:
            return _simple(f"{name} = {self.one(same)} = {{0}}", None, stored(type, self.convert(type, self.value())))
        if kind <= 3:
            op = self.one([*OPERATORS, "<<", ">>", "//", "%"])
            kind_of, value, formula = self.apply(op, Expr(type, name), self.value(2))
            if annotated or kind_of == type:
                return _simple(f"{name} {op}= {{0}}", f"{name} = {type}({_filled(formula, name, '{0}')})", value)
        value = self.value() if annotated else self.convert(type, self.value())
        return _simple(f"{name} = {{0}}", None, stored(type, value))

    def apply(self, op: str, old: Expr, value: Expr) -> tuple[str, Expr, str]:
        """`old op= value`: the type it is computed in, the operand, the reference's formula in OLD and NEW."""
        if op in ("<<", ">>"):
            masked = self.binary("&", value, self.literal(63))
            value = masked if masked.type != "lit" and self.chance(0.4) else self.literal(self.random.randint(0, 40))
        elif op in ("//", "%"):
            low = 1 if old.type[0] == "u" else -5
            value = self.literal(self.random.randint(low, 20) or 3)
        kind = operation(op, old, value)
        formulas = {"//": "div(OLD, NEW)", "%": "mod(OLD, NEW)", "<<": "OLD << (NEW & 63)", ">>": "OLD >> (NEW & 63)"}
        return kind, value, f"{kind}({formulas.get(op, f'OLD {op} NEW')})"

    # --- control

    def branch(self) -> Stmt:
        parts = [(Expr("", "if {0}:", None, (self.condition(),)), self.block(self.few()))]
        if self.chance(0.3):
            parts.append((Expr("", "elif {0}:", None, (self.condition(),)), self.block(1)))
        if self.chance(0.5):
            parts.append((Expr("", "else:"), self.block(self.few())))
        return Stmt(*parts)

    def jump(self) -> list[Stmt]:
        """Leaves something early, now and then."""
        words = []
        if self.loops:
            words = [Expr("", "break"), Expr("", "continue")]
        if not self.in_program and self.result:
            words = [Expr("", "return {0}", None, (self.convert(self.result, self.value(2)),))]
        elif self.in_program and self.chance(0.3):
            words.append(Expr("", "return XDP.TX", "return 3"))
        if not words:
            return [self.change()]
        return [Stmt((Expr("", "if {0}:", None, (self.condition(),)), [Stmt((self.one(words), None))]))]

    def loop(self) -> list[Stmt]:
        if self.loops >= 2 or self.rounds > 8:
            return [self.branch()]
        saved, self.loops = self.loops, self.loops + 1
        made, head, body, others = self.one([self.for_range, self.for_range, self.for_items, self.while_loop])()
        self.loops = saved
        parts = [(head, body)]
        if self.chance(0.25):
            parts.append((Expr("", "else:"), self.block(1)))
        return [*made, Stmt(*parts), *others]

    def for_range(self) -> tuple[list[Stmt], Expr, list[Stmt], list[Stmt]]:
        name, step = self.fresh("k"), self.one([1, 1, 1, 2, 3, -1, -2])
        if self.chance(0.3):
            bound = Expr(
                "i64", "({0} & {1})", None, (self.convert("u32", self.value(1)), self.literal(self.one([1, 3])))
            )
            head, rounds = Expr("", f"for {name} in range({{0}}):", None, (bound,)), 4
        else:
            start, rounds = self.random.randint(-3, 3), self.random.randint(0, 5)
            stop = start + rounds * step - (self.random.randint(0, abs(step) - 1) if step > 0 and rounds else 0)
            text = f"{start}, {stop}, {step}" if step != 1 or self.chance(0.3) else f"{start}, {stop}"
            head = Expr("", f"for {name} in range({text}):")
        self.numbers.append((name, "i64"))
        body = self.block(self.few(), rounds=max(rounds, 1))
        self.numbers.remove((name, "i64"))
        return [], head, body, []

    def for_items(self) -> tuple[list[Stmt], Expr, list[Stmt], list[Stmt]]:
        name = self.fresh("x")
        arrays = [(f"{text}.cells", "i16", 8) for text, struct in self.objects if struct == "Nest"]
        arrays += [(f"{text}.vals", "u32", 4) for text, struct in self.objects if struct == "Event"]
        if arrays and self.chance(0.6):
            source, type, rounds = self.one(arrays)
        else:
            items = [self.random.randint(-9, 99) for _ in range(self.random.randint(2, 4))]
            source, type, rounds = f"({', '.join(map(str, items))})", "i64", len(items)
        self.numbers.append((name, type))
        body = self.block(self.few(), rounds=rounds)
        self.numbers.remove((name, type))
        return [], Expr("", f"for {name} in {source}:"), body, []

    def while_loop(self) -> tuple[list[Stmt], Expr, list[Stmt], list[Stmt]]:
        name, rounds, kind = self.fresh("n"), self.random.randint(1, 5), self.random.randint(0, 3)
        up, test = f"{name} += 1", Expr("", f"while {name} < {rounds}:")
        start = Expr("", f"{name}: u32 = 0", f"{name} = 0")
        more: list[Stmt] = []
        if kind == 1:
            start = Expr("", f"{name}: i64 = {rounds}", f"{name} = {rounds}")
            up, test = f"{name} -= 1", Expr("", f"while {name} > 0:")
        elif kind == 2:
            test = Expr("", "while True:")
            more = [Stmt((Expr("", f"if {name} >= {rounds}:"), [_simple("break", keep=True)]), keep=True)]
        elif kind == 3:
            test = Expr("", f"while {name} < {rounds} and {{0}}:", None, (self.condition(),))
        self.numbers.append((name, "u32" if kind != 1 else "i64"))
        body = self.block(self.few(), *more, _simple(up, keep=True), rounds=rounds)
        return [Stmt((start, None), keep=True)], test, body, []

    # --- what may be None

    def optional(self) -> list[Stmt]:
        kind = self.random.randint(0, 8)
        source, type = self.lookup()
        name = self.fresh("o")
        first = _simple(f"{name} = {{0}}", None, source)
        if kind == 0:  # with a default
            map_name, (key, type) = self.one(sorted(_NUMBER_MAPS.items()))
            method = self.one(["get", "pop"])
            default = stored(type, self.literal())
            call = f"= {map_name}.{method}({{0}}, {{1}})"
            made = _simple(f"{name}: {type} {call}", f"{name} {call}", self.key(key), default)
            self.name(name, type)
            return [made]
        if kind == 1:
            value = Expr(type, f"({name} if {name} is not None else {{0}})", None, (self.convert(type, self.value(2)),))
        elif kind == 2:
            value = Expr(type, f"({name} or {{0}})", None, (self.convert(type, self.value(2)),))
        elif kind == 3:
            test = f"({name} is not None and {name} {self.one(COMPARE)} {{1}})"
            operands = tuple([self.convert(type, self.value(1)) for _ in range(3)])
            value = Expr(type, f"({{0}} if {test} else {{2}})", None, operands)
        elif kind == 4:
            value = Expr(
                type, f"({{0}} if {name} is None or {name} > 5 else {name})", None, (self.convert(type, self.value(1)),)
            )
        else:
            return [first, *self.narrowed(name, type, kind)]
        other = self.fresh("v")
        self.name(other, type)
        return [first, _simple(f"{other}: {type} = {{0}}", f"{other} = {{0}}", stored(type, value))]

    def narrowed(self, name: str, type: str, kind: int) -> list[Stmt]:
        """Statements that use an Optional number where a test shows that it is there."""
        tests = {5: f"if {name} is not None:", 6: f"if {name}:", 7: f"if {name} is None:", 8: f"if not {name}:"}
        self.numbers.append((name, type))
        use = self.block(self.few())
        self.numbers.remove((name, type))
        other = self.block(1)
        if kind >= 7:
            use, other = other, use
        if kind in (5, 6) and self.chance(0.4):
            return [Stmt((Expr("", tests[kind]), use))]
        if kind == 7 and self.loops and self.chance(0.5):
            self.numbers.append((name, type))
            return [Stmt((Expr("", tests[kind]), [_simple("continue", keep=True)]), keep=True)]
        return [Stmt((Expr("", tests[kind]), use), (Expr("", "else:"), other))]

    def lookup(self) -> tuple[Expr, str]:
        """A number that may be None, and its type."""
        kind = self.random.randint(0, 5)
        if kind == 0:
            return Expr("opt", "first_of({0})", None, (self.key("u32"),)), "i64"
        if kind == 1:
            return Expr("opt", "slots.get({0})", None, (stored("u32", self.value(1)),)), "i32"
        name, (key, type) = self.one(sorted(_NUMBER_MAPS.items()))
        if kind == 2:
            return Expr("opt", f"{name}.pop({{0}}, None)", None, (self.key(key),)), type
        if kind == 3:
            return Expr(
                "opt", f"{name}.setdefault({{0}}, {{1}})", None, (self.key(key), stored(type, self.value(1)))
            ), type
        return Expr("opt", f"{name}.get({{0}})", None, (self.key(key),)), type

    # --- objects

    def object(self) -> list[Stmt]:
        name = self.fresh("s")
        pairs = [text for text, struct in self.objects if struct == "Pair"]
        nests = [text for text, struct in self.objects if struct == "Nest"]
        kind = self.random.randint(0, 9)
        if kind <= 2 or (kind <= 6 and not pairs):
            made, struct = _simple(f"{name} = {{0}}", None, self.pair(2)), "Pair"
        elif kind == 3:
            picked = f"{name} = pick({self.one(pairs)}, {self.one(pairs)}, {{0}})"
            made, struct = _simple(picked, None, self.condition(pure=True)), "Pair"
        elif kind == 4:
            made, struct = _simple(f"{name} = {self.one([*pairs, *[f'{nest}.pair' for nest in nests]])}"), "Pair"
        elif kind == 5:
            return self.found(name)
        elif kind == 6:
            chosen = f"{name} = ({self.one(pairs)} if {{0}} else rows[{{1}}].pair)"
            made, struct = _simple(chosen, None, self.condition(), self.index(4)), "Pair"
        elif kind == 7:
            made, struct = _simple(f"{name} = rows[{{0}}]", None, self.index(4)), "Nest"
        else:
            made, struct = _simple(f"{name} = {{0}}", None, self.nest(pairs)), "Nest"
        self.objects.append((name, struct))
        if struct == "Nest" and self.chance(0.3):
            text = self.fresh("t")
            self.texts.append((text, 8))
            return [made, _simple(f"{text} = {name}.name")]
        return [made]

    def nest(self, pairs: list[str]) -> Expr:
        pair = Expr("Pair", self.one(pairs)) if pairs and self.chance(0.4) else self.pair()
        values = (self.condition(1, pure=True), pair, stored("u16", self.value(1)), stored("u8", self.value(1)))
        text = f'Nest(flag={{0}}, pair={{1}}, cells=CELLS, name="{self.word(8)}", net={{2}}, last={{3}})'
        return Expr(
            "Nest", text.replace("CELLS", "Array[i16, L[8]]()"), text.replace("CELLS", "zeros(('i16', 8))"), values
        )

    def found(self, name: str) -> list[Stmt]:
        """A reference to a map's object, where there is one."""
        kind = self.random.randint(0, 3)
        source, struct = Expr("opt", "pairs.get({0})", None, (self.map_key(),)), "Pair"
        if kind == 0:
            source = Expr("opt", "pairs.setdefault({0}, {1})", None, (self.map_key(), self.pair()))
        elif kind == 1:
            source, struct = Expr("opt", "rows.get({0})", None, (stored("u32", self.value(1)),)), "Nest"
        elif kind == 2:
            key = self.key("u32")
            value = self.fresh("v")
            test = self.one([f"{name} is not None", f"{name}"])
            self.numbers.append((value, "i64"))
            return [
                _simple(f"{value} = i64(-1)"),
                _simple(f"{name} = records.get({{0}})", None, key),
                Stmt((Expr("", f"if {test}:"), [_simple(f"{name}.z += 1"), _simple(f"{value} = {name}.total()")])),
            ]
        first = _simple(f"{name} = {{0}}", None, source)
        if self.chance(0.3):
            first, test = _simple(""), Expr("", f"if ({name} := {{0}}) is not None:", None, (source,))
        else:
            test = Expr("", self.one([f"if {name} is not None:", f"if {name}:"]))
        self.objects.append((name, struct))
        use = self.block(self.few())
        self.objects.remove((name, struct))
        return [first, Stmt((test, use))]

    def place_change(self) -> Stmt:
        """Assignment to a field, an element, a slot of an array map."""
        kind = self.random.randint(0, 8)
        nests = [text for text, struct in self.objects if struct == "Nest"]
        if kind == 0 and nests and not self.texts:  # a variable that refers to the text would see it change
            return _simple(f'{self.one(nests)}.name = "{self.word(8)}"')
        if kind == 1 and nests:
            pairs = [text for text, struct in self.objects if struct == "Pair"]
            value = Expr("Pair", self.one(pairs)) if pairs else self.pair()
            return _simple(f"{self.one(nests)}.pair = {{0}}", None, value)
        if kind == 2:
            return _simple("rows[{0}].pair = {1}", None, self.index(4), self.pair())
        if kind == 3 or not self.objects:
            name, (type, count) = self.one(sorted(_NUMBER_SLOTS.items()))
            base, at, memory = name, self.index(count), type
        else:
            name, struct = self.one(self.objects)
            place, memory = self.path(Expr(struct, name), struct)
            return self.store(place, memory)
        return self.store(Expr(memory, f"{base}[{{0}}]", None, (at,)), memory)

    def store(self, place: Expr, memory: str) -> Stmt:
        """`place = value`, `place op= value`. The statement's operands are those of the place, then the value."""
        last = len(place.kids)
        if memory == "bool" or self.chance(0.4):
            value = self.condition(1, pure=True) if memory == "bool" else stored(memory, self.value(2))
            return _simple(f"{place.src} = {{{last}}}", None, *place.kids, value)
        op = self.one([*OPERATORS, "<<", ">>", "//", "%"])
        _, value, formula = self.apply(op, place, self.value(2))
        # what the place names is evaluated once, then the old value, then the operand
        base, key, target = place.src, "", ""
        if base.endswith("]"):
            base, _, key = base[:-1].rpartition("[")
            key, target = f"_key = {key}", "_at[_key]"
        else:
            base, _, name = base.rpartition(".")
            target = f"_at.{name}"
        text = _filled(formula, "_old", f"{{{last}}}")
        lines = f"_at = {base}\n{key}\n_old = {target}\n{target} = {host(memory)}({text})"
        return _simple(f"{place.src} {op}= {{{last}}}", lines, *place.kids, value)

    def map_change(self) -> Stmt:
        kind = self.random.randint(0, 7)
        name, (key, type) = self.one(sorted(_NUMBER_MAPS.items()))
        if kind == 0:
            return _simple(f"del {name}[{{0}}]", None, self.key(key))
        if kind <= 2:
            return _simple(f"{name}[{{0}}] = {{1}}", None, self.key(key), stored(type, self.value(2)))
        if kind == 3:
            return _simple("records[{0}] = {1}", None, self.key("u32"), self.pair())
        if kind == 4:
            return _simple("del records[{0}]", None, self.key("u32"))
        op = self.one([*OPERATORS, "//", ">>"])
        _, value, formula = self.apply(op, Expr(type, name), self.value(2))
        lines = f"_key = {{0}}\n_by = {{1}}\n{name}[_key] = {type}({_filled(formula, f'{name}.old(_key)', '_by')})"
        return _simple(f"{name}[{{0}}] {op}= {{1}}", lines, self.key(key), value)

    def global_change(self) -> Stmt:
        name = self.one(sorted(set(GLOBALS) - {"ticks"}))
        type, _ = GLOBALS[name]
        if self.chance(0.5):
            return _simple(f"{name} = {{0}}", None, stored(type, self.value(2)))
        op = self.one([*OPERATORS, "<<", ">>", "//", "%"])
        _, value, formula = self.apply(op, Expr(type, name), self.value(2))
        return _simple(f"{name} {op}= {{0}}", f"{name} = {type}({_filled(formula, name, '{0}')})", value)

    # --- events, packets

    def event(self) -> list[Stmt]:
        pairs = [text for text, struct in self.objects if struct == "Pair"]
        pair = Expr("Pair", self.one(pairs)) if pairs and self.chance(0.5) else self.pair()
        if self.chance(0.4):
            made = f'Event(seq={{0}}, pair={{1}}, vals={{}}, what="{self.word(6)}")'
            src, ref = made.replace("{}", "Array[u32, L[4]]()"), made.replace("{}", "zeros(('u32', 4))")
            value = Expr("Event", src, ref, (stored("u32", self.value(2)), pair))
            if self.chance(0.6):
                return [_simple("events.emit({0})", None, value)]
            return [Stmt((Expr("", "if events.emit({0}):", None, (value,)), self.block(1)))]
        name = self.fresh("e")
        self.objects.append((name, "Event"))
        loops, self.loops = self.loops, 0
        self.in_program, program = True, self.in_program
        fill = [_simple(f"{name}.seq = {{0}}", None, stored("u32", self.value(2))), *self.block(self.few())]
        if self.chance(0.4):
            fill.append(_simple(f"{name}.pair = {{0}}", None, pair))
        if self.chance(0.3):
            fill.append(_simple(f'{name}.what = "{self.word(6)}"'))
        self.in_program, self.loops = program, loops
        self.objects.remove((name, "Event"))
        if self.chance(0.3):
            fill.append(Stmt((Expr("", "if {0}:", None, (self.condition(),)), [_simple(f"{name}.discard()")])))
        inner = Stmt((Expr("", f"if {name} is not None:"), fill), keep=True)
        return [Stmt((Expr("", f"with events.reserve() as {name}:"), [inner]))]

    def packet(self) -> list[Stmt]:
        made: list[Stmt] = []
        if self.chance(0.4):
            count = self.binary("&", self.convert("u32", self.value(1)), self.literal(self.one([1, 7])))
            skipped = self.fresh("v")
            made = [_simple(f"{skipped} = pkt.skip({{0}})", None, count)]
            self.numbers.append((skipped, "bool"))
        name, struct = self.fresh("h"), self.one(["Ext", "Ext", "Head"])
        made.append(_simple(f"{name} = pkt.parse({struct})", f'{name} = pkt.parse("{struct}")'))
        self.objects.append((name, struct))
        use = self.block(self.few() + 1)
        self.objects.remove((name, struct))
        return [*made, Stmt((Expr("", f"if {name} is not None:"), use))]

    # --- functions

    def function(self) -> Stmt:
        name = self.fresh("fn")
        types = [self.one(sorted(INTS)) for _ in range(self.random.randint(1, 3))]
        self.result = self.one([*sorted(INTS), "i64", "u32"])
        self.in_program = False
        self.numbers, self.objects, self.texts, self.writable = list(zip(FREE, types)), [], [], []
        body = self.statements(self.random.randint(1, 3))
        for _ in range(self.random.randint(0, 2)):
            found = Expr("", "return {0}", None, (self.convert(self.result, self.value(2)),))
            body.append(Stmt((Expr("", "if {0}:", None, (self.condition(),)), [Stmt((found, None))])))
        body.append(_simple("return {0}", None, self.convert(self.result, self.value(3)), keep=True))
        parameters = list(zip(FREE, types))
        wraps = [_simple("", f"{n} = {t}({n})", keep=True) for n, t in parameters]
        head = f"def {name}({', '.join([f'{n}: {t}' for n, t in parameters])}) -> {self.result}:"
        self.functions.append(Signature(name, types, self.result))
        made = Stmt((Expr("", head, f"def {name}({', '.join(FREE[: len(types)])}):"), [*wraps, *body]))
        self.in_program, self.result = True, ""
        return made

    def main(self, size: int) -> Stmt:
        self.numbers, self.objects, self.texts, self.writable = [], [("head", "Head")], [], []
        first = [
            _simple("global " + ", ".join(sorted(GLOBALS)), keep=True),
            _simple("head = pkt.parse(Head)", 'head = pkt.parse("Head")', keep=True),
            Stmt((Expr("", "if head is None:"), [_simple("return XDP.ABORTED", "return 0", keep=True)]), keep=True),
        ]
        body = self.statements(size)
        numbers = [name for name, _ in self.numbers]
        for text, struct in self.objects:
            names = [n for n, t in STRUCTS[struct].items() if isinstance(t, str) and t not in STRUCTS and t != "bool"]
            numbers += [f"{text}.{n}" for n in names]
        for i, text in enumerate(numbers[:_OUTS]):
            body.append(_simple(f"outs[{i}] = i64({text})"))
        last = Expr("", "return XDP.DROP if {0} else XDP.PASS", "return 1 if {0} else 2", (self.condition(),))
        if self.chance(0.5):
            last = Expr("", "return XDP.PASS", "return 2")
        return Stmt(
            (
                Expr("", "@xdp\ndef f(pkt: XdpContext) -> XDP:", "def f(pkt):"),
                [*first, *body, Stmt((last, None), keep=True)],
            ),
            keep=True,
        )


def _filled(formula: str, old: str, new: str) -> str:
    return formula.replace("OLD", old).replace("NEW", new)


def program(seed: int, size: int = 8) -> Program:
    """The program of a seed, with about `size` statements at its top level."""
    writer = _Writer(seed)
    functions = [writer.function() for _ in range(writer.random.randint(0, 2))]
    return Program(SOURCE, REFERENCE, [*functions, writer.main(size)])
