"""The text that a user sees for a diagnostic, whole."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pybpf.compiler.diagnostics.base import CompileError, Diagnostic, Help, Label, Note
from pybpf.compiler.diagnostics.records import records
from pybpf.compiler.diagnostics.render import render, render_all
from pybpf.compiler.diagnostics.screen import Ink, Paint, cells, shown, wants_color
from pybpf.compiler.schema.record import factory
from pybpf.compiler.schema.span import Source, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


class Sample(Diagnostic):
    """Only for these tests."""

    name: str = "x"
    text: str = "here"
    extra: list[Label | Note | Help] = factory(list)

    code = "E9999"
    title = "`{name}` is wrong"
    label = "{text}"

    def more(self) -> Iterator[Label | Note | Help]:
        return iter(self.extra)


class Mild(Sample):
    """Only for these tests."""

    code = "W9999"
    severity = "warning"


def source(text: str, name: str = "probe.py") -> Source:
    return Source(name, f"/somewhere/{name}", text.split("\n"))


def find(src: Source, text: str, line: int | None = None) -> Span:
    """The first place of `text` (one line of it, or the given one)."""
    for number, have in enumerate(src.lines, 1):
        if text in have and line in (None, number):
            return Span(src, number, have.index(text), number, have.index(text) + len(text))
    raise AssertionError(text)


def lines(text: str) -> str:
    return text.strip("\n")


FIREWALL = "\n" * 23 + "    rule = blocked.get(Prefix(len=32, addr=ip.saddr))\n\n\n    dropped[rule.id] += 1\n"


def test_the_design_page_example() -> None:
    src = source(FIREWALL, "firewall.py")
    sample = Sample(
        find(src, "rule", 27), "rule", "used without a check",
        [
            Label(find(src, "blocked.get(Prefix(len=32, addr=ip.saddr))"), "this lookup can miss"),
            Help("return early when it is None:", ("if rule is None:", "    return XDP.PASS")),
            Note("the kernel would say: R0 invalid mem access 'map_value_or_null'"),
        ],
    )  # fmt: skip
    assert render(sample) == lines("""
error[E9999]: `rule` is wrong
  --> firewall.py:27:13
   |
24 |     rule = blocked.get(Prefix(len=32, addr=ip.saddr))
   |            ------------------------------------------ this lookup can miss
27 |     dropped[rule.id] += 1
   |             ^^^^ used without a check
   |
help: return early when it is None:
   |     if rule is None:
   |         return XDP.PASS
note: the kernel would say: R0 invalid mem access 'map_value_or_null'
""")


def test_several_labels_on_one_line_hang_below_it() -> None:
    src = source("total = first + second * third")
    sample = Sample(
        find(src, "+"), text="these don't agree",
        extra=[Label(find(src, "first"), "u64"), Label(find(src, "second"), "i64"), Label(find(src, "third"), "i32")],
    )  # fmt: skip
    assert render(sample) == lines("""
error[E9999]: `x` is wrong
 --> probe.py:1:15
  |
1 | total = first + second * third
  |         ----- ^ ------   ----- i32
  |         |     | |
  |         |     | i64
  |         |     these don't agree
  |         u64
""")


def test_a_label_inside_another_ones_span() -> None:
    src = source("x = call(inner, other)")
    sample = Sample(find(src, "call(inner, other)"), text="whole", extra=[Label(find(src, "inner"), "part")])
    assert render(sample) == lines("""
error[E9999]: `x` is wrong
 --> probe.py:1:5
  |
1 | x = call(inner, other)
  |     ^^^^^^^^^^^^^^^^^^
  |     |    |
  |     |    part
  |     whole
""")


def test_two_labels_for_the_same_place() -> None:
    src = source("x = thing")
    span = find(src, "thing")
    assert render(Sample(span, text="one", extra=[Label(span, "two")])) == lines("""
error[E9999]: `x` is wrong
 --> probe.py:1:5
  |
1 | x = thing
  |     ^^^^^ one
  |     |
  |     two
