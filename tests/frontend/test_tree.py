"""Python in, the typed tree as text out. The cases' names are those of `checking.PRELUDE`."""

from __future__ import annotations

from pybpf.compiler.frontend.printer import print_tree
from tests.frontend.checking import typed
from tests.golden import golden


def tree(text: str) -> str:
    return print_tree(typed(text))


test_tree = golden("frontend/*.test", tree)
