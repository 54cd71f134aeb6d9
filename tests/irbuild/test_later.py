"""What is imported when it is called: `later` and `module` can give functions only, and names that there are."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPILER = Path(__file__).parents[2] / "compiler"
FILES = sorted(
    path for path in COMPILER.rglob("*.py") if "import later" in path.read_text() or "import module" in path.read_text()
)


def lazily(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, name) of each function that a file imports when it is called."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "later":
            yield tuple(argument.value for argument in node.args)  # type: ignore[attr-defined]
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
            call = node.value
            if isinstance(call.func, ast.Name) and call.func.id == "module":
                modules[node.targets[0].id] = call.args[0].value  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_functions(path: Path) -> None:
    for module, name in lazily(ast.parse(path.read_text())):
        found = getattr(importlib.import_module(f"pybpf.compiler.{module}"), name)
        assert callable(found), f"{module}.{name} is no function"
        assert not isinstance(found, type), f"{module}.{name} is a class: isinstance() would fail"
