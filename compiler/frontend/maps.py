"""Maps by subscript: `m[k]`, `m[k] = v`, `m[k] += n`, `del m[k]`, `k in m`. In: a MapSpec and syntax nodes. Out: map
nodes.

A hash map's entry may be missing, so it is read with `.get()`. An array's slots all exist: it is read and written in
place, with an index that is shown to be in bounds.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import access, kinds, tree
from pybpf.compiler.frontend.convert import materialize, number, stored
from pybpf.compiler.frontend.effects import may_change
from pybpf.compiler.frontend.known import ContextRef
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.frontend.operators import arithmetic, to_type
from pybpf.compiler.schema.types import BOOL, NONE, U32, MapType, OptionalType, PtrType, Space, is_aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Known, Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type

__all__ = [
    "EXIST", "LOCKED", "NOEXIST", "assign", "augment", "check_access", "check_operator_of", "contains", "delete",
    "entry_type", "has_effect", "key", "key_value", "lookup", "map_value", "read", "slot",
]  # fmt: skip


# Families of maps (MapKind.family) that an operator is for, those first where it has a diagnostic of its own.
_OPERATORS = {
    "[...]": ("hash", "array", "trie", "storage"),
    "in": ("hash", "array", "trie", "bloom", "maps", "storage"),
    "[...] =": ("hash", "array", "trie", "storage"),
    "[...] op=": ("hash", "array", "storage"),
    "del": ("hash", "array", "trie", "storage"),
}  # fmt: skip
_RDONLY_PROG, _WRONLY_PROG = 1 << 7, 1 << 8  # BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG: include/uapi/linux/bpf.h
NOEXIST, EXIST, LOCKED = 1, 2, 4  # BPF_NOEXIST, BPF_EXIST, BPF_F_LOCK: the same file


def entry_type(spec: MapSpec) -> Type:
    """The type of an expression for an entry's value: the number, or a reference into the map."""
    assert spec.value is not None
    if spec.inner is not None:
        return PtrType(MapType(spec.inner), Space.INNER)
    space = Space.PERCPU if spec.kind.percpu else Space.MAP
    return access.reference(spec.value, Space.CONST if spec.flags & _RDONLY_PROG else space)


def check_access(checker: Checker, spec: MapSpec, span: Span, writes: bool) -> None:
    """Refuse to change a map that is read-only for programs, and to read one that is write-only."""
    if spec.flags & (_RDONLY_PROG if writes else _WRONLY_PROG):
        checker.fail(errors.MapAccess(span, spec.name, "rdonly_prog" if writes else "wronly_prog"))


def key(checker: Checker, spec: MapSpec, node: Any) -> tree.Expr:
    """The key of an operation, as the map's key type."""
    assert spec.key is not None
    return key_value(checker, spec, checker.expr(node, None if spec.kind.family == "storage" else spec.key))


def key_value(checker: Checker, spec: MapSpec, value: Value) -> tree.Expr:
    assert spec.key is not None
    if spec.kind.family == "storage":
        return _owner(checker, spec, value, "get")
    made = stored(checker, value, spec.key, f"the key of `{spec.name}`")
    if not is_aggregate(spec.key) and not kinds.is_signed(spec.key):
        given = made.value if isinstance(made, tree.Convert) else made
        _lo, hi = range_of(checker, given)
        if hi < 0:
            checker.fail(errors.NegativeKey(value.span, spec.name, str(spec.key), str(spec.key).replace("u", "i")))
    return made


def _owner(checker: Checker, spec: MapSpec, value: Value, operation: str) -> tree.Expr:
    """The object of the kernel that a value of a local storage belongs to."""
    from pybpf.compiler.frontend.helpers import check_allowed, kernel_object

    helper = spec.helpers[operation]
    check_allowed(checker, helper, value.span)
    if isinstance(value, ContextRef) and checker.session.program.prog_type == "CGROUP_SOCK":
        return materialize(checker, value)  # which is the socket itself
    argument = helper.args[1]
    what = f"the {argument.name} of `{spec.name}`"
    return kernel_object(checker, helper, argument, value, what, tested=True)  # irbuild/maps.py tests it


