"""Which maps, globals and subprograms a typed program uses, in the order of first use."""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.schema.record import Record, factory, fields
from pybpf.compiler.schema.specs import GlobalSpec, KfuncSpec, MapSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["Reached", "children", "reach", "reads", "uses"]

# Fields of nodes that hold no nodes.
_LEAVES = frozenset(("type", "span", "op", "field", "name", "helper", "flags", "step", "atomic", "equal", "format", "bound", "carried", "most"))


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


class Reached(Record):
    """What programs use. A subprogram stands before those that it calls."""

    maps: list[MapSpec] = factory(list)
    globals: list[GlobalSpec] = factory(list)
    subprograms: list[tree.Subprogram] = factory(list)
    kfuncs: list[KfuncSpec] = factory(list)


def uses(function: tree.Function, variables: Iterable[tree.Var]) -> tuple[tree.Var, ...]:
    """Those of `variables` that a function reads or assigns, itself or by way of what it calls."""
    return _mentioned(function, variables, tree.Node)


def reads(function: tree.Function, variables: Iterable[tree.Var]) -> tuple[tree.Var, ...]:
    """Those of `variables` that a function reads, itself or by way of what it calls."""
    return _mentioned(function, variables, tree.Local)


def _mentioned(
    function: tree.Function, variables: Iterable[tree.Var], where: type[tree.Node]
) -> tuple[tree.Var, ...]:
    wanted = dict.fromkeys(variables)
    found: set[Any] = set()
    seen: set[tree.Function] = set()

    def visit(node: Any) -> None:
        if isinstance(node, tree.Node):
            if isinstance(node, where):
                found.add(getattr(node, "var", None))
            for child in children(node):
                visit(child)
        elif isinstance(node, tree.Subprogram):
            found.update(node.state)
        elif isinstance(node, tree.Function) and node not in seen:
            seen.add(node)
            for statement in node.body:
                visit(statement)

    if wanted:
        visit(function)
    return tuple([var for var in wanted if var in found])


def reach(programs: list[tree.Program]) -> Reached:
    """What all programs use."""
    maps: dict[MapSpec, None] = {}
    globals: dict[GlobalSpec, None] = {}
    kfuncs: dict[KfuncSpec, None] = {}
    subprograms: dict[tree.Subprogram, None] = {}
    functions: set[tree.Function] = set()

    def visit(node: Any) -> None:
        if isinstance(node, tree.Node):
            for child in children(node):
                visit(child)
        elif isinstance(node, MapSpec):
            maps.setdefault(node)
        elif isinstance(node, GlobalSpec):
            globals.setdefault(node)
        elif isinstance(node, KfuncSpec):
            kfuncs.setdefault(node)
        elif isinstance(node, tree.Subprogram):
            subprograms.setdefault(node)
            visit(node.function)
        elif isinstance(node, tree.Callback):
            visit(node.function)
        elif isinstance(node, tree.Function) and node not in functions:
            functions.add(node)
            for statement in node.body:
                visit(statement)

    for program in programs:
        visit(program.function)
    return Reached(list(maps), list(globals), list(subprograms), list(kfuncs))
