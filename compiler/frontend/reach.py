"""Which maps, globals and subprograms a typed program uses, in the order of first use."""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.schema.record import Record, factory, fields
from pybpf.compiler.schema.specs import GlobalSpec, IterSpec, KfuncSpec, MapSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["Reach", "Reached", "children", "reads", "uses"]

# Fields of nodes that hold no nodes.
_LEAVES = frozenset((
    "type", "span", "op", "field", "name", "helper", "flags", "step", "atomic", "equal", "format", "bound", "carried",
    "most", "least", "size",
))  # fmt: skip


def children(node: Record) -> list[Any]:
    """What a node of the tree holds, in the order of its fields: nodes, specs, functions."""
    found: list[Any] = []
    kind = type(node)
    for name in _fields.get(kind) or _fields.setdefault(kind, [f for f in fields(kind) if f not in _LEAVES]):
        value = getattr(node, name)
        if type(value) is tuple or type(value) is list:
            for item in value:
                found.append(item[1] if type(item) is tuple else item)  # (field, value) of New
        elif value is not None:
            found.append(value)
            if type(value) is MapSpec and value.at is not None:
                found.append(value.at)
    return found


_fields: dict[type, list[str]] = {}


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


class Reach:
    """Collects what programs use, one after the other."""

    def __init__(self) -> None:
        self._maps: dict[MapSpec, None] = {}
        self._globals: dict[GlobalSpec, None] = {}
        self._kfuncs: dict[KfuncSpec, None] = {}
        self._subprograms: dict[tree.Subprogram, None] = {}
        self._functions: set[tree.Function] = set()
        self._own: dict[MapSpec, None] = {}

    def add(self, program: tree.Program) -> list[MapSpec]:
        """Look at a program; gives the maps that it names outside of subprograms seen before."""
        self._own = {}
        for declared in program.spec.maps:
            self._visit(declared.__bpf__)
        self._visit(program.function)
        return list(self._own)

    def reached(self) -> Reached:
        """What the programs use."""
        return Reached(list(self._maps), list(self._globals), list(self._subprograms), list(self._kfuncs))

    def _visit(self, node: Any) -> None:
        if isinstance(node, tree.Node):
            for child in children(node):
                self._visit(child)
        elif isinstance(node, MapSpec):
            if node.at is not None:  # it belongs to a map of maps, which is looked at where it is looked up
                return
            for index in sorted(node.inners):  # before the map itself: libbpf makes maps in this order
                self._visit(node.inners[index].__bpf__)
            self._maps.setdefault(node)
            self._own.setdefault(node)
            if node.lost is not None:
                self._globals.setdefault(node.lost)
        elif isinstance(node, GlobalSpec):
            self._globals.setdefault(node)
            if node.arena is not None:
                self._visit(node.arena)
        elif isinstance(node, KfuncSpec):
            self._kfuncs.setdefault(node)
            if isinstance(node.release, KfuncSpec) and "release" in node.flags:
                self._kfuncs.setdefault(node.release)
        elif isinstance(node, IterSpec):
            for function in (node.new, node.next, node.destroy):
                self._kfuncs.setdefault(function)
        elif isinstance(node, tree.Subprogram):
            self._subprograms.setdefault(node)
            self._visit(node.function)
        elif isinstance(node, tree.Callback):
            self._visit(node.function)
        elif isinstance(node, tree.Function) and node not in self._functions:
            self._functions.add(node)
            for statement in node.body:
                self._visit(statement)
