"""Assignments: to names, fields, elements, map entries and globals; augmented ones; `del`.

In: a syntax node. Out: Assign, Store, Update, or map operations as statements.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import access, kinds, maps, tree, tuples
from pybpf.compiler.frontend.convert import stored, stored_field, type_of
from pybpf.compiler.frontend.effects import may_change
from pybpf.compiler.frontend.innermaps import as_map, is_inner
from pybpf.compiler.frontend.known import ContextRef, Known, Refused, TupleValue, describe
from pybpf.compiler.frontend.measure import alignment, is_simple, lies_in, origins, parts
from pybpf.compiler.frontend.operators import SYMBOLS, arithmetic
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.specs import GlobalSpec, MapSpec
from pybpf.compiler.schema.types import (
    ArrayType,
    BytesType,
    PtrType,
    Space,
    StructType,
    TextType,
    is_aggregate,
    is_arena_pointer,
    opaque_in,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any, NoReturn

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast

__all__ = [
    "ARENA_ATOMICS", "annotated", "assign", "assign_to", "augmented", "check_aligned", "check_operator", "check_whole",
    "delete", "in_arena", "is_atomic", "place_type", "update",
]  # fmt: skip


def assign(checker: Checker, node: ast.Assign) -> list[tree.Stmt]:
    """`a = b = value`, with tuples taken apart where both sides are written out."""
    if len(node.targets) == 1 and isinstance(node.targets[0], (ast.Tuple, ast.List)):
        return _unpack(checker, node.targets[0], node.value, checker.span(node))
    made: list[tree.Stmt] = []
    value = checker.expr(node.value, _wanted(checker, node.targets[0]))
    if len(node.targets) > 1 and isinstance(value, tree.Expr) and not is_simple(value):
        var = checker.temporary(value.type, value)
        made.append(tree.Assign(value.span, var, value))
        value = checker.local(var, value.span)
    elif len(node.targets) > 1:
        value = tuples.kept(checker, value, made)
    for target in node.targets:
        made += assign_to(checker, target, value, checker.span(node))
    return made


def _wanted(checker: Checker, target: Any) -> Type | None:
    """The type that a target's place has, as far as it is known before the value: it shapes literals and new
    objects.
    """
    if isinstance(target, ast.Name) and target.id in checker.slots:
        slot = checker.slots[target.id]
        return slot.declared or slot.preset or (slot.var.type if slot.var is not None else None)
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
        kind = kinds.wanted_array(_wanted(checker, target.value))
        parts = (target.slice.lower, target.slice.upper, target.slice.step)
        if kind is not None and all(part is None or isinstance(part, ast.Constant) for part in parts):
            at: Any = slice(*[part.value if isinstance(part, ast.Constant) else None for part in parts])
            return ArrayType(kind.element, len(range(kind.length)[at]))
    return _type_at(checker, target)


def _type_at(checker: Checker, node: Any) -> Type | None:
    """The type of the place that `name`, `x.field`, `x[i]` names, as far as that can be told; nothing is evaluated."""
    if isinstance(node, ast.Name):
        slot = checker.slots.get(node.id)
        if slot is not None:
            return slot.var.type if slot.var is not None else None
        outer = checker.names.find(node.id)
        schema = checker.schema(outer) if outer is not None else None
        return schema.type if isinstance(schema, GlobalSpec) else None
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id not in checker.slots:
        outer = checker.names.find(node.value.id)
        schema = checker.schema(outer) if outer is not None else None
        if isinstance(schema, MapSpec):
            return schema.value
    if not isinstance(node, (ast.Attribute, ast.Subscript)):
        return None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in checker.slots:
        context = checker.slots[node.value.id].alias
        if isinstance(context, ContextRef):
            field = context.spec.field(node.attr)
            return field.type if field is not None else None
    kind = _type_at(checker, node.value)
    kind = getattr(kind, "inner", kind)
    kind = getattr(kind, "pointee", kind)
    if isinstance(node, ast.Subscript):
        return kind.element if isinstance(kind, ArrayType) and not isinstance(node.slice, ast.Slice) else None
    found = kind.field(node.attr) if hasattr(kind, "field") else None  # type: ignore[union-attr]
    return found.type if found is not None else None


def assign_to(checker: Checker, target: Any, value: Value, span: Span) -> list[tree.Stmt]:
    """Give one target a value that has been evaluated."""
    if isinstance(target, ast.Name):
        if target.id in checker.slots:
            return checker.assign(target.id, value, checker.span(target) if isinstance(value, Known) else span)
        return _assign_global(checker, target.id, value, checker.span(target), span)
    if isinstance(target, ast.Subscript):
        spec = _map_of(checker, target)
        if spec is not None:
            return maps.assign(checker, spec, target, value, span)
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
        from pybpf.compiler.frontend.slices import assign_slice

        return assign_slice(checker, target, value, span)
    if isinstance(target, (ast.Attribute, ast.Subscript)):
        return [store(checker, access.place(checker, target), value, span, checker.text(checker.span(target)))]
    if isinstance(target, ast.Starred):
        checker.fail(errors.NoStar(checker.span(target), checker.text(checker.span(target)), True))
    return unpack(checker, target, value, span)


def store(checker: Checker, place: tree.Expr, value: Value, span: Span, what: str) -> tree.Stmt:
    """`place = value`. A variable kept on the context is assigned instead of stored."""
    kind = place_type(place)
    if isinstance(place, tree.Local):
        given = stored(checker, value, place.type, f"`{what}`")
        if checker.state is not None:
            checker.state[place.var.name] = checker.fact(given)
        return tree.Assign(span, place.var, given)
    if opaque_in(kind):
        check_whole(checker, place, kind, what)
    if isinstance(place, tree.Field):
        made = stored_field(checker, value, place.field, f"`{what}`")
    else:
        made = stored(checker, value, kind, f"`{what}`")
    if is_aggregate(kind) and isinstance(place, (tree.Field, tree.Index)):
        _overwritten(checker, place, kind, what, span)
    return tree.Store(span, place, made)


def check_whole(checker: Checker, place: tree.Expr, kind: Type, what: str) -> None:
    """Refuse to store over what the kernel keeps in a map's value."""
    if opaque_in(kind) and isinstance(place.type, PtrType) and place.type.space != Space.STACK:
        checker.fail(errors.OpaqueAssigned(place.span, what, opaque_in(kind)[0]))