""")


def test_a_statement_of_several_lines_has_a_rail() -> None:
    src = source("a = 1\n    counts.emit(\n        x,\n    )\nb = 2")
    assert render(Sample(Span(src, 2, 4, 4, 5))) == lines("""
error[E9999]: `x` is wrong
 --> probe.py:2:5
  |
2 | /     counts.emit(
3 | |         x,
4 | |     )
  | |_____^ here
""")


def test_an_expression_of_several_lines_starts_inside_its_line() -> None:
    src = source("y = f(\n  1,\n) + 2")
    assert render(Sample(Span(src, 1, 4, 3, 1), extra=[Label(find(src, "2"), "two")])) == lines("""
error[E9999]: `x` is wrong
 --> probe.py:1:5
  |
1 |   y = f(
  |  _____^
2 | |   1,
3 | | ) + 2
  | |     - two
  | |_^ here
""")


def test_files_are_named_by_their_path_below_a_directory() -> None:
    sample = Sample(find(source("x = 1"), "x"))
    assert render(sample, root="/").split("\n")[1] == " --> somewhere/probe.py:1:1"
    assert render(sample, root="/somewhere").split("\n")[1] == " --> probe.py:1:1"
    assert render(sample, root="/elsewhere").split("\n")[1] == " --> probe.py:1:1"
    cell = Sample(Span(Source("In[3]", "", ["x = 1"]), 1, 0, 1, 1))
    assert render(cell, root="/").split("\n")[1] == " --> In[3]:1:1"


def test_very_long_lines_are_trimmed() -> None:
    src = source("value = " + "first + " * 60 + "wrong" + " + last" * 60)
    sample = Sample(find(src, "wrong"), extra=[Label(find(src, " + last + "), "and this")])
    rows = render(sample).split("\n")
    assert rows[1] == " --> probe.py:1:489"
    assert rows[3].startswith("1 | ...") and rows[3].endswith("...") and len(rows[3]) < 170
    start = rows[3].index("wrong")
    assert rows[4][start : start + 14] == "^^^^^---------" and rows[4][start - 1] == " "
    alone = render(Sample(find(src, "value"))).split("\n")
    assert alone[3].startswith("1 | value = first + ") and alone[3].endswith("...")
    assert alone[4] == "  | ^^^^^ here"
    whole = Sample(Span(source("x" * 1000), 1, 0, 1, 1000))
    assert max(len(row) for row in render(whole).split("\n")) < 180


def test_long_spans_are_shortened() -> None:
    src = source("\n".join(f"line{n}" for n in range(1, 30)))
    assert render(Sample(Span(src, 3, 0, 21, 6))) == lines("""
error[E9999]: `x` is wrong
  --> probe.py:3:1
   |
 3 | / line3
 4 | | line4
...  |
21 | | line21
   | |______^ here
""")


def test_nested_spans_have_a_rail_each() -> None:
    src = source("a(\n  b(\n    c\n  )\n)")
    assert render(Sample(Span(src, 2, 2, 4, 3), text="in", extra=[Label(Span(src, 1, 0, 5, 1), "out")])) == lines("""
error[E9999]: `x` is wrong
 --> probe.py:2:3
  |
1 | /  a(
2 | |/   b(
3 | ||     c
4 | ||   )
  | ||___^ in
5 | |  )
  | |__- out
""")


def test_spans_in_two_files() -> None:
    one, two = source("helper(1)", "one.py"), source("\n" * 11 + "def helper(a: u64) -> u64:", "two.py")
    sample = Sample(find(one, "1"), extra=[Label(find(two, "a: u64"), "declared here"), Help("drop it")])
    assert render(sample) == lines("""
error[E9999]: `x` is wrong
  --> one.py:1:8
   |
 1 | helper(1)
   |        ^ here
  ::: two.py:12:12
   |
12 | def helper(a: u64) -> u64:
   |            ------ declared here
   |
help: drop it
""")


def test_tabs_and_wide_and_combining_characters() -> None:
    src = source("\tname = '漢字e\u0301' + bad")
    assert render(Sample(find(src, "bad"), extra=[Label(find(src, "'漢字e\u0301'"), "text")])) == lines("""
