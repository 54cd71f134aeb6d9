"""Random programs with more checked numbers alive than there are registers: a seed in, the source out.

Numbers are read, tested at some places and used as indexes and sizes at others, with calls in between, which leave four
registers alone. What has been tested lies on the stack, before and after.
"""

from __future__ import annotations

import random

__all__ = ["HEAD", "program"]

HEAD = """
from pybpf import Array, HashMap, L, Struct, helpers, ktime, raw_tp, u8, u32, u64

class Place(Struct):
    a: Array[u32, L[16]]
    b: Array[u8, L[13]]
    w: Array[u64, L[24]]
    c: Array[u32, L[100]]
    d: Array[u8, L[256]]

m = HashMap[u32, Place](max_entries=16)
t = HashMap[u32, u64](max_entries=16)
t32 = HashMap[u32, u32](max_entries=16)
"""
_TESTS = ("if x{i} > {most}: return", "if not (x{i} < {above}): return", "if x{i} >= {above}: return")
_READS = (
    ("p{i} = t.get({i})", "if p{i} is None: return", "x{i} = p{i}"),
    ("p{i} = t32.get({i})", "if p{i} is None: return", "x{i} = u64(p{i}) + 3"),
    ("x{i} = ktime() >> 1",),
)


class _Writer:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.lines: list[str] = []
        self.indent = "    "
        self.count = self.rng.randrange(5, 13)
        self.most: dict[int, int] = {}  # of the numbers that were tested
        self.outside: list[tuple[str, dict[int, int]]] = []

    def put(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def open(self, text: str) -> None:
        self.put(text)
        self.outside.append((self.indent, dict(self.most)))
        self.indent += "    "

    def close(self) -> None:
        self.indent, self.most = self.outside.pop()

    def use(self, i: int) -> None:
        places = [("b", 12), ("a", 15), ("c", 99), ("d", 255)]
        name = self.rng.choice([name for name, most in places if self.most[i] <= most])
        if name == "d" and self.rng.random() < 0.4:
            self.put(f"helpers.bpf_probe_read_kernel(v.d, x{i}, x{self.rng.randrange(self.count)})")
        else:
            self.put(f"v.{name}[x{i}] += 1")

    def test(self, i: int) -> None:
        most = self.rng.choice((3, 7, 12, 12, 15, 50, 99, 200))
        if self.most.get(i, 256) <= most:
            return
        if self.rng.random() < 0.25 and len(self.outside) < 3:
            self.open(f"if x{i} <= {most}:")
            self.put("v.w[1] += 1")
        else:
            self.put(self.rng.choice(_TESTS).format(i=i, most=most, above=most + 1))
        self.most[i] = most

    def step(self) -> None:
        rng = self.rng
        i, kind = rng.randrange(self.count), rng.randrange(12)
        if kind < 4:
            self.test(i)
        elif kind < 6:
            self.put(f"v.w[{rng.randrange(24)}] = ktime()")
        elif kind == 6:
            self.put(f"t[{rng.randrange(16)}] = x{i}")
        elif kind == 7 and len(self.outside) < 3:
            turn = f"k{len(self.outside)}"
            self.open(f"for {turn} in range({rng.choice((2, 3, 5))}):")
            self.put(f"v.w[{turn}] += x{i}")
        elif kind == 8 and self.outside:
            self.close()
        elif i in self.most:
            self.use(i)

    def whole(self, name: str) -> str:
        for i in range(self.count):
            for line in self.rng.choice(_READS):
                self.put(line.format(i=i))
        for _ in range(self.rng.randrange(20, 45)):
            self.step()
        while True:
            for i in list(self.most):
                self.use(i)
            if not self.outside:
                break
            self.close()
        self.put("v.w[0] += " + " + ".join([f"x{i}" for i in range(self.count)]))
        start = ['@raw_tp("sys_enter")', f"def {name}() -> None:", "    v = m.get(1)", "    if v is None: return"]
        return "\n".join([*start, *self.lines, ""])


def program(seed: int, name: str = "crowded") -> str:
    return HEAD + _Writer(seed).whole(name)
