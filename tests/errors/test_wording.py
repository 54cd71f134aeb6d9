"""How diagnostics are worded: one style for all titles, labels, helps, notes and pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pybpf.compiler.diagnostics.base import Help, Label
from pybpf.compiler.diagnostics.catalogue import catalogue, explanation
from tests.errors.test_errors import CASES, said_about

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.diagnostics.base import Diagnostic

THEMES = sorted({path.parent.name for path in CASES})
# What the interpreter itself says, or an exception of the user's.
FOREIGN = ("E0001", "E0002")
CAPITALS = ("A", "An", "The", "This", "That", "It", "If", "Use", "Write", "Give", "Declare", "Call", "Can", "No", "You")


def sentences(diagnostic: Diagnostic) -> Iterator[tuple[str, str]]:
    """Each sentence of a diagnostic, and what it is."""
    title, label = diagnostic.texts()
    if diagnostic.code not in FOREIGN:
        yield "title", title
    if label:
        yield "label", label
    for item in diagnostic.more():
        if "the kernel would say" not in item.text:
            yield ("label" if isinstance(item, Label) else type(item).__name__.lower()), item.text


@pytest.mark.parametrize("theme", THEMES)
def test_sentences(theme: str) -> None:
    wrong = []
    for path in CASES:
        if path.parent.name != theme:
            continue
        for diagnostic in said_about(path):
            for kind, text in sentences(diagnostic):
                faults = {
                    "is empty": not text.strip(),
                    "ends with a full stop": text.endswith(".") and not text.endswith("..."),
                    "has an odd number of backticks": text.count("`") % 2 and "`" not in str(diagnostic.span),
                    "has double spaces": "  " in text.split("\n")[0],
                    "has two articles": bool(re.search(r"\b(a|an|the) (a|an|the) ", text)),
                    "has a wrong article": bool(re.search(r"\ba [aeio][a-z]{3}", text)),
                    "starts with a capital": text.split(" ")[0] in CAPITALS,
                    "is a long label": kind == "label" and len(text) > 72,
                    "is an exclamation": text.endswith("!"),
                }
                wrong += [
                    f"{path.name}: {diagnostic.code} {kind} {fault}: {text}" for fault, is_so in faults.items() if is_so
                ]
            for item in diagnostic.more():
                if isinstance(item, Help) and item.text.endswith(":") != bool(item.code):
                    wrong.append(f"{path.name}: {diagnostic.code} help without its code: {item.text} {item.code}")
    assert not wrong, "\n".join(sorted(set(wrong)))


@pytest.mark.parametrize(("code", "kind"), catalogue().items(), ids=list(catalogue()))
def test_pages(code: str, kind: type[Diagnostic]) -> None:
    """A page sums up in a sentence, says why, and shows what fails (or warns) beside what works."""
    page = explanation(kind)
    assert "\n\n" in page, "one sentence is no page"
    code_lines = [line for line in page.split("\n") if line.startswith("    ")]
    assert code_lines, "no example"
    if code not in FOREIGN:
        assert re.search(r"[Ff]ails|warns", page), "no example that fails"
        assert re.search(r"[Ww]orks|does not|do not", page), "no example that works"
    assert not any(len(line) > 120 for line in page.split("\n"))
