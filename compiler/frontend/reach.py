"""Which maps and globals a typed program uses, in the order of first use."""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.schema.record import fields
from pybpf.compiler.schema.specs import GlobalSpec, MapSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.schema.record import Record

__all__ = ["children", "reach"]

# Fields of nodes that hold no nodes.
_LEAVES = frozenset(("type", "span", "op", "field", "name", "helper", "flags", "step", "atomic", "equal", "format"))


def children(node: Record) -> list[Any]:
    """What a node of the tree holds, in the order of its fields: nodes, specs, functions."""
    found: list[Any] = []
    for name in fields(node):
        if name in _LEAVES:
            continue
        value = getattr(node, name)
        if isinstance(value, (list, tuple)):
            for item in value:
                if isinstance(item, tuple):  # (field, value) of New
                    found.append(item[1])
                else:
                    found.append(item)
        else:
            found.append(value)
    return found


def reach(programs: list[tree.Program]) -> tuple[list[MapSpec], list[GlobalSpec]]:
    """The maps and globals of all programs."""
    maps: dict[MapSpec, None] = {}
    globals: dict[GlobalSpec, None] = {}
    functions: set[tree.Function] = set()

    def visit(node: Any) -> None:
        if isinstance(node, tree.Node):
            for child in children(node):
                visit(child)
        elif isinstance(node, MapSpec):
            maps.setdefault(node)
        elif isinstance(node, GlobalSpec):
            globals.setdefault(node)
        elif isinstance(node, tree.Function) and node not in functions:
            functions.add(node)
            for statement in node.body:
                visit(statement)

    for program in programs:
        visit(program.function)
    return list(maps), list(globals)
