"""Types of variables and of arithmetic: what is inferred, what is refused (docs/semantics.md)."""

from __future__ import annotations

import pytest

from tests.frontend.checking import codes, tree_of


def variable(text: str, name: str = "x") -> str:
    """The type of a variable, as the last assignment to it shows."""
    for line in reversed(tree_of(text).splitlines()):
        head, _, _ = line.strip().partition(" = ")
        if head.startswith(f"{name}: "):
            return head.partition(": ")[2]
    raise AssertionError(f"{name} is not assigned")


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("a", "u64"),
        ("a + b", "u64"),
        ("a - b", "u64"),  # u64 wraps
        ("u32(a) + u32(b)", "u64"),
        ("u32(a) - u32(b)", "i64"),  # exact
        ("u32(a) - 1", "i64"),
        ("u8(a) * u16(b)", "u64"),
        ("i32(a) + u32(b)", "i64"),
        ("i32(a) * 3", "i64"),
        ("i32(a) + b", "u64"),  # where a u64 takes part
        ("a - 1", "u64"),
        ("u32(a) * -1", "i64"),
        ("u32(a) & 7", "u64"),
        ("a & -8", "u64"),
        ("1 << a", "u64"),
        ("i8(a) >> b", "i64"),
        ("a >> i8(b)", "u64"),
        ("-u32(a)", "i64"),
        ("-a", "u64"),
        ("~u8(a)", "i64"),
        ("+a", "u64"),
        ("u32(a)", "u32"),
        ("i8(200)", "i8"),
        ("5", "i64"),
        ("-5", "i64"),
        ("1 << 63", "u64"),
        ("2**10 // 3 - 7", "i64"),
        ("a < b", "bool"),
        ("not a", "bool"),
        ("a < b and b < 5", "bool"),
        ("True", "bool"),
        ("True + 1", "i64"),
        ("(a < b) + 1", "i64"),
        ("(a < b) - (b < a)", "i64"),
        ("a if b else 1", "u64"),
        ("1 if a else 2", "i64"),
        ("u8(a) if b else i8(b)", "i16"),
        ("a or 5", "u64"),
        ("table.get(1)", "u64?"),
        ("table.get(1, 7)", "u64"),
        ("table.get(1) or 7", "u64"),
        ("deltas.get(1)", "i64?"),
        ("recs.get(1)", "&Rec@map?"),
        ("comm()", "&Text[16]@stack"),
        ("abs(i32(a))", "i64"),
        ("abs(u32(a))", "u32"),
        ("min(u32(a), u16(b))", "u64"),
        ("max(a, 3)", "u64"),
        ("XDP.PASS", "XDP"),
        ("slots[3]", "u64"),
        ("total", "u64"),
        ("limit", "u32"),
        ("sizeof(Rec)", "i64"),
    ],
)
def test_type_of_an_expression(expression: str, kind: str) -> None:
    assert variable(f"x = {expression}") == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x = 0\nx = u16(a)", "u16"),  # a literal adapts
        ("x = 300\nx = u8(a)", "u16"),
        ("x = -1\nx = u8(a)", "i16"),
        ("x = u8(a)\nx = u32(b)", "u32"),
        ("x = u32(a)\nx = i32(b)", "i64"),
        ("x = u32(a)\nx += 1", "u64"),
        ("x = 0\nfor i in range(4):\n    x += u32(a)", "i64"),
        ("x = 0\nx += a", "u64"),
        ("x = None\nif a:\n    x = u32(b)", "u32?"),
        ("x = u32(b)\nif a:\n    x = None", "u32?"),
        ("x = table.get(1)\nif x is None:\n    x = 5", "u64?"),
        ("x = True\nx = 5", "i64"),
        ("x: u8 = 5\nx += 300", "u8"),
        ("x: u32\nif a:\n    x = 1\nelse:\n    x = 2", "u32"),
        ("x = XDP.PASS\nif a:\n    x = XDP.DROP", "XDP"),
        ("x = recs.get(1)\nif x is None:\n    x = recs.get(2)", "&Rec@map?"),
        ("x = One(n=1)\ny = ones.get(1)\nif y is not None:\n    x = y", "&One@map"),
        ("x: One | None = None\nif a:\n    x = One(n=1)", "&One@stack?"),
        ('x: Text[L[32]] = "abc"', "&Text[32]@stack"),
        ('x = "abc" if a else "de"', "&Text[4]@stack"),
    ],
)
def test_one_type_holds_all_assignments(text: str, kind: str) -> None:
    assert variable(text) == kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = a\nx = i64(b)", ["E0201"]),
        ("x = a\nx = comm()", ["E0201"]),
        ("x = table\nx = deltas", ["E0201"]),
        ('x = None\nx = "abc"', ["E0201"]),
        ("x: u32 = comm()", ["E0202"]),
        ("x: bool = a", ["E0207"]),
        ("x: u8 = 256", ["E0208"]),
        ("x: u32 = -1", ["E0208"]),
        ("x = 1 << 64", ["E0208"]),
        ("x: int = 5", ["E0205"]),
        ("x: Nowhere = 5", ["E0301"]),
        ("x = i64(a) < b", ["E0209"]),
        ("x = i64(a) // b", ["E0209", "W0901"]),
        ("x = a > -1", ["E0209"]),
        ("c = i64(a)\nif c >= 0:\n    x = c < b", []),  # known not to be negative
        ("x = i64(u32(a)) < b", []),
        ("x = a << 64", ["E0220"]),
        ("x = a >> -1", ["E0220"]),
        ("x = a // 0", ["E0221"]),
        ("x = a // b", ["W0901"]),
        ("if b:\n    x = a // b", []),
        ("if b > 3:\n    x = a % b", []),
        ("x = a / b", ["E0102"]),
        ("x = a if b else comm()", ["E0213"]),
        ("x = a == None", ["E0215"]),
        ("x = One(n=1) < One(n=2)", ["E0216"]),
        ("x: u32 = 1\nx: u64 = 2", ["E0217"]),
        ("u32(a) < 0", ["W0904", "W0903"]),
    ],
)
def test_refused(text: str, expected: list[str]) -> None:
    assert sorted(codes(text)) == sorted(expected)


def test_one_error_does_not_cause_others() -> None:
    assert codes("x = nothing\ny = x + 1\nslots[y] = x\nif x:\n    z = x.n\nprintk(f'{z}')") == ["E0301"]


def test_errors_in_several_statements_are_all_reported() -> None:
    assert codes("x = nothing\ny = a / b\nif a == None:\n    z = 0.5 + b") == ["E0301", "E0102", "E0215", "E0101"]