def map_value(checker: Checker, spec: MapSpec, value: Value) -> tree.Expr:
    """The value that an operation puts into the map."""
    assert spec.value is not None
    return stored(checker, value, spec.value, f"the value of `{spec.name}`")


def check_operator_of(checker: Checker, spec: MapSpec, span: Span, what: str) -> None:
    """Refuse an operator that this kind of map does not have."""
    op = "[...] op=" if what.startswith("[...] ") and what != "[...] =" else what
    family = spec.kind.family
    if family == "ring":
        assert spec.value is not None
        value = f"{spec.value}(...)" if is_aggregate(spec.value) else "value"
        checker.fail(errors.NoEntries(span, spec.name, spec.kind.name, what, value))
    if family not in _OPERATORS[op]:
        from pybpf.compiler.frontend.methods import METHODS

        names = tuple([method.name for method in METHODS if family in method.on])
        checker.fail(errors.NotOnMap(span, what, spec.name, spec.kind.name, names))
    check_access(checker, spec, span, what not in ("[...]", "in"))
    if op == "[...] op=":
        check_access(checker, spec, span, False)


def slot(checker: Checker, spec: MapSpec, node: Any, span: Span) -> tree.MapIndex:
    """The slot of an array that an index shown to be in bounds names."""
    value = checker.expr(node)
    at = number(checker, value)
    if isinstance(at, int):
        if not 0 <= at < spec.max_entries:
            checker.fail(errors.SlotConstant(value.span, at, spec.name, spec.max_entries))
    else:
        lo, hi = range_of(checker, at)
        if lo < 0 or hi >= spec.max_entries:
            text = checker.text(value.span)
            checker.fail(errors.SlotUnproven(value.span, text, spec.name, spec.max_entries, lo, hi))
    return tree.MapIndex(entry_type(spec), span, spec, to_type(checker, at, U32, value.span))


def contains(checker: Checker, spec: MapSpec, item: Value, span: Span) -> tree.Expr:
    """`k in m`, of a bloom filter `value in m`."""
    check_operator_of(checker, spec, span, "in")
    if not spec.kind.keyed:
        return tree.MapContains(BOOL, span, spec, map_value(checker, spec, item))
    return tree.MapContains(BOOL, span, spec, key_value(checker, spec, item))


def read(checker: Checker, base: Known, node: ast.Subscript, span: Span) -> tree.Expr:
    """`m[k]` as a value."""
    spec: MapSpec = checker.schema(base)
    check_operator_of(checker, spec, span, "[...]")
    if not spec.kind.indexed:
        key(checker, spec, node.slice)
        assert spec.value is not None
        text = checker.text(checker.span(node.slice))
        checker.fail(errors.HashSubscript(span, spec.name, text, not is_aggregate(spec.value)))
    return slot(checker, spec, node.slice, span)


def assign(checker: Checker, spec: MapSpec, node: ast.Subscript, value: Value, span: Span) -> list[tree.Stmt]:
    """`m[k] = v`. Python evaluates the value before the key."""
    check_operator_of(checker, spec, span, "[...] =")
    made = map_value(checker, spec, value)
    first: list[tree.Stmt] = []
    place = slot(checker, spec, node.slice, checker.span(node)) if spec.kind.indexed else None
    at = place.key if place is not None else key(checker, spec, node.slice)
    if has_effect(made) and has_effect(at):
        var = checker.temporary(made.type, made)
        first.append(tree.Assign(made.span, var, made))
        made = checker.local(var, made.span)
    if place is not None:
        from pybpf.compiler.frontend.assignment import check_whole

        assert spec.value is not None
        check_whole(checker, place, spec.value, checker.text(checker.span(node)))
        return [*first, tree.Store(span, place, made)]
    return [*first, tree.ExprStmt(span, tree.MapSet(NONE, span, spec, at, made))]