error[E9999]: `x` is wrong
 --> probe.py:1:18
  |
1 |     name = '漢字e\u0301' + bad
  |            -------   ^^^ here
  |            |
  |            text
""")


def test_hidden_characters_are_spelled_out() -> None:
    src = source("x = '\x1b[2J\u202e' + y")
    text = render(Sample(find(src, "y")))
    assert "\x1b" not in text and "\u202e" not in text
    rows = text.split("\n")
    assert rows[3].index("y") == rows[4].index("^")
    assert "<U+001B>[2J<U+202E>" in rows[3]


def test_an_empty_span_gets_one_caret_even_past_the_end() -> None:
    src = source("def f(")
    assert render(Sample(Span(src, 1, 6, 1, 6))).split("\n")[-1] == "  |       ^ here"


def test_a_source_without_text_shows_only_the_place() -> None:
    src = Source("gone.py", "", [])
    assert render(Sample(Span(src, 12, 4, 12, 9), extra=[Note("why")])) == lines("""
error[E9999]: `x` is wrong
  --> gone.py:12:5
note: why
""")


def test_warnings_and_no_label() -> None:
    src = source("x")
    assert render(Mild(find(src, "x"), text="")) == lines("""
warning[W9999]: `x` is wrong
 --> probe.py:1:1
  |
1 | x
  | ^
""")


def test_several_are_parted_by_an_empty_line_and_compile_error_shows_them() -> None:
    src = source("x")
    both = [Sample(find(src, "x")), Mild(find(src, "x"))]
    text = render_all(both)
    assert text == render(both[0]) + "\n\n" + render(both[1])
    assert str(CompileError(both)) == "\n" + text


def test_colours_change_nothing_but_colours() -> None:
    src = source("total = first + second")
    sample = Sample(find(src, "+"), extra=[Label(find(src, "first"), "u64"), Note("n"), Help("h", ("code",))])
    import re

    coloured = render(sample, color=True)
    assert "\x1b[1;31m^" in coloured
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == render(sample)


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty:
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert wants_color(Tty())  # type: ignore[arg-type]
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_color(Tty())  # type: ignore[arg-type]
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_color(Tty())  # type: ignore[arg-type]


def test_json_records() -> None:
    src = source("total = first + second")
    sample = Sample(
        find(src, "+"), extra=[Label(find(src, "first"), "u64"), Note("n"), Help("h", ("code",))]
    )
    (record,) = json.loads(json.dumps(records([sample])))
    assert record == {
        "code": "E9999",
        "severity": "error",
        "message": "`x` is wrong",
        "label": "here",
        "file": "probe.py",
        "path": "/somewhere/probe.py",
        "line": 1,
        "column": 15,
        "end_line": 1,
        "end_column": 16,
        "related": [
            {
                "message": "u64", "file": "probe.py", "path": "/somewhere/probe.py",
                "line": 1, "column": 9, "end_line": 1, "end_column": 14,
            }
        ],
        "notes": ["n"],
        "help": [{"message": "h", "code": ["code"], "edit": None}],
    }  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=30), st.data())
def test_the_caret_stands_under_its_character(text: str, data: st.DataObject) -> None:
    """Whatever the line holds, the caret's screen column is that of the marked character."""
    col = data.draw(st.integers(0, len(text)))
    rows = render(Sample(Span(Source("a.py", "", [text]), 1, col, 1, min(col + 1, len(text))), text="")).split("\n")
    assert cells(rows[4].split("^")[0]) == 4 + cells(text[:col])
    assert len(rows) == 5


@given(st.text(max_size=30))
def test_ink_shows_what_was_put(text: str) -> None:
    ink = Ink()
    text = shown(text)
    ink.put(0, text, "")
    leading = len(text) - len(text.lstrip())
    assert ink.render(Paint(False)) == text.rstrip() or unicodedata.combining(text.strip()[:1]) or leading
