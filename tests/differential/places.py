"""Random statements about objects, maps, events and packets."""

from __future__ import annotations

from tests.differential.declarations import GLOBALS
from tests.differential.expressions import COMPARE, Expressions, operation
from tests.differential.nodes import Expr, Stmt

__all__ = ["OPERATORS", "Places", "simple"]

OPERATORS = ["+", "-", "*", "&", "|", "^", "+", "-"]
_NUMBER_MAPS = {"table": ("u32", "i64"), "tiny": ("u16", "u32"), "ph": ("u8", "i32")}
_NUMBER_SLOTS = {"slots": ("i32", 8), "pc": ("u64", 4)}


def simple(src: str, *kids: Expr, keep: bool = False) -> Stmt:
    return Stmt((Expr("", src, kids), None), keep=keep)


class Places(Expressions):
    """What is stored outside of local integers. The statements around come from a subclass."""

    made = 0
    depth = 0  # blocks around the statement in hand
    loops = 0  # loops around it

    def fresh(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}{self.made}"

    def few(self) -> int:
        return self.between(1, 2)

    def block(self, count: int, *first: Stmt, rounds: int = 1) -> list[Stmt]:
        raise NotImplementedError

    writable: list[tuple[str, str, bool]]  # name, type, whether it is annotated

    def name(self, name: str, type: str, writable: bool = True, annotated: bool = True) -> None:
        raise NotImplementedError

    def apply(self, op: str, old: Expr, value: Expr) -> tuple[str, Expr]:
        """`old op= value`: the type it is computed in, and the operand."""
        if op in ("<<", ">>"):
            masked = self.binary("&", value, self.literal(63))
            value = masked if masked.type not in ("lit", "bool") and self.chance(0.4) else self.literal(self.below(41))
        elif op in ("//", "%"):
            low = 1 if old.type[0] == "u" else -5
            value = self.literal(self.between(low, 20) or 3)
        else:
            value = self.typed(old, value)[1]
        return operation(op, old, value), value

    # --- what may be None

    def optional(self) -> list[Stmt]:
        kind = self.below(9)
        source, type = self.lookup()
        name = self.fresh("o")
        first = simple(f"{name} = {{0}}", source)
        if kind == 0:  # with a default
            map_name, (key, type) = self.one(sorted(_NUMBER_MAPS.items()))
            default = self.stored(type, self.literal())
            call = f"{map_name}.{self.one(['get', 'pop'])}({{0}}, {{1}})"
            made = simple(f"{name}: {type} = {call}", self.key(key), default)
            self.name(name, type)
            return [made]
        if kind == 1:
            other = self.convert(type, self.value(2))
            value = Expr(type, f"({name} if {name} is not None else {{0}})", (other,))
        elif kind == 2:
            value = Expr(type, f"({name} or {{0}})", (self.convert(type, self.value(2)),))
        elif kind == 3:
            test = f"({name} is not None and {name} {self.one(COMPARE)} {{1}})"
            operands = tuple([self.convert(type, self.value(1)) for _ in range(3)])
            value = Expr(type, f"({{0}} if {test} else {{2}})", operands)
        elif kind == 4:
            other = self.convert(type, self.value(1))
            value = Expr(type, f"({{0}} if {name} is None or {name} > 5 else {name})", (other,))
        else:
            return [first, *self.narrowed(name, type, kind)]
        held = self.fresh("v")
        self.name(held, type)
        return [first, simple(f"{held}: {type} = {{0}}", value)]

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
            return [Stmt((Expr("", tests[kind]), [simple("continue", keep=True)]), keep=True)]
        return [Stmt((Expr("", tests[kind]), use), (Expr("", "else:"), other))]

    def lookup(self) -> tuple[Expr, str]:
        """A number that may be None, and its type."""
        kind = self.below(6)
        if kind == 0:
            return Expr("opt", "first_of({0})", (self.key("u32"),)), "i64"
        if kind == 1:
            return Expr("opt", "slots.get({0})", (self.index(16),)), "i32"
        name, (key, type) = self.one(sorted(_NUMBER_MAPS.items()))
        if kind == 2:
            return Expr("opt", f"{name}.pop({{0}}, None)", (self.key(key),)), type
        if kind == 3:
            both = self.key(key), self.stored(type, self.value(1))
            return Expr("opt", f"{name}.setdefault({{0}}, {{1}})", both), type
        return Expr("opt", f"{name}.get({{0}})", (self.key(key),)), type

    # --- objects

    def of(self, struct: str) -> list[str]:
        """The objects in scope that are of a struct."""
        return [name for name, kind in self.objects if kind == struct]

    def a_pair(self) -> Expr:
        pairs = self.of("Pair")
        return Expr("Pair", self.one(pairs)) if pairs and self.chance(0.5) else self.pair()

    def object(self) -> list[Stmt]:
        name = self.fresh("s")
        pairs, nests = self.of("Pair"), self.of("Nest")
        kind = self.below(10)
        if kind <= 2 or (kind <= 6 and not pairs):
            made, struct = simple(f"{name} = {{0}}", self.pair(2)), "Pair"
        elif kind == 3:
            picked = f"{name} = pick({self.one(pairs)}, {self.one(pairs)}, {{0}})"
            made, struct = simple(picked, self.condition(pure=True)), "Pair"
        elif kind == 4:
            made, struct = simple(f"{name} = {self.one([*pairs, *[f'{nest}.pair' for nest in nests]])}"), "Pair"
        elif kind == 5:
            return self.found(name)
        elif kind == 6:
            chosen = f"{name} = ({self.one(pairs)} if {{0}} else rows[{{1}}].pair)"
            made, struct = simple(chosen, self.condition(), self.index(4)), "Pair"
        elif kind == 7:
            made, struct = simple(f"{name} = rows[{{0}}]", self.index(4)), "Nest"
        else:
            made, struct = simple(f"{name} = {{0}}", self.nest()), "Nest"
        self.objects.append((name, struct))
        if struct == "Nest" and self.chance(0.3):
            text = self.fresh("t")
            self.texts.append((text, 8))
            return [made, simple(f"{text} = {name}.name")]
        return [made]

    def nest(self) -> Expr:
        condition, pair = self.condition(1, pure=True), self.a_pair()
        values = (condition, pair, self.stored("u16", self.value(1)), self.stored("u8", self.value(1)))
        word = self.word(8)
        text = f'Nest(flag={{0}}, pair={{1}}, cells=Array[i16, L[8]](), name="{word}", net={{2}}, last={{3}})'
        return Expr("Nest", text, values)

    def found(self, name: str) -> list[Stmt]:
        """A reference to a map's object, where there is one."""
        kind = self.below(4)
        source, struct = Expr("opt", "pairs.get({0})", (self.map_key(),)), "Pair"
        if kind == 0:
            source = Expr("opt", "pairs.setdefault({0}, {1})", (self.map_key(), self.pair()))
        elif kind == 1:
            source, struct = Expr("opt", "rows.get({0})", (self.index(8),)), "Nest"
        elif kind == 2:
            key = self.key("u32")
            value = self.fresh("v")
            test = self.one([f"{name} is not None", f"{name}"])
            self.numbers.append((value, "i64"))
            use = [simple(f"{name}.z += 1"), simple(f"{value} = {name}.total()")]
            call = self.one(["records.get({0})", "records.pop({0}, None)"])  # in the map, or the program's own
            return [
                simple(f"{value} = i64(-1)"),
                simple(f"{name} = {call}", key),
                Stmt((Expr("", f"if {test}:"), use)),
            ]
        made = [simple(f"{name} = {{0}}", source)]
        test_of = Expr("", self.one([f"if {name} is not None:", f"if {name}:"]))
        if self.chance(0.3):
            made, test_of = [], Expr("", f"if ({name} := {{0}}) is not None:", (source,))
        self.objects.append((name, struct))
        use = self.block(self.few())
        self.objects.remove((name, struct))
        return [*made, Stmt((test_of, use))]

    def place_change(self) -> Stmt:
        """Assignment to a field, an element, a slot of an array map."""
        kind = self.below(9)
        nests = self.of("Nest")
        if kind == 0 and nests and not self.texts:  # a variable that refers to the text would see it change
            return simple(f'{self.one(nests)}.name = "{self.word(8)}"')
        if kind == 1 and nests:
            return simple(f"{self.one(nests)}.pair = {{0}}", self.a_pair())
        if kind == 2:
            return simple("rows[{0}].pair = {1}", self.index(4), self.pair())
        if kind == 3 or not self.objects:
            name, (type, count) = self.one(sorted(_NUMBER_SLOTS.items()))
            return self.store(Expr(type, f"{name}[{{0}}]", (self.index(count),)), type)
        name, struct = self.one(self.objects)
        return self.store(*self.path(Expr(struct, name), struct))

    def store(self, place: Expr, memory: str) -> Stmt:
        """`place = value`, `place op= value`. The statement's operands are those of the place, then the value."""
        last = len(place.kids)
        if memory == "bool" or self.chance(0.4):
            value = self.condition(1, pure=True) if memory == "bool" else self.stored(memory, self.value(2))
            return simple(f"{place.src} = {{{last}}}", *place.kids, value)
        op = self.one([*OPERATORS, "<<", ">>", "//", "%"])
        _, value = self.apply(op, place, self.value(2))
        return simple(f"{place.src} {op}= {{{last}}}", *place.kids, value)

    def map_change(self) -> Stmt:
        kind = self.below(8)
        name, (key, type) = self.one(sorted(_NUMBER_MAPS.items()))
        if kind == 0:
            return simple(f"del {name}[{{0}}]", self.key(key))
        if kind <= 2:
            return simple(f"{name}[{{0}}] = {{1}}", self.key(key), self.stored(type, self.value(2)))
        if kind == 3:
            return simple("records[{0}] = {1}", self.key("u32"), self.a_pair())
        if kind == 4:
            return simple("del records[{0}]", self.key("u32"))
        op = self.one([*OPERATORS, "//", ">>"])
        _, value = self.apply(op, Expr(type, name), self.value(2))
        return simple(f"{name}[{{0}}] {op}= {{1}}", self.key(key), value)

    def global_change(self) -> Stmt:
        name = self.one(sorted(set(GLOBALS) - {"ticks"}))
        type = GLOBALS[name]
        if self.chance(0.5):
            return simple(f"{name} = {{0}}", self.stored(type, self.value(2)))
        op = self.one([*OPERATORS, "<<", ">>", "//", "%"])
        _, value = self.apply(op, Expr(type, name), self.value(2))
        return simple(f"{name} {op}= {{0}}", value)

    # --- events, packets

    def event(self) -> list[Stmt]:
        if self.chance(0.4):
            word = self.word(6)
            made = f'Event(seq={{0}}, pair={{1}}, vals=Array[u32, L[4]](), what="{word}")'
            value = Expr("Event", made, (self.stored("u32", self.value(2)), self.a_pair()))
            if self.chance(0.6):
                return [simple("events.emit({0})", value)]
            return [Stmt((Expr("", "if events.emit({0}):", (value,)), self.block(1)))]
        name = self.fresh("e")
        pair = self.a_pair()
        self.objects.append((name, "Event"))
        loops, self.loops = self.loops, 0
        fill = [simple(f"{name}.seq = {{0}}", self.stored("u32", self.value(2))), *self.block(self.few())]
        if self.chance(0.4):
            fill.append(simple(f"{name}.pair = {{0}}", pair))
        if self.chance(0.3):
            fill.append(simple(f'{name}.what = "{self.word(6)}"'))
        self.loops = loops
        self.objects.remove((name, "Event"))
        if self.chance(0.3):
            fill.append(Stmt((Expr("", "if {0}:", (self.condition(),)), [simple(f"{name}.discard()")])))
        inner = Stmt((Expr("", f"if {name} is not None:"), fill), keep=True)
        return [Stmt((Expr("", f"with events.reserve() as {name}:"), [inner]))]

    def packet(self) -> list[Stmt]:
        made: list[Stmt] = []
        if self.chance(0.4):
            count = self.binary("&", self.convert("u32", self.value(1)), self.literal(self.one([1, 7])))
            skipped = self.fresh("v")
            made = [simple(f"{skipped} = pkt.skip({{0}})", count)]
            self.numbers.append((skipped, "bool"))
        name, struct = self.fresh("h"), self.one(["Ext", "Ext", "Head"])
        made.append(simple(f"{name} = pkt.parse({struct})"))
        self.objects.append((name, struct))
        use = self.block(self.few() + 1)
        self.objects.remove((name, struct))
        return [*made, Stmt((Expr("", f"if {name} is not None:"), use))]