def has_effect(expr: tree.Expr) -> bool:
    """Whether it calls something, so that the order in which it is evaluated can be seen."""
    if isinstance(expr, (tree.Const, tree.Local, tree.Global, tree.CtxLoad, tree.TextConst)):
        return False
    if isinstance(expr, (tree.Convert, tree.Field, tree.Unwrap, tree.Wrap, tree.Cast, tree.Unary)):
        return has_effect(expr.base if isinstance(expr, tree.Field) else expr.value)
    if isinstance(expr, tree.Binary):
        return has_effect(expr.lhs) or has_effect(expr.rhs)
    if isinstance(expr, tree.New):
        return any(has_effect(value) for _, value in expr.values)
    return True


def augment(checker: Checker, spec: MapSpec, node: ast.Subscript, op: str, value: Value, span: Span) -> list[tree.Stmt]:
    """`m[k] op= n`: the entry starts as zero if there is none."""
    from pybpf.compiler.frontend.assignment import check_operator, is_atomic, update

    check_operator_of(checker, spec, span, f"[...] {op}=")
    assert spec.value is not None
    if spec.kind.indexed:
        return [update(checker, slot(checker, spec, node.slice, checker.span(node)), op, value, span)]
    if is_aggregate(spec.value):
        from pybpf.compiler.frontend.advise import numbers_in

        lookup = f"entry = {checker.text(checker.span(node.value))}.get({checker.text(checker.span(node.slice))})"
        lines = [f"    {number} {op}= {checker.text(value.span)}" for number in numbers_in(spec.value, "entry")]
        shown = (lookup, "if entry is not None:", *lines) if lines else ()
        checker.fail(errors.UpdateOfObject(span, op, str(spec.value), shown))
    at = key(checker, spec, node.slice)
    # a stand-in for the old value checks the operands; the entry may be missing, in which case it counts as 0
    old = tree.Local(access.reference(spec.value, Space.MAP), span, tree.Var(spec.name, spec.value))
    made = arithmetic(checker, op, old, value, span)
    assert isinstance(made, tree.Binary)
    amount = (
        stored(checker, made.rhs, spec.value, f"the value of `{spec.name}`")
        if op not in ("//", "%", "<<", ">>")
        else made.rhs
    )
    if may_change(amount, spec):
        entry = checker.text(checker.span(node))
        checker.fail(errors.ChangedMeanwhile(amount.span, entry, op, checker.text(amount.span)))
    if not spec.kind.percpu and is_atomic(spec.value, op):
        check_operator(checker, op, span)
    return [tree.ExprStmt(span, tree.MapUpdate(NONE, span, spec, at, op, amount))]


def delete(checker: Checker, spec: MapSpec, node: ast.Subscript, span: Span) -> tree.Stmt:
    """`del m[k]`."""
    check_operator_of(checker, spec, span, "del")
    if spec.kind.indexed:
        assert spec.value is not None
        zero = f"{spec.value}(...)" if is_aggregate(spec.value) else "0"
        checker.fail(errors.ArrayDelete(span, spec.name, checker.text(checker.span(node.slice)), zero))
    if spec.kind.family == "storage":
        at = _owner(checker, spec, checker.expr(node.slice), "delete")
        return tree.ExprStmt(span, tree.MapDelete(NONE, span, spec, at))
    return tree.ExprStmt(span, tree.MapDelete(NONE, span, spec, key(checker, spec, node.slice)))


def lookup(checker: Checker, spec: MapSpec, at: tree.Expr, span: Span) -> tree.Expr:
    """`m.get(k)`."""
    check_access(checker, spec, span, False)
    return tree.MapGet(OptionalType(entry_type(spec)), span, spec, at)
