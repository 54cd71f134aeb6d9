"""What is known at each place: None checks, assignment on every path, bounds of indices and loops."""

from __future__ import annotations

import pytest

from tests.frontend.checking import codes, tree_of


@pytest.mark.parametrize(
    "text",
    [
        "v = table.get(1)\nif v is None:\n    return\nslots[0] = v",
        "v = table.get(1)\nif v is not None:\n    slots[0] = v",
        "v = table.get(1)\nif v:\n    slots[0] = v",
        "v = table.get(1)\nif not v:\n    return\nslots[0] = v",
        "v = table.get(1)\nif v is None or v > 3:\n    return\nslots[0] = v",
        "v = table.get(1)\nif v is not None and v > 3:\n    slots[0] = v",
        "v = table.get(1)\nif not (v is None):\n    slots[0] = v",
        "v = table.get(1)\nif v is None:\n    v = 5\nslots[0] = v",
        "v = table.get(1)\nslots[0] = v if v is not None else 3",
        "v = table.get(1)\nw = table.get(2)\nif v is None or w is None:\n    return\nslots[0] = v + w",
        "if (v := table.get(a)) is not None and v > 5:\n    slots[0] = v",
        "for i in range(4):\n    v = table.get(i)\n    if v is None:\n        continue\n    slots[0] = v",
        "for i in range(4):\n    v = table.get(i)\n    if v is None:\n        break\n    slots[0] = v",
        "r = recs.get(1)\nif r:\n    r.n += 1",
        "v = table.get(1)\nx = v is not None and v > 5",
        "v = table.get(1)\nw = v\nif v is not None:\n    slots[0] = v",
        "v = table.get(1)\nif v is None:\n    pass\nelse:\n    slots[0] = v",
    ],
)
def test_checked(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "v = table.get(1)\nslots[0] = v",
        "slots[0] = table.get(1)",
        "slots[0] = table.get(1) + 1",
        "recs.get(1).n = 5",
        "v = table.get(1)\nif v is None:\n    slots[0] = v",
        "v = table.get(1)\nif v is not None:\n    pass\nslots[0] = v",
        "v = table.get(1)\nif v is None and a:\n    return\nslots[0] = v",
        "v = table.get(1)\nif v is not None or a:\n    slots[0] = v",
        "v = table.get(1)\nif v:\n    pass\nelse:\n    slots[0] = v",
        "v = table.get(1)\nif v is None:\n    return\nv = table.get(2)\nslots[0] = v",
        "v = table.get(1)\nif v is None:\n    return\nfor i in range(3):\n    slots[0] = v\n    v = table.get(2)",
        "v = table.get(1)\nif v is not None:\n    if a:\n        v = table.get(2)\n    slots[0] = v",
        "v = table.get(1)\nfor i in range(3):\n    if v is None:\n        break\nslots[0] = v",
        "with ring.reserve() as e:\n    e.n = 1",
        "printk(f'{table.get(1)}')",
        "x = table.get(1) < 5",
    ],
)
def test_may_be_none(text: str) -> None:
    assert codes(text) == ["E0203"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slots[0] = x\nx = 5", ["E0302"]),
        ("if a:\n    x = 1\nslots[0] = x", ["E0302"]),
        ("if a:\n    x = 1\nelse:\n    x = 2\nslots[0] = x", []),
        ("if a:\n    x = 1\nelse:\n    return\nslots[0] = x", []),
        ("for i in range(3):\n    x = i\nslots[0] = x + i", []),  # runs at least once
        ("for i in range(min(a, 3)):\n    x = i\nslots[0] = x", ["E0302"]),
        ("for i in range(3):\n    if a:\n        break\n    x = i\nslots[0] = x", ["E0302"]),
        ("for i in range(3):\n    if a:\n        x = 1\n        break\nelse:\n    x = 2\nslots[0] = x", []),
        ("i = 0\nwhile i < 3:\n    x = i\n    i += 1\nslots[0] = x", ["E0302"]),
        ("total += 1", ["E0302"]),  # local, for want of `global total`
        ("global total\ntotal += 1", []),
        ("x: u32\nslots[0] = x", ["E0302"]),
    ],
)
def test_assigned_on_every_path(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "slots[15] = 1",
        "slots[a & 15] = 1",
        "slots[a % 16] = 1",
        "slots[a >> 60] = 1",
        "slots[u8(a) // 16] = 1",
        "slots[min(a, 15)] = 1",
        "if a < 16:\n    slots[a] = 1",
        "if 0 <= i64(a) < 16:\n    pass\nx = i64(a)\nif 0 <= x < 16:\n    slots[x] = 1",
        "if not a < 16:\n    return\nslots[a] = 1",
        "if a < 16 and b < a:\n    slots[b] = 1",
        "if a >= 16 or b > a:\n    return\nslots[b] = 1",
        "if a == 3:\n    slots[a] = 1",
        "if a in (1, 5, 9):\n    slots[a] = 1",
        "for i in range(16):\n    slots[i] = 1",
        "for i in range(15, -1, -1):\n    slots[i] = 1",
        "for i in range(min(a, 16)):\n    slots[i] = 1",
        "x = 0\nwhile x < 16:\n    slots[x] = 1\n    x += 1",
        "x = 0\nwhile x < 15:\n    x += 1\n    slots[x] = 1",
        "x = 15\nwhile x > 0:\n    slots[x] = 1\n    x -= 1",
        "for p in (3, 8, 15):\n    slots[p] = 1",
        "x = None\nfor i in range(10):\n    if i == b:\n        x = i\nif x is not None:\n    slots[x] = 1",
        "x = a\nif x > 15:\n    x = 15\nslots[x] = 1",
        "x = u8(a)\nif x > 15:\n    return\nx += 0\nslots[x] = 1",
        "r = recs.get(1)\nif r:\n    r.arr[a & 7] += 1\n    r.arr[-1] = 2",
    ],
)
def test_index_in_bounds(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slots[16] = 1", ["E0402"]),
        ("slots[-1] = 1", ["E0402"]),
        ("slots[a] = 1", ["E0403"]),
        ("if a <= 16:\n    slots[a] = 1", ["E0403"]),
        ("if a < 16 or b:\n    slots[a] = 1", ["E0403"]),
        ("x = i64(a)\nif x < 16:\n    slots[x] = 1", ["E0403"]),
        ("if a < 16:\n    a += 1\n    slots[a] = 1", ["E0403"]),
        ("x = a & 15\nfor i in range(3):\n    slots[x] = 1\n    x += 1", ["E0403"]),
        ("x = 0\nwhile x < 16:\n    x += 1\n    slots[x] = 1", ["E0403"]),
        ("for i in range(17):\n    slots[i] = 1", ["E0403"]),
        ("x = (a & 15) - 1\nslots[x] = 1", ["E0403"]),
        ("r = recs.get(1)\nif r:\n    r.arr[8] = 1", ["E0224"]),
        ("r = recs.get(1)\nif r:\n    r.arr[a] = 1", ["E0225"]),
        ("r = recs.get(1)\nif r:\n    if r.n < 8:\n        r.arr[r.n] = 1", ["E0225"]),  # it may change in between
    ],
)
def test_index_out_of_bounds(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("while True:\n    pass", ["E0801"]),
        ("while a:\n    b += 1", ["E0801"]),
        ("while a:\n    a >>= 1", []),
        ("while True:\n    if a > 5:\n        break\n    a += 1", []),
        ("i = 0\nwhile True:\n    if i >= 100:\n        return\n    i += 1", []),
        ("i = 100\nwhile i > 0:\n    if b:\n        continue\n    i -= 1", ["E0801"]),
        ("i = 0\nwhile i < a:\n    i += 1", ["E0801"]),
        ("i = 0\nwhile i < 50 and i < a:\n    i += 1", []),
        ("i = 0\nwhile i < 50 or i < a:\n    i += 1", ["E0801"]),
        ("i = 0\nn = 5\nwhile i < n:\n    i += 1\n    n += 1", ["E0801"]),
        ("while a:\n    slots[0] += 1\n    break", []),
        ("while False:\n    nothing()", []),
        ("for i in range(a):\n    pass", ["E0802"]),
        ("for i in range(u8(a)):\n    pass", []),
        ("for i in range(u16(a)):\n    pass", ["E0803"]),  # 65535 comparisons whose outcome is not known
        ("for i in range(0, 10, a):\n    pass", ["E0805"]),
        ("for i in range(0, 10, 0):\n    pass", ["E0805"]),
        ("for i in range(1000):\n    for j in range(1000):\n        slots[0] += j", ["E0803"]),
        ("for i in range(60000):\n    if i == b:\n        slots[0] += 1", ["E0803"]),
        ("for x in ring:\n    pass", ["E0809"]),
        ("for x in a:\n    pass", ["E0807"]),
        ("for i in range(3):\n    pass\n    continue\n    x = 1", ["W0902"]),
    ],
)
def test_loops_end(text: str, expected: list[str]) -> None:
    """The verifier of kernels before 5.17 follows every iteration."""
    assert codes(text, kernel=(5, 15)) == expected


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("while a:\n    b += 1", "callback"),
        ("for i in range(a):\n    pass", "callback"),
        ("for i in range(1000):\n    for j in range(1000):\n        slots[0] += j", "callback"),
        ("for i in range(60000):\n    if i == b:\n        slots[0] += 1", "callback"),
        ("for i in range(600):\n    if i == b:\n        slots[0] += 1", ""),
        ("i = 0\nwhile i < 50:\n    i += 1", ""),
    ],
)
def test_long_loops_are_bounded_by_the_kernel(text: str, bound: str) -> None:
    assert codes(text, kernel=(5, 17)) == []
    loops = [line for line in tree_of(text).splitlines() if ":  # by " in line]
    assert {line.split("# by ")[1] for line in loops} == ({bound} if bound else set())


def test_a_loop_that_nothing_leaves_is_refused_for_all_kernels() -> None:
    assert codes("while True:\n    a += 1", kernel=(6, 18)) == ["E0801"]


def test_bounds_that_a_loop_keeps_are_seen() -> None:
    assert codes("x = 0\nwhile a:\n    slots[x] = 1\n    x = (x + 1) & 15") == []
    assert codes("x = 0\nwhile a:\n    x = (x + 1) % 16\nslots[x] = 1") == []
    assert codes("x = 0\nwhile a:\n    slots[x] = 1\n    x = (x + 1) & 31") == ["E0403"]


def test_cases_of_a_match_are_levels() -> None:
    """Each is in what the one before it leaves, so there is a most of them."""

    def match(cases: int) -> str:
        return "match a:\n" + "".join([f"    case {i}:\n        slots[0] = {i}\n" for i in range(cases)])

    assert codes(match(100)) == []
    assert codes(match(300)) == ["E0820"]
