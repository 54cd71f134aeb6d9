"""Arenas: `arena.alloc(T)`, `arena.free(object)`, `arena.address(object)`, `arena.at(T, address)`; and which arena a
program belongs to.

A pointer (`Ptr[T]`) holds the address of an object in the program's arena, of which there is one at most: the verifier
casts addresses by it (BPF_ADDR_SPACE_CAST, kernel/bpf/verifier.c).
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import convert, materialize, maybe_none
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.frontend.reach import children
from pybpf.compiler.frontend.wording import header
from pybpf.compiler.schema.specs import GlobalSpec, MapSpec
from pybpf.compiler.schema.types import (
    NONE,
    U64,
    OptionalType,
    PtrType,
    Space,
    Type,
    is_aggregate,
    is_arena_pointer,
    opaque_in,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span

__all__ = ["address", "alloc", "at", "belong", "free"]

PAGE = 4096


def alloc(checker: Checker, spec: MapSpec, arguments: dict[str, Any], span: Span) -> tree.Expr:
    """`arena.alloc(Node)`: as many pages as the object takes."""
    from pybpf.compiler.frontend.kfuncs import check_kfunc

    kind = _kind(checker, spec, arguments["kind"], "alloc")
    check_kfunc(checker, spec.helpers["alloc"], span)
    pages = _pages(kind)
    if pages > spec.max_entries:
        text = checker.text(checker.span(arguments["kind"]))
        checker.fail(errors.ArenaTooSmall(span, spec.name, text, pages, spec.max_entries))
    return tree.ArenaAlloc(OptionalType(PtrType(kind, Space.ARENA)), span, spec, spec.helpers["alloc"], pages)


def free(checker: Checker, spec: MapSpec, arguments: dict[str, Any], span: Span) -> tree.Expr:
    """`arena.free(node)`: the pages that the object lies in."""
    from pybpf.compiler.frontend.kfuncs import check_kfunc

    value = _object(checker, spec, arguments["object"], "free", False)
    check_kfunc(checker, spec.helpers["free"], span)
    kind = kinds.aggregate(value.type)
    assert kind is not None
    return tree.ArenaFree(NONE, span, spec, spec.helpers["free"], value, _pages(kind))


def address(checker: Checker, spec: MapSpec, arguments: dict[str, Any], span: Span) -> tree.Expr:
    """`arena.address(node)`: a number, 0 for None."""
    return tree.ArenaAddress(U64, span, spec, _object(checker, spec, arguments["object"], "address", True))


def at(checker: Checker, spec: MapSpec, arguments: dict[str, Any], span: Span) -> tree.Expr:
    """`arena.at(Node, address)`."""
    kind = _kind(checker, spec, arguments["kind"], "at")
    value = convert(checker, checker.expr(arguments["address"]), U64, f"`address` of {spec.name}.at()")
    return tree.ArenaAddress(OptionalType(PtrType(kind, Space.ARENA)), span, spec, value)


def _pages(kind: Type) -> int:
    return (size_of(kind) + PAGE - 1) // PAGE


def _kind(checker: Checker, spec: MapSpec, node: Any, method: str) -> Type:
    """The type that an argument names: of an object."""
    given = checker.expr(node)
    schema = checker.schema(given) if isinstance(given, Known) and isinstance(given.value, type) else None
    if not isinstance(schema, Type) or not is_aggregate(schema):
        takes = "takes a Struct, or an Array, for its type"
        example = f"{spec.name}.{method}({'Node' if method == 'alloc' else 'Node, address'})"
        checker.fail(errors.CallArguments(given.span, f"`{spec.name}.{method}()`", takes, example))
    kept = opaque_in(schema)
    if kept:
        takes = f"takes a type without a {kept[0]}, which the kernel keeps in values of maps only"
        checker.fail(errors.CallArguments(given.span, f"`{spec.name}.{method}()`", takes, f"{spec.name}.alloc(Node)"))
    return schema


def _object(checker: Checker, spec: MapSpec, node: Any, method: str, optional: bool) -> tree.Expr:
    """The reference into the arena that an argument is."""
    value = checker.expr(node)
    if optional and isinstance(value, Known) and value.value is None:
        return tree.Const(U64, value.span, 0)
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType) and not (optional and is_arena_pointer(expr.type)):
        maybe_none(checker, expr)
    if not is_arena_pointer(expr.type):
        what = f"`{spec.name}.{method}()`"
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), "an object in the arena", what))
    return expr


# --- which arena


def belong(programs: list[tree.Program], maps: list[MapSpec], whole: bool) -> list[Diagnostic]:
    """Say of each program that follows pointers which arena they are of; what is wrong with those where it can't.

    `whole`: these are all maps of the object.
    """
    arenas = [spec for spec in maps if spec.kind.family == "arena"]
    wrong: list[Diagnostic] = []
    for program in programs:
        named, followed = _used(program)
        names = tuple([spec.name for spec in named])
        if len(named) > 1:
            wrong.append(errors.TwoArenas(header(program.function.span), program.spec.name, names))
        elif named:
            program.arena = named[0]
        elif followed is not None and len(arenas) == 1:
            program.arena = arenas[0]
        elif followed is not None and whole:
            names = tuple([spec.name for spec in arenas])
            wrong.append(errors.WhichArena(followed, program.spec.name, names))
    return wrong


def _used(program: tree.Program) -> tuple[list[MapSpec], Span | None]:
    """The arenas that a program names, and a place where it follows a pointer."""
    named: dict[MapSpec, None] = {}
    followed: Span | None = None
    seen: set[Any] = set()

    def visit(node: Any) -> None:
        nonlocal followed
        if isinstance(node, MapSpec):
            if node.kind.family == "arena":
                named.setdefault(node)
        elif isinstance(node, GlobalSpec):
            if node.arena is not None:
                named.setdefault(node.arena)
        elif isinstance(node, tree.Node):
            kind = getattr(node, "type", None)
            if followed is None and isinstance(kind, PtrType) and kind.space == Space.ARENA:
                followed = getattr(node, "span", None)
            for child in children(node):
                visit(child)
        elif isinstance(node, tree.Function):
            if node not in seen:
                seen.add(node)
                for statement in node.body:
                    visit(statement)
        elif isinstance(node, (tree.Subprogram, tree.Callback)):
            visit(node.function)

    for declared in program.spec.maps:
        visit(declared.__bpf__)
    visit(program.function)
    return list(named), followed
