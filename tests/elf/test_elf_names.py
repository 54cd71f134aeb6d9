"""Which names symbols and members may have."""

from __future__ import annotations

import pytest

from pybpf.compiler.elf.names import check_member_name, check_symbol_name


@pytest.mark.parametrize("name", ["counts", "_x", "X9", "a" * 127, "License", "data", "new"])
def test_good_symbols(name: str) -> None:
    assert check_symbol_name(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("größe", "ASCII"),
        ("a.b", "identifier"),
        ("9a", "identifier"),
        ("a" * 128, "127"),
        ("_license", "licence"),
        ("int", "keyword of C,"),
        ("_Bool", "keyword of C,"),
        ("func", "keyword of Go,"),
        ("range", "keyword of Go,"),
        ("match", "keyword of Rust,"),
        ("Self", "keyword of Rust,"),
    ],
)
def test_bad_symbols(name: str, reason: str) -> None:
    answer = check_symbol_name(name)
    assert answer is not None
    assert reason in answer


def test_members_need_only_suit_c() -> None:
    assert check_member_name("type") is None
    assert check_member_name("range") is None
    assert "keyword of C" in (check_member_name("register") or "")
    assert "ASCII" in (check_member_name("naïve") or "")
