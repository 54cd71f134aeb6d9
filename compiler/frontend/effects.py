"""Whether evaluating an expression may change a place: `total += f()`, where f() itself changes `total`.

Python reads `total` before it calls f(), and adds to what it read. A program adds to the place in one step, after f()
has run. The two differ only where f() writes the place, which is refused.
"""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.frontend.reach import children
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import PtrType, is_aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["may_change"]

_MAP_WRITES = (tree.MapSet, tree.MapUpdate, tree.MapDelete, tree.MapPop, tree.MapSetDefault,
               tree.MapPush, tree.MapTake)  # fmt: skip


def may_change(value: tree.Expr, target: tree.Expr | MapSpec) -> bool:
    """Whether `value` may write the place `target`, or (for a map) an entry of it."""
    seen: set[tree.Function] = set()

    def visit(node: Any) -> bool:
        if isinstance(node, tree.Function):
            if node in seen:
                return False
            seen.add(node)
            return any(visit(statement) for statement in node.body)
        if isinstance(node, tree.Subprogram):
            return visit(node.function)
        if not isinstance(node, tree.Node):
            return False
        return _writes(node, target) or any(visit(child) for child in children(node))

    return visit(value)


def _writes(node: tree.Node, target: tree.Expr | MapSpec) -> bool:
    if isinstance(node, tree.Asm) and not any(word in node.text for word in ("*(", "call")):  # no access to memory
        return False
    if isinstance(node, tree.Asm):  # it may write wherever it was given an address
        return any(isinstance(arg, MapSpec) or isinstance(arg.type, PtrType) for arg in node.args)
    if isinstance(node, _MAP_WRITES):
        if isinstance(target, (MapSpec, tree.MapIndex)):
            return node.map is (target if isinstance(target, MapSpec) else target.map)
        return isinstance(target, (tree.Field, tree.Index))  # a reference may lead into that map
    if not isinstance(node, (tree.Store, tree.Update, tree.Atomic)):
        return False
    place = node.place
    if isinstance(target, tree.Global):
        return isinstance(place, tree.Global) and place.spec is target.spec
    if isinstance(target, (MapSpec, tree.MapIndex)):
        spec = target if isinstance(target, MapSpec) else target.map
        return isinstance(place, tree.MapIndex) and place.map is spec
    if isinstance(place, tree.Field) and isinstance(target, tree.Field):
        return place.field is target.field or is_aggregate(place.field.type)
    return isinstance(place, (tree.Field, tree.Index)) and isinstance(target, (tree.Field, tree.Index))
