"""docs/semantics.md, sentence by sentence: CPython, the simulator and the kernel run each case and give one answer.

A case quotes the sentence it is about, so the page and the tests stay together. `python` and `value` are what plain
Python has to say about it, where that differs: an expression, and its value or the exception it raises.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from tests.differential.declarations import SOURCE
from tests.differential.nodes import Expr, Program, Stmt
from tests.differential.plain import World
from tests.differential.run import ALL, examine, one_cpu, packets

PAGE = " ".join((Path(__file__).parents[2] / "docs" / "semantics.md").read_text().split())
_SAME: Any = object()


class Case(NamedTuple):
    says: str  # on the page
    body: str  # leaves its answer in outs[0]
    answer: int
    python: Any = _SAME  # an expression, and its value in plain Python
    value: Any = _SAME


CASES = {
    "exact": Case(
        "is exact wherever 64 bits can hold the result",
        "a: u32 = 4_000_000_000\nb: u32 = 4_000_000_000\nouts[0] = a * b // 4_000_000_000 + a",
        8_000_000_000,
    ),
    "difference": Case(
        "| their difference, both narrower than 64 bits | `i64`, exact |",
        "a: u32 = 3\nb: u32 = 5\nouts[0] = (a - b) * 10",
        -20,
    ),
    "signed": Case("| a signed one takes part | `i64` |", "a: u32 = 3\nb: i8 = -5\nouts[0] = (a * b - 1) // 2", -8),
    "u64_wraps": Case(
        "| a `u64` takes part | `u64`, which wraps |",
        "a: u64 = 3\nb: u32 = 5\nouts[0] = 1 if a - b > 10 else 2",
        1,
        "1 if 3 - 5 > 10 else 2",
        2,
    ),
    "bools": Case(
        "| only bools | as Python's: `& \\| ^` give a bool, the rest counts them as 0 and 1, in `i64` |",
        "a = limit > 3\nb = limit > 900\nouts[0] = (a - 3) * 100 + ~(a & b) + (a ^ b) * 2 - 1",
        -200,
    ),
    "stored": Case(
        "keeps the low bits",
        "one: u64 = 0x1_0000_0000 + 1\na: u8 = 250\na += 10\ns = Pair(x=one, y=one >> 16 | 1, z=0, big=0)\n"
        "outs[0] = a * 1000 + s.x + s.y + u16(70_000)",
        4000 + 1 + 1 + 4464,
        "250 + 10",
        260,
    ),
    "floor": Case(
        "**`//` and `%` floor**", "a: i32 = -7\nouts[0] = a // 2 * 1000 + a % 3 * 10 + a % -3", -4000 + 20 - 1
    ),
    "zero": Case(
        "`x // 0` is 0 and `x % 0` is `x`",
        "zero = table.get(8, 0)\nouts[0] = (i64(7) // zero) * 10 + i64(7) % zero",
        7,
        "7 // 0",
        ZeroDivisionError,
    ),
    "shift": Case(
        "A variable count is masked to 6 bits",
        "n = table.get(8, 65)\none: u64 = 1\nouts[0] = one << n",
        2,
        "1 << 65",
        1 << 65,
    ),
    "network_order": Case(
        "has the value that the other end meant",
        "head.port = 0x1234\nhead.addr = 1\nouts[0] = head.port + head.addr\nouts[1] = 1 if head.port == 0x1234 else 0",
        0x1235,
    ),
    "one_type": Case(
        "A local variable has one type for its whole life",
        "v: u8 = 1\nfor i in range(300):\n    v += 1\nouts[0] = v",
        45,
        "1 + 300",
        301,
    ),
    "references": Case(
        "An integer is copied, a struct is a reference",
        "records[1] = Pair(x=1, y=2, z=3, big=4)\na = records.get(1)\nif a is not None:\n    n = a.x\n    a.x = 9\n"
        "    b = a\n    b.z += 1\n    outs[0] = n * 100 + a.x * 10 + a.z",
        194,
    ),
    "fields_inside": Case(
        "lies inside its struct, and `t = s.name` refers to it there",
        's = Nest(flag=True, pair=Pair(x=1, y=2, z=3, big=4), cells=Array[i16, L[8]](), name="ab", net=1, last=2)\n'
        "p = s.pair\np.x = 70\nouts[0] = s.pair.x",
        70,
    ),
    "optional_truth": Case(
        "not None *and* not zero",
        "table[1] = 0\nn: i64 = 0\nif table.get(1):\n    n += 1\nif table.get(2):\n    n += 10\n"
        "if table.get(1) is not None:\n    n += 100\nouts[0] = n",
        100,
    ),
    "zeroed": Case(
        "Padding is zero",
        "rows[0].cells[3] = 5\nouts[0] = rows[1].cells[3] + rows[0].cells[3] + rows[2].pair.z",
        5,
    ),
    "text": Case(
        "Comparing texts compares bytes",
        's = Nest(flag=True, pair=Pair(x=1, y=2, z=3, big=4), cells=Array[i16, L[8]](), name="ab", net=1, last=2)\n'
        'outs[0] = (s.name == "ab") * 10 + (s.name != "abc") + (s.name == "") * 100',
        11,
    ),
    "add_to_missing": Case(
        "and inserts a zero first where there is no element",
        "table[7] += 5\ntable[7] += 6\ntable[8] -= 1\nouts[0] = table.get(7, 0) * 10 + table.get(8, 0)",
        109,
        "{}[7]",
        KeyError,
    ),
    "full": Case(
        "`m[k] = v` fails in silence when the map is full",
        "for i in range(6):\n    tiny[u16(i)] = 1\nfor i in range(6):\n    tiny[u16(i)] += 1\n"
        "outs[0] = (0 in tiny) + (2 in tiny) + (3 in tiny) * 10 + tiny.get(2, 0) * 100",
        202,
    ),
    "delete": Case(
        "`del m[k]` of a key that is not there does nothing",
        "del table[5]\ntable[5] = 1\ndel table[5]\nouts[0] = 1 if 5 in table else 2",
        2,
        "{}.__delitem__(5)",
        KeyError,
    ),
    "copy_of_a_number": Case(
        "`m.get(k)` on integers gives a copy, on structs a reference",
        "table[1] = 5\na = table.get(1)\ntable[1] = 9\nouts[0] = a if a is not None else 0",
        5,
    ),
    "events": Case(
        "`rb.emit(...)` loses the event when the buffer is full",
        'outs[0] = events.emit(Event(seq=1, pair=Pair(x=1, y=2, z=3, big=4), vals=Array[u32, L[4]](), what="x"))',
        1,
    ),
    "loops": Case(
        "mean what they mean in Python",
        "n: i64 = 0\nfor i in range(7, 0, -2):\n    if i == 3:\n        continue\n    n = n * 10 + i\n"
        "else:\n    n += 1\n"
        "while n > 700:\n    n -= 1\n    if n < 730:\n        break\nelse:\n    n = 0\nouts[0] = n",
        729,
    ),
    "run_time_loops": Case(
        "Other loops are bounded by the kernel",
        "n = u32(table.get(8, 27))\nrounds: i64 = 0\nwhile n != 1:\n    if n % 2:\n        n = u32(3 * n + 1)\n"
        "    else:\n        n = u32(n // 2)\n    rounds += 1\nouts[0] = rounds",
        111,
    ),
    "order": Case(
        "Left to right, each operand once",
        "a = tick(1)\nouts[0] = tick(10) * 100 + tick(1) - (a < 0 and tick(1000) > 0)",
        1112,
    ),
    "short_circuit": Case(
        "evaluate only what Python evaluates",
        "a = limit > 900 and tick(100) > 0\nb = 5 if limit > 0 else tick(100)\nouts[0] = b + ticks",
        5,
    ),
    "literal_parameter": Case(
        "it takes the width that the arithmetic it meets wants",
        "outs[0] = clamp(-7, -5, 9) * 10 + clamp(300, 0, 200)",
        150,
    ),
}


def program(case: Case) -> Program:
    lines = [
        "global g0, g1, g2, ticks",
        "head = pkt.parse(Head)",
        "if head is None:\n    return XDP.ABORTED",
        "ticks = 0\nfor key in range(9):\n    del table[key]",
        case.body,
        "return XDP.PASS",
    ]
    main = Expr("", "@xdp\ndef f0(pkt: XdpContext) -> XDP:")
    return Program(SOURCE, [Stmt((main, [Stmt((Expr("", line), None)) for line in lines]))])


@pytest.mark.parametrize("name", list(CASES))
def test_the_page_says_so(name: str) -> None:
    assert " ".join(CASES[name].says.split()) in PAGE


@pytest.mark.parametrize("name", list(CASES))
def test_cpython_and_simulator(name: str) -> None:
    source = program(CASES[name])
    examine(source, 1, kernel=False)
    world = World(source.text())
    for packet in packets(Random(1)):
        world.run("f0", packet)
    assert world.result()["outs"][0] == CASES[name].answer


@pytest.mark.kernel
@pytest.mark.parametrize("name", list(CASES))
def test_kernel(name: str) -> None:
    with one_cpu():
        examine(program(CASES[name]), 1, ALL[:4])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.python is not _SAME])
def test_python_itself_differs(name: str) -> None:
    case = CASES[name]
    if isinstance(case.value, type) and issubclass(case.value, Exception):
        with pytest.raises(case.value):
            eval(case.python)
    else:
        assert eval(case.python) == case.value