def _overwritten(checker: Checker, place: tree.Field | tree.Index, kind: Type, what: str, span: Span) -> None:
    """A variable that was given what stood at `place` refers to the place itself, where Python keeps the old object."""
    assert checker.state is not None
    inside, stored = origins(checker, place), parts(checker, place)
    for name, fact in list(checker.state.items()):
        slot = checker.slots.get(name)
        if slot is None or slot.var is None or fact.stale is not None:
            continue
        if fact.parts and any([lies_in(part, other) for part in fact.parts for other in stored]):
            checker.state[name] = replace(fact, stale=(f"`{what}` was assigned after it was read", span))
            continue
        if not inside & fact.origins:
            continue
        held = kinds.aggregate(slot.var.type)
        part = isinstance(held, (TextType, BytesType)) and isinstance(kind, (TextType, BytesType))  # perhaps a slice
        if held is not None and (kinds.same(held, kind) or part):
            checker.state[name] = replace(fact, stale=(f"`{what}` was assigned after it was read", span))


def place_type(place: tree.Expr) -> Type:
    """The type in memory of a place: its width and byte order are the field's, not the loaded value's."""
    if isinstance(place, tree.Field):
        return place.field.type
    if isinstance(place, tree.Global):
        return place.spec.type
    if isinstance(place, tree.MapIndex):
        assert place.map.value is not None
        return place.map.value
    if isinstance(place, tree.CtxLoad):
        return place.field.type
    kind = place.type
    return kind.pointee if isinstance(kind, PtrType) and kind.pointee is not None else kind


def _assign_global(checker: Checker, name: str, value: Value, where: Span, span: Span) -> list[tree.Stmt]:
    return [store(checker, _global(checker, name, where), value, span, name)]


def _global(checker: Checker, name: str, where: Span) -> tree.Expr:
    """A module variable that is assigned under `global`."""
    found = checker.names.find(name)
    if found is None:  # the `global` statement has said so
        raise Refused
    schema = checker.schema(replace(found, span=where))
    if not isinstance(schema, GlobalSpec):
        checker.fail(errors.GlobalNotVar(where, name, describe(found.value), isinstance(schema, MapSpec)))
    checker.check_release("a global variable", access.GLOBALS_SINCE, where)
    place = tree.Global(access.reference(schema.type, Space.GLOBAL), where, schema)
    access.check_writable(checker, place, where)
    return place


