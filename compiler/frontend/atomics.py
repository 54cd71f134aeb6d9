"""`fetch_add(place, n)`, `exchange(place, n)`, `compare_exchange(place, old, n)`. In: the call. Out: Atomic.

One instruction reads a number in memory, changes it and gives what it was (RFC 9669 section 5.3). There are such
instructions for 32 and 64 bits at aligned addresses, from instruction set v3 on (Linux 5.12).
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import access, kinds, tree
from pybpf.compiler.frontend.assignment import ARENA_ATOMICS, check_aligned, in_arena, place_type
from pybpf.compiler.frontend.convert import convert
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import ArrayType, PtrType, Space, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast

__all__ = ["ATOMICS", "atomic", "check_level"]

ATOMICS = {
    "fetch_add": "add", "fetch_and": "and", "fetch_or": "or", "fetch_xor": "xor", "exchange": "xchg",
    "compare_exchange": "cmpxchg",
}  # fmt: skip
_LEVEL, _SINCE = 3, "5.12"
_MEMORY = (Space.MAP, Space.PERCPU, Space.GLOBAL, Space.STACK, Space.RINGBUF, Space.ARENA)
_NOT_IN_ARENA = ("fetch_and", "fetch_or", "fetch_xor")  # bpf_jit_supports_insn(), arch/x86/net/bpf_jit_comp.c


def atomic(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> tree.Expr:
    callee: Any = checker.expr(node.func)
    name = callee.value.__bpf__.name
    count = 3 if name == "compare_exchange" else 2
    if node.keywords or len(node.args) != count:
        arguments = "entry.owner, 0, pid()" if count == 3 else "entry.hits, 1"
        takes = (
            "takes a place, what is expected there, and the new value" if count == 3 else "takes a place and a number"
        )
        checker.fail(errors.CallArguments(span, f"{name}()", takes, f"{name}({arguments})"))
    check_level(checker, f"{name}()", span)
    checker.check_release(f"{name}()", _SINCE, span)
    place, kind = _place(checker, node.args[0], name)
    given = [convert(checker, checker.expr(arg), kinds.host(kind), f"{name}()") for arg in node.args[1:]]
    expected = given[0] if count == 3 else None
    return tree.Atomic(kinds.host(kind), span, ATOMICS[name], place, given[-1], expected)


def check_level(checker: Checker, what: str, span: Span) -> None:
    """Refuse what instruction sets before v3 do not have."""
    if checker.session.target.cpu < _LEVEL:
        checker.fail(errors.AtomicLevel(span, what, checker.session.target.cpu))


def _place(checker: Checker, node: Any, name: str) -> tuple[tree.Expr, Type]:
    """The number in memory that an argument names, and its type there."""
    span = checker.span(node)
    text = checker.text(span)
    place: Any = None
    if isinstance(node, ast.Subscript) and isinstance(base := checker.expr(node.value), Known):
        schema = checker.schema(base)
        if isinstance(schema, MapSpec) and not schema.kind.indexed:
            checker.fail(errors.NotAtomicPlace(span, text, "an element of a hash map may be missing", schema.name))
        place = checker.expr(node)
    elif isinstance(node, (ast.Attribute, ast.Subscript)):
        place = access.place(checker, node)
    elif isinstance(node, ast.Name):
        place = checker.expr(node)
    if not isinstance(place, (tree.Field, tree.Index, tree.Global, tree.MapIndex)):
        checker.fail(errors.NotAtomicPlace(span, text, "it is not a number in memory", ""))
    access.check_writable(checker, place, span)
    kind = place_type(place)
    if isinstance(place, tree.Index) and isinstance(place.base.type, PtrType):
        array = place.base.type.pointee
        kind = array.element if isinstance(array, ArrayType) else kind
    base_type = kinds.int_base(kind)
    root: Any = place
    while isinstance(root, (tree.Field, tree.Index)):
        if isinstance(root, tree.Field) and root.field.bits:
            checker.fail(errors.NotAtomicPlace(span, text, "it is a bit field", ""))
        root = root.base
    if base_type is None or base_type.big or size_of(kind) not in (4, 8):
        why = f"it is {kinds.spell(kind)}, and there are such instructions for 32 and 64 bits in host order"
        checker.fail(errors.NotAtomicPlace(span, text, why, ""))
    if isinstance(root.type, PtrType) and root.type.space not in _MEMORY:
        checker.fail(errors.NotAtomicPlace(span, text, f"it lies in {root.type.space} memory", ""))
    check_aligned(checker, place, kind)
    if in_arena(place):
        checker.check_release(f"{name}() in an arena", ARENA_ATOMICS, span)
        if name in _NOT_IN_ARENA:
            checker.fail(errors.NotAtomicPlace(span, text, f"in an arena kernels have no {name}()", ""))
    return place, kind
