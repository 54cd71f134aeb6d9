"""Loops over a map: `for k in m`, `m.keys()`, `m.values()`, `for k, v in m.items()`, and over what user space has sent:
`for command in m.drain()`. In: the loop. Out: ForMap.

The kernel calls the body once for each element (bpf_for_each_map_elem, Linux 5.13). A key is a copy; a value is what
`m.get()` would give: a copy of a number, a live reference to anything else. What was sent is a copy
(bpf_user_ringbuf_drain, Linux 6.1).
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import access, flow, loops, maps, tree
from pybpf.compiler.frontend.flow import Fact
from pybpf.compiler.frontend.helpers import check_allowed
from pybpf.compiler.frontend.innermaps import as_map
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.frontend.scope import assigned_names
from pybpf.compiler.frontend.settle import carried, settle
from pybpf.compiler.schema.specs import HelperSpec, MapSpec
from pybpf.compiler.schema.types import PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast

__all__ = ["for_map", "walked"]

_WALKS = ("items", "keys", "values", "drain")
_KINDS = ("HASH", "PERCPU_HASH", "LRU_HASH", "LRU_PERCPU_HASH", "ARRAY", "PERCPU_ARRAY")  # those that have an iterator
_SINCE = "5.13"


def walked(checker: Checker, node: Any) -> tuple[MapSpec, str] | None:
    """The map that an expression after `in` walks through, and what it gives; None where it is something else."""
    what = "keys"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _WALKS:
        what, base = node.func.attr, node.func.value
    elif isinstance(node, (ast.Name, ast.Attribute)):
        base = node
    else:
        return None
    value = as_map(checker, checker.expr(base))
    spec = checker.schema(value) if isinstance(value, Known) else None
    if isinstance(spec, MapSpec) and spec.at is not None:
        checker.fail(errors.InnerMapLoop(checker.span(node), spec.name))
    if not isinstance(spec, MapSpec) or (what == "drain") != (spec.kind.family == "commands"):
        return None
    if isinstance(node, ast.Call) and (node.args or node.keywords):
        name = f"{spec.name}.{what}()"
        checker.fail(errors.CallArguments(checker.span(node), f"`{name}`", "takes no arguments", name))
    return spec, what


def for_map(checker: Checker, node: ast.For, spec: MapSpec, what: str) -> list[tree.Stmt]:
    span, where = checker.span(node), checker.span(node.iter)
    if what == "drain":
        for helper in spec.helpers.values():
            if isinstance(helper, HelperSpec):
                check_allowed(checker, helper, where)
    elif spec.kind.name not in _KINDS:
        checker.fail(errors.MapIteration(where, spec.name, spec.kind.name))
    checker.check_release("a loop over a map", _SINCE, where)
    names = _targets(checker, node, spec, what)
    assert checker.state is not None
    key = value = None
    given: list[tuple[str, tree.Var, Any]] = []
    if what not in ("values", "drain"):
        assert spec.key is not None
        key = tree.Var("%key", access.reference(spec.key, Space.STACK), where)
        given.append((names[0], key, checker.span(node.target)))
    if what != "keys":
        if spec.value is None:  # bytes, which a dynptr of the kernel's is about
            kind: Type = PtrType(spec.helpers["dynptr"].of("given"), Space.STACK)
        else:
            kind = access.reference(spec.value, Space.STACK) if what == "drain" else maps.entry_type(spec)
        value = tree.Var("%value", kind, where)
        given.append((names[-1], value, checker.span(node.target)))
    entry = checker.state
    body: list[tree.Stmt] = []

    def once() -> None:
        nonlocal body
        first: list[tree.Stmt] = []
        assert checker.state is not None
        copied = "%value" if what == "drain" else "%key"
        checker.state[copied] = Fact(origins=frozenset([where]))
        for name, var, place in given:
            first += checker.assign(name, tree.Local(var.type, place, var), place)
        body = first + checker.block(node.body)

    assigned = [name for name in assigned_names(node.body) if name not in names]
    loop = settle(checker, node, assigned, once, own_frame=True)
    made = tree.ForMap(span, spec, key, value, body)
    made.carried = carried(checker, entry, [*assigned, *names])
    made.orelse = loops.after(checker, node, flow.join(entry, flow.join(checker.state, loop.continues)), loop)
    return [made]


def _targets(checker: Checker, node: ast.For, spec: MapSpec, what: str) -> list[str]:
    """The local names that take the key, the value, or both."""
    target = node.target
    parts = list(target.elts) if isinstance(target, (ast.Tuple, ast.List)) else [target]
    wanted = 2 if what == "items" else 1
    names = [part.id for part in parts if isinstance(part, ast.Name) and part.id in checker.slots]
    if len(names) != wanted or len(parts) != wanted or (wanted == 1 and parts[0] is not target):
        example = {"items": "key, value", "keys": "key", "values": "value", "drain": "command"}[what]
        iterated = checker.text(checker.span(node.iter))
        checker.fail(errors.MapLoopTarget(checker.span(target), spec.name, what, f"for {example} in {iterated}:"))
    return names