def _map_of(checker: Checker, node: Any) -> MapSpec | None:
    """The map that a subscript's value names, if it is one."""
    if not isinstance(node.value, (ast.Name, ast.Attribute)):
        return None
    if isinstance(node.value, ast.Attribute):
        root = node.value
        while isinstance(root, ast.Attribute):
            root = root.value  # type: ignore[assignment]
        if not isinstance(root, ast.Name) or (root.id in checker.slots and checker.slots[root.id].alias is None):
            return None
    elif node.value.id in checker.slots and checker.slots[node.value.id].alias is None:
        slot = checker.slots[node.value.id]
        if not slot.broken and (slot.var is None or not is_inner(slot.var.type)):
            return None
    value = as_map(checker, checker.expr(node.value))
    schema = checker.schema(value) if isinstance(value, Known) else None
    return schema if isinstance(schema, MapSpec) else None


def _unpack(checker: Checker, target: Any, source: Any, span: Span) -> list[tree.Stmt]:
    """`a, b = x, y`: all values first, then the targets from left to right."""
    starred = any(isinstance(t, ast.Starred) for t in target.elts)
    if isinstance(source, (ast.Tuple, ast.List)):
        plain = not starred and not any(isinstance(s, ast.Starred) for s in source.elts)
        if plain and len(source.elts) == len(target.elts):
            values = [checker.expr(s, _wanted(checker, t)) for s, t in zip(source.elts, target.elts)]
        else:
            values = tuples.elements(checker, source.elts)
        return _give(checker, target, values, checker.span(source), span)
    return unpack(checker, target, checker.expr(source), span)


def unpack(checker: Checker, target: Any, value: Value, span: Span) -> list[tree.Stmt]:
    """Take a tuple apart: `a, (b, c) = value`, `first, *rest = value`."""
    values = tuples.items_of(checker, value)
    if values is None:
        _not_unpackable(checker, value, target)
    return _give(checker, target, values, value.span, span)


def _give(checker: Checker, target: Any, values: list[Value], source: Span, span: Span) -> list[tree.Stmt]:
    """Give each target its value, after all of them were evaluated."""
    stars = [i for i, t in enumerate(target.elts) if isinstance(t, ast.Starred)]
    if len(values) < len(target.elts) - 1 if stars else len(values) != len(target.elts):
        checker.fail(errors.UnpackCount(checker.span(target), len(target.elts), len(values), source))
    made: list[tree.Stmt] = []
    targets = list(target.elts)
    apart = [_apart(checker, item, targets, i) for i, item in enumerate(values)]
    held = [tuples.kept(checker, item, made) for item in apart]
    if stars:
        first, count = stars[0], len(values) - len(targets) + 1
        held[first : first + count] = [tuples.made(held[first : first + count], source)]
        targets[first] = targets[first].value
    gone: dict[str, str] = {}
    pairs = list(zip(targets, held))
    for i, (t, item) in enumerate(pairs):
        made += assign_to(checker, t, item, span)
        if made and isinstance(made[-1], tree.Store):
            gone |= dict.fromkeys(_gone(checker, made[-1].place, pairs[i + 1 :]), checker.text(checker.span(t)))
    for name, what in gone.items():
        if checker.state is not None and name in checker.state:
            why = f"`{what}` was assigned before `{name}` was, which refers to it"
            checker.state[name] = replace(checker.state[name], stale=(why, span))
    return made


def _apart(checker: Checker, item: Value, targets: list[Any], at: int) -> Value:
    """What `targets[at]` is given: a copy, where it lies in memory that an earlier target may overwrite."""
    if at >= len(targets) or isinstance(targets[at], (ast.Name, ast.Starred)):
        return item  # a name refers to it
    if isinstance(item, TupleValue):
        return replace(item, items=tuple([_apart(checker, part, targets, at) for part in item.items]))
    if not isinstance(item, tree.Expr) or not isinstance(item.type, PtrType) or isinstance(item, (tree.New, tree.Copy)):
        return item
    kind = kinds.aggregate(item.type)
    if kind is None or kinds.is_dynptr(item.type) or opaque_in(kind):
        return item
    for target in targets[:at]:
        if isinstance(target, (ast.Attribute, ast.Subscript)):
            stored = _type_at(checker, target)
            if stored is None or is_aggregate(stored):
                made = tree.Copy(PtrType(kind, Space.STACK), item.span, item)
                checker.made(made)
                return made
    return item


