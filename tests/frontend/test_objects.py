"""Structs are references: aliases, objects made in loops, ring-buffer records, and what functions do with them."""

from __future__ import annotations

import pytest

from tests.frontend.checking import body, codes, diagnostics, tree_of

REC = "Rec(n=1, big=2, inner=Inner(a=1, b=2), arr=[0, 1, 2, 3, 4, 5, 6, 7], name='x', flag=True, raw=b'1234')"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # an object of an earlier iteration: its place in memory is that of the new one
        ("prev = None\nfor i in range(4):\n    cur = One(n=i)\n    if prev is not None:\n        printk(f'{prev.n}')\n"
         "    prev = cur", ["E0810"]),
        ("cur = One(n=0)\nfor i in range(4):\n    cur = One(n=cur.n + 1)\nslots[0] = cur.n", []),
        ("first = One(n=0)\nfor i in range(4):\n    cur = One(n=i)\n    slots[0] += cur.n + first.n", []),
        ("best = One(n=0)\nfor i in range(4):\n    cur = One(n=i)\n    if cur.n > 2:\n"
         "        best = cur\nslots[0] = best.n",
         ["E0810"]),
        ("name = comm()\nfor i in range(4):\n    last = name\n    name = comm()\n"
         "    if last == name:\n        pass", ["E0810"]),
        ("best = ones.get(0)\nfor i in range(4):\n    best = ones.get(i)\nif best:\n    slots[0] = best.n", []),
        # ring-buffer records
        ("with ring.reserve() as e:\n    if e is None:\n        return\n    e.n = 5", []),
        ("with ring.reserve() as e:\n    pass\nprintk(f'{e}')", ["E0810"]),
        ("with ring.reserve() as e:\n    if e:\n        e.discard()\n        e.n = 4", ["E0810"]),
        ("with ring.reserve() as e:\n    if e:\n        x = e\n        e.discard()\n        x.n = 4", ["E0810"]),
        ("x = ones.get(1)\nwith ring.reserve() as e:\n    if e:\n        x = e", ["E0212"]),
        ("with ring.reserve() as e:\n    if e:\n        for i in range(3):\n            e.discard()", ["E0810"]),
        ("for i in range(3):\n    with ring.reserve() as e:\n        if e is None:\n"
         "            break\n        if i == 2:\n"
         "            e.discard()\n            continue\n        e.n = i", []),
        ("with ring.reserve() as e:\n    e = None", ["E0414"]),
        ("x = ring.reserve()", ["E0411"]),
        # fields
        ("x = One(1)", ["E0501"]),
        ("x = One(m=1)", ["E0502"]),
        ("x = One()", ["E0503"]),
        ("x = One(n=1).m", ["E0504"]),
        ("x = One(n=1)\nx.m = 1", ["E0504"]),
        ("x = a.n", ["E0304"]),
        (f"r = {REC}\nr.name = comm()\nr.inner = Inner(a=1, b=2)\nrecs[1] = r\nr.inner.b -= 5", []),
        (f"r = {REC}\nr.name = 'longer than sixteen'", ["E0510"]),
        (f"r = {REC}\nx = r.twice() + r.half + r.seven() + Rec.seven()", []),
        (f"r = {REC}\nx = r.twice", ["E0505"]),
        (f"r = {REC}\nx = r.thrice()", ["E0506"]),
    ],
)  # fmt: skip
def test_objects(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


def test_a_record_does_not_outlive_the_function_that_reserves_it() -> None:
    module = "def make():\n    with ring.reserve() as e:\n        return e\n"
    assert [d.code for d in diagnostics(module + body("x = make()"))] == ["E0416"]


def test_an_alias_is_a_reference() -> None:
    assert "update y.n:u32 += 1:u64" in tree_of("x = One(n=1)\ny = x\ny.n += 1")


def test_updates_of_shared_memory_are_atomic() -> None:
    text = tree_of(
        "r = recs.get(1)\nif r:\n    r.n += 1\n    r.arr[0] += 1\n    r.big *= 2\nslots[0] += 1\n"
        "percpu[0] += 1\nx = One(n=1)\nx.n += 1"
    )
    updates = [line.strip() for line in text.splitlines() if "update" in line]
    assert [line.startswith("atomic") for line in updates] == [True, False, False, True, False, False]
