"""Random programs about texts, bytes, arrays, `match` and `:=`, that CPython can run as well.

`program(seed)` is the source text of a module with `prog`, over prelude.txt; it leaves a number in `res[0]`. All texts
are made of three letters, so that searches and comparisons meet.
"""

from __future__ import annotations

import random
from pathlib import Path

__all__ = ["program"]

_PRELUDE = (Path(__file__).parent / "prelude.txt").read_text()


class _Writer:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sizes = [
            self.random.choice(sizes) for sizes in ((1, 3, 4, 7, 8, 16, 33), (2, 5, 8, 16), (1, 2, 4, 6, 8, 16))
        ]
        self.lines: list[str] = []

    def number(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def letters(self, most: int) -> str:
        return "".join([self.random.choice("ab/") for _ in range(self.number(0, most))])

    def bit(self) -> int:
        return 1 << self.number(0, 40)

    # --- expressions

    def text(self) -> str:
        base = self.random.choice(["p.x", "p.y", "q.x", "q.y", "z"])
        if self.random.random() < 0.5:
            return base
        start, stop = [str(self.number(0, 9)) if self.random.random() < 0.7 else "" for _ in range(2)]
        return f"{base}[{start}:{stop}]"

    def condition(self, depth: int = 0) -> str:
        kind = self.number(0 if depth < 2 else 2, 13)
        if kind == 0:
            return f"({self.condition(depth + 1)} and {self.condition(depth + 1)})"
        if kind == 1:
            return f"({self.condition(depth + 1)} or not {self.condition(depth + 1)})"
        if kind == 2:
            return f"{self.text()} {self.random.choice(['<', '<=', '>', '>=', '==', '!='])} {self.text()}"
        if kind == 3:
            return f"{self.text()} {self.random.choice(['<', '>='])} {self.letters(6)!r}"
        if kind in (4, 5):
            return f"{self.text()}.{('startswith', 'endswith')[kind - 4]}({self.letters(4)!r})"
        if kind == 6:
            return f"{self.letters(3)!r} in {self.text()}"
        if kind == 7:
            return (
                f"{self.text()}.find({self.letters(3)!r}) {self.random.choice(['<', '==', '>'])} {self.number(-1, 4)}"
            )
        if kind == 8:
            return f"len({self.text()}) {self.random.choice(['<', '==', '>'])} {self.number(0, 8)}"
        if kind == 9:
            return f"{self.number(0, 3)} in p.b"
        if kind == 10:
            return f"{bytes([self.number(0, 3) for _ in range(self.number(1, 2))])!r} in q.b"
        if kind == 11:
            test = self.random.choice(["", " if c > 1"])
            return f"any(c == {self.number(0, 5)} for c in p.b[:{self.number(1, self.sizes[2])}]{test})"
        if kind == 12:
            return f"sum(q.a[:{self.number(1, 4)}]) > {self.number(0, 9)}"
        return self.random.choice(["p.a == q.a", "p.a != q.a", "p == q", "q == q"])

    # --- statements

    def statement(self) -> None:
        kind = self.number(0, 5)
        if kind <= 2:
            self.lines += [f"if {self.condition()}:", f"    t += {self.bit()}"]
        elif kind == 3:
            self.lines.append(f"match {self.random.choice(['p.a[0]', 'q.a[1]', 'len(p.x)', 'x', 'x & 3'])}:")
            for _ in range(self.number(1, 4)):
                patterns = [
                    str(self.number(0, 4)), f"{self.number(0, 3)} | {self.number(4, 6)}",
                    f"n if n > {self.number(0, 5)}", f"{self.number(0, 3)} if {self.condition()}",
                ]  # fmt: skip
                self.lines += [f"    case {self.random.choice(patterns)}:", f"        t += {self.bit()}"]
            if self.random.random() < 0.5:
                self.lines += ["    case other:", "        t += other + x"]
        elif kind == 4:
            parts = [self.random.choice(["p.a[0]", "q.a[2]", "x", "y"]) for _ in range(2)]
            self.lines.append(f"match ({parts[0]}, {parts[1]}):")
            for _ in range(self.number(1, 3)):
                one, two = self.random.choice(["0", "1", "2", "_", "m0"]), self.random.choice(["0", "3", "_", "m1"])
                guard = self.random.choice(["", f" if {self.condition()}", " if x > 1"])
                self.lines += [f"    case ({one}, {two}){guard}:", f"        t += {self.bit()}"]
        else:
            first = f"(x := len({self.text()}) + {self.number(0, 2)}) > {self.number(0, 4)}"
            self.lines += [
                f"if {first} and (y := x + 1) < {self.number(2, 9)}:",
                f"    t += x * {self.bit() >> 10} + y",
            ]

    def made(self) -> str:
        raw = bytes([self.number(0, 4) for _ in range(self.sizes[2])])
        numbers = [self.number(0, 3) for _ in range(4)]
        texts = f"x={self.letters(self.sizes[0])!r}, y={self.letters(self.sizes[1])!r}"
        return f"T({texts}, b={raw!r}, a=Array[u16, L[4]]({numbers}))"


def program(seed: int) -> str:
    """The source text of a module."""
    w = _Writer(seed)
    start = [f"p = {w.made()}", f"tm[1] = {w.made()}", "q = tm.get(1)", "if q is None:", "    return XDP.DROP",
             f"z = p.y[{w.number(0, 2)}:]", "t: i64 = 0", f"x = {w.number(0, 4)}", f"y = {w.number(0, 4)}"]  # fmt: skip
    for _ in range(w.number(2, 7)):
        w.statement()
    body = "\n".join([f"    {line}" for line in [*start, *w.lines, "res[0] = t", "return XDP.PASS"]])
    return f"""{_PRELUDE}
class T(Struct):
    x: Text[L[{w.sizes[0]}]]
    y: Text[L[{w.sizes[1]}]]
    b: Bytes[L[{w.sizes[2]}]]
    a: Array[u16, L[4]]
tm = HashMap[u32, T](max_entries=4)
@xdp
def prog(pkt: XdpContext) -> XDP:
{body}
"""