def _gone(checker: Checker, place: tree.Expr, later: list[tuple[Any, Value]]) -> list[str]:
    """The names that are given, after a store, what it overwrote: they would refer to what is in its place now."""
    kind = place_type(place)
    found = []
    for target, item in later:
        if isinstance(target, ast.Name) and isinstance(item, tree.Expr) and is_aggregate(kind):
            held = kinds.aggregate(item.type)
            if held is not None and kinds.same(held, kind) and _meet(checker, place, item):
                found.append(target.id)
    return found


def _meet(checker: Checker, place: tree.Expr, item: tree.Expr) -> bool:
    """Whether what is read may be what is stored to."""
    if origins(checker, place) & origins(checker, item):
        return True
    stored = parts(checker, place)
    return any([lies_in(part, other) for part in parts(checker, item) for other in stored])


def _not_unpackable(checker: Checker, value: Value, target: Any) -> NoReturn:
    """Refuse to take a value apart; of a struct, say which fields there are."""
    kind = type_of(value)
    struct = kinds.aggregate(kind)
    names: list[str] = []
    if isinstance(struct, StructType) and len(struct.fields) >= len(target.elts):
        names = [f"{checker.text(value.span)}.{f.name}" for f in struct.fields[: len(target.elts)]]
    targets = ", ".join([checker.text(checker.span(t)) for t in target.elts])
    checker.fail(errors.NoUnpacking(value.span, kinds.spell(kind), targets, tuple(names)))


def annotated(checker: Checker, node: ast.AnnAssign) -> list[tree.Stmt]:
    """`x: u32 = 0`; the annotation was read before the body (function.py)."""
    if not isinstance(node.target, ast.Name):
        checker.fail(errors.AnnotatedPlace(checker.span(node.target), checker.text(checker.span(node.target))))
    slot = checker.slots[node.target.id]  # Python itself refuses an annotation of a global
    if slot.broken:
        raise Refused
    parameter = next((p for p in checker.parameters if p.name == node.target.id), None)
    if parameter is not None and parameter.type is not None:
        again = checker.annotation(node.annotation)
        if not kinds.same(again, parameter.type):
            given, wanted = kinds.spell(parameter.type), kinds.spell(again)
            checker.fail(
                errors.AnnotatedTwice(checker.span(node.annotation), parameter.name, given, wanted, parameter.span)
            )
    first = checker.locals.annotations.get(node.target.id)
    if first is not None and first is not node.annotation:
        again = checker.annotation(node.annotation)
        if slot.declared is not None and not kinds.same(again, slot.declared):
            checker.fail(
                errors.AnnotatedTwice(
                    checker.span(node.annotation),
                    node.target.id,
                    str(slot.declared),
                    kinds.spell(again),
                    checker.span(first),
                )
            )
    if slot.declared is not None and slot.span is None:
        slot.span = checker.span(node.target)
    if node.value is None:
        return []
    value = checker.expr(node.value, slot.declared)
    return checker.assign(node.target.id, value, checker.span(node))


# --- augmented assignment


def augmented(checker: Checker, node: ast.AugAssign) -> list[tree.Stmt]:
    """`target op= value`: an update in place for memory, an assignment for a variable."""
    span = checker.span(node)
    op = SYMBOLS[type(node.op)]
    target = node.target
    if isinstance(target, ast.Name) and target.id in checker.slots:
        old = checker.read(target.id, checker.span(target))
        if isinstance(old, tree.Expr) and isinstance(kinds.aggregate(old.type), (StructType, ArrayType)):
            update(checker, old, op, checker.expr(node.value), span)  # says what is wrong
        value = arithmetic(checker, op, old, checker.expr(node.value), span)
        return checker.assign(target.id, value, span)
    if isinstance(target, ast.Name):
        place = _global(checker, target.id, checker.span(target))
        return [update(checker, place, op, checker.expr(node.value), span)]
    if isinstance(target, ast.Subscript):
        spec = _map_of(checker, target)
        if spec is not None:
            return maps.augment(checker, spec, target, op, checker.expr(node.value), span)
    place = access.place(checker, target)
    return [update(checker, place, op, checker.expr(node.value), span)]


