"""Questions about expressions: what is inside, does it change anything, does it refer to memory."""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import OptionalType, PtrType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["binds", "changes", "children", "has_effect", "refers"]

_CHANGES = frozenset((
    tree.Asm, tree.Atomic, tree.Discard, tree.DynptrSlice, tree.KfuncCall, tree.KptrStore, tree.MapDelete, tree.MapPop,
    tree.MapPush, tree.MapSet, tree.MapSetDefault, tree.MapTake, tree.MapUpdate, tree.NewDynptr, tree.NodeCall,
    tree.Printk, tree.RingEmit, tree.RingReserve, tree.SubprogCall, tree.TailCall, tree.TimerCall,
))  # fmt: skip
_EFFECTS = _CHANGES | {tree.MapIndex}
_QUIET = (tree.Assign, tree.ExprStmt, tree.If, tree.Return)


def children(node: tree.Expr) -> Iterator[tree.Expr]:
    """The expressions directly inside."""
    for name in type(node)._fields:
        held = getattr(node, name)
        if isinstance(held, tree.Expr):
            yield held
        elif isinstance(held, MapSpec) and held.at is not None:
            yield held.at
        elif type(held) is tuple:
            for item in held:
                if isinstance(item, tree.Expr):
                    yield item
                elif type(item) is tuple:  # a struct's (field, value)
                    yield item[1]


def binds(node: tree.Expr) -> bool:
    """Whether evaluating it assigns a variable."""
    return isinstance(node, tree.Let) or any(binds(child) for child in children(node))


def has_effect(node: tree.Expr) -> bool:
    """Whether evaluating it may change anything, or may end the program. A helper without arguments only asks."""
    return _has(_EFFECTS, node)


def changes(node: tree.Expr) -> bool:
    """Whether evaluating it may change anything."""
    return _has(_CHANGES, node)


def _has(kinds: frozenset[type], node: tree.Expr) -> bool:
    if type(node) in kinds:
        return True
    if isinstance(node, tree.HelperCall) and node.args:
        return True
    if isinstance(node, tree.FuncCall) and _body_has(kinds, node.function.body):
        return True
    return any(_has(kinds, child) for child in children(node))


def _body_has(kinds: frozenset[type], body: Sequence[tree.Stmt]) -> bool:
    for statement in body:
        if not isinstance(statement, _QUIET):
            return True
        for name in type(statement)._fields:
            held = getattr(statement, name)
            if isinstance(held, tree.Expr) and _has(kinds, held):
                return True
            if type(held) is list and _body_has(kinds, held):
                return True
    return False


def refers(node: tree.Expr) -> bool:
    """Whether evaluating it may read memory that a reference leads to, so that it must not be changed before."""
    if isinstance(node.type, PtrType) and node.type.pointee is not None and type(node) not in _MAKERS:
        return True
    if isinstance(node.type, OptionalType) and isinstance(node.type.inner, PtrType):
        return True
    if isinstance(node, tree.FuncCall) and _body_has(_EFFECTS, node.function.body):
        return True
    if isinstance(node, tree.SubprogCall):
        return True
    return any(refers(child) for child in children(node))


_MAKERS = (tree.New, tree.Copy, tree.Fill, tree.Zero, tree.TextConst)
