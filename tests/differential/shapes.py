"""Random statements that bind names by patterns and in the middle of expressions: `match`, `:=`."""

from __future__ import annotations

from tests.differential.expressions import COMPARE
from tests.differential.nodes import Expr, Stmt
from tests.differential.places import Places, simple

__all__ = ["Shapes"]


class Shapes(Places):
    """`match` over numbers, pairs of them, objects and what may be None; assignment expressions."""

    def shaped(self) -> list[Stmt]:
        kind = self.below(6)
        if kind == 0 and self.of("Pair"):
            return [self.match_object()]
        if kind == 1:
            return self.match_optional()
        if kind == 2:
            return [self.match_two()]
        return self.walrus() if kind == 3 else [self.match_number()]

    def arm(self, pattern: str, *bound: tuple[str, str]) -> tuple[Expr, list[Stmt]]:
        """One `case`, with a guard now and then."""
        self.numbers += bound
        head, kids = f"case {pattern}:", ()
        if self.chance(0.25) and pattern != "_":
            head, kids = f"case {pattern} if {{0}}:", (self.condition(1),)
        body = self.block(1)
        if bound:
            del self.numbers[-len(bound) :]
        return Expr("", head, kids), body

    def constants(self) -> str:
        low = self.one([0, -3])
        return " | ".join([str(self.between(low, 12)) for _ in range(self.between(1, 3))])

    def match_number(self) -> Stmt:
        value = self.convert("i64", self.one([self.value, lambda: self.index(8)])())
        arms = [self.arm(self.constants()) for _ in range(self.between(1, 3))]
        if self.chance(0.6):
            name = self.fresh("c")
            arms.append(self.arm(*self.one([("_",), (name, (name, "i64"))])))
            if arms[-1][0].kids:
                arms.append((Expr("", "case _:"), self.block(1)))
        return Stmt((Expr("", "match {0}:", (value,)), _cases(arms)))

    def match_two(self) -> Stmt:
        values = self.convert("i64", self.index(4)), self.convert("i64", self.index(4))
        arms = []
        for _ in range(self.between(1, 3)):
            name = self.fresh("c")
            left, right = self.one([("{0}", name), (name, "{0}"), ("{0}", "{1}"), ("_", "{0}")])
            numbers = [str(self.below(4)), str(self.below(4))]
            bound = ((name, "i64"),) if name in (left, right) else ()
            arms.append(self.arm(f"({left}, {right})".format(*numbers), *bound))
        return Stmt((Expr("", "match ({0}, {1}):", values), _cases(arms)))

    def match_optional(self) -> list[Stmt]:
        source, type = self.lookup()
        name, held = self.fresh("c"), self.fresh("o")
        arms = [(Expr("", "case None:"), self.block(1)), self.arm(str(self.below(9))), self.arm(name, (name, type))]
        if self.chance(0.3):
            arms = [arms[0], (Expr("", f"case {name}:"), arms[2][1])]
        return [simple(f"{held} = {{0}}", source), Stmt((Expr("", f"match {held}:"), _cases(arms)))]

    def match_object(self) -> Stmt:
        name = self.one(self.of("Pair"))
        arms = []
        for _ in range(self.between(1, 2)):
            held = self.fresh("c")
            field, type = self.one([("x", "i32"), ("y", "u16"), ("z", "i64"), ("big", "u32")])
            other = self.one([n for n in ("x", "y", "z") if n != field])
            arms.append(self.arm(f"Pair({other}={self.constants()}, {field}={held})", (held, type)))
        if self.chance(0.5):
            arms.append(self.arm("_"))
        return Stmt((Expr("", f"match {name}:"), _cases(arms)))

    def walrus(self) -> list[Stmt]:
        """A number bound where it is tested, and used behind that."""
        name, type = self.fresh("w"), self.one(["i64", "u32", "u8", "i16"])
        value = self.convert(type, self.value(2))
        limit = self.convert(type, self.value(1))
        test = Expr("", f"if ({name} := {{0}}) {self.one(COMPARE)} {{1}}:", (value, limit))
        if self.chance(0.4):
            more = self.compare(1)
            test = Expr("", f"if ({name} := {{0}}) > {{1}} {self.one(['and', 'or'])} {{2}}:", (value, limit, more))
        self.numbers.append((name, type))
        made = Stmt((test, self.block(self.few())))
        if self.chance(0.3):
            made.parts.append((Expr("", "else:"), self.block(1)))
        made.keep = True
        return [made]


def _cases(arms: list[tuple[Expr, list[Stmt]]]) -> list[Stmt]:
    return [Stmt(arm) for arm in arms]