def update(checker: Checker, place: tree.Expr, op: str, value: Value, span: Span) -> tree.Stmt:
    """`place op= value` for memory: atomic where other CPUs may do the same and the machine can."""
    kind = place_type(place)
    if isinstance(place, tree.KernelPlace):
        return store(checker, place, arithmetic(checker, op, place, value, span), span, checker.text(place.span))
    if isinstance(place, tree.Local):  # a variable kept on the context
        moved = arithmetic(checker, op, place, value, span)
        return tree.Assign(span, place.var, stored(checker, moved, place.type, "the address"))
    if is_aggregate(kind) or not kinds.is_int(kind):
        from pybpf.compiler.frontend.advise import numbers_in

        by, numbers = checker.text(value.span), numbers_in(kind, checker.text(place.span))
        lines = tuple([f"{number} {op}= {by}" for number in numbers])
        checker.fail(errors.UpdateOfObject(span, op, kinds.spell(kind), lines))
    # checks the operands and gives the operand its type; the node itself is made anew
    made = arithmetic(checker, op, place, value, span)
    assert isinstance(made, tree.Binary)
    if may_change(made.rhs, place):
        checker.fail(errors.ChangedMeanwhile(made.rhs.span, checker.text(place.span), op, checker.text(made.rhs.span)))
    atomic = is_shared(place) and is_atomic(kind, op)
    if atomic:
        check_aligned(checker, place, kind)
        check_operator(checker, op, span)
        if in_arena(place):
            checker.check_release(f"`{op}=` in an arena", ARENA_ATOMICS, span)
    return tree.Update(span, place, op, made.rhs, atomic)


def check_aligned(checker: Checker, place: tree.Expr, kind: Type) -> None:
    """The machine's atomic instructions take aligned addresses only; fields of packed structs may lie elsewhere."""
    if alignment(checker, place) < size_of(kind):
        offset, base = 0, place
        while isinstance(base, tree.Field):
            offset, base = offset + base.field.offset, base.base
        text, struct = checker.text(place.span), kinds.spell(base.type)
        checker.fail(errors.Misaligned(place.span, text, struct, str(kind), size_of(kind), offset))


def check_operator(checker: Checker, op: str, span: Span) -> None:
    """Instruction sets before v3 have an atomic instruction for additions only."""
    if op not in ("+", "-"):
        from pybpf.compiler.frontend.atomics import check_level

        check_level(checker, f"`{op}=` on memory that other CPUs see", span)


def is_atomic(kind: Type, op: str) -> bool:
    """Whether BPF has an atomic instruction for it (32 and 64 bits, host order: RFC 9669 section 5.3)."""
    base = kinds.int_base(kind)
    return base is not None and not base.big and size_of(kind) in (4, 8) and op in ("+", "-", "&", "|", "^")


def is_shared(place: tree.Expr) -> bool:
    """Whether other CPUs see the memory."""
    while isinstance(place, (tree.Field, tree.Index)):
        if isinstance(place, tree.Field) and place.field.bits:
            return False
        place = place.base
    if isinstance(place, tree.Global):
        return True
    if isinstance(place, tree.MapIndex):
        return not place.map.kind.percpu
    return isinstance(place.type, PtrType) and place.type.space in (Space.MAP, Space.GLOBAL, Space.ARENA)


ARENA_ATOMICS = "6.10"  # PROBE_ATOMIC in the JIT compilers of x86-64 and arm64


def in_arena(place: tree.Expr) -> bool:
    """Whether a place lies in an arena."""
    root = place
    while isinstance(root, (tree.Field, tree.Index)):
        root = root.base
    if isinstance(root, tree.Global):
        return root.spec.arena is not None
    return is_arena_pointer(root.type)


def delete(checker: Checker, node: ast.Delete) -> list[tree.Stmt]:
    """`del m[k]`."""
    made: list[tree.Stmt] = []
    for target in node.targets:
        if isinstance(target, ast.Name):
            checker.fail(errors.DelName(checker.span(target), target.id))
        spec = _map_of(checker, target) if isinstance(target, ast.Subscript) else None
        if spec is None or not isinstance(target, ast.Subscript):
            checker.fail(errors.DelPlace(checker.span(target), checker.text(checker.span(target))))
        made.append(maps.delete(checker, spec, target, checker.span(node)))
    return made
