"""Loops that are too long for the verifier to follow round by round, or whose bound is known only at run time.

In: the target's kernel; loops of the typed tree. Out: how the kernel can bound them (`tree.While.bound`):

    ""           the verifier follows each round: at most bounds.MOST of them, and a million instructions in all
    MAY_GOTO     an instruction in the loop counts its rounds (Linux 6.9)
    CALLBACK     the body is a function that bpf_loop() calls (Linux 5.17)

The last two end the program after 8,388,608 rounds (BPF_MAX_LOOPS, include/linux/bpf.h), MAY_GOTO after 250 ms where
the kernel measures time instead (x86-64 from 6.15, arm64 from 6.18): docs/semantics.md says so to the user.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import tree
from pybpf.compiler.frontend.reach import children
from pybpf.compiler.later import later
from pybpf.compiler.schema.types import OptionalType, PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend.rounds import reads_of_before
    from pybpf.compiler.frontend.session import Session
    from pybpf.compiler.schema.specs import Target
else:
    reads_of_before = later("frontend.rounds", "reads_of_before")

__all__ = [
    "CALLBACK", "CALLBACK_SINCE", "MAY_GOTO", "MOST", "all_of", "assigned", "bound_for", "can_be_called", "check",
    "is_on_stack", "outside", "wrong",
]  # fmt: skip

MAY_GOTO, CALLBACK = "may_goto", "callback"
MAY_GOTO_SINCE, CALLBACK_SINCE = (6, 9), (5, 17)
FOLLOWED_SINCE = (6, 7)  # the verifier follows a callback until a round changes nothing; before, it looks at one round
MOST = 1 << 23  # BPF_MAX_LOOPS


def bound_for(target: Target) -> str:
    """How the target's kernel bounds a long loop; "" where it can't."""
    if target.kernel >= MAY_GOTO_SINCE:
        return MAY_GOTO
    return CALLBACK if target.kernel >= CALLBACK_SINCE else ""


def is_on_stack(var: tree.Var) -> bool:
    """Whether a variable refers to an object on the stack."""
    kind = var.type.inner if isinstance(var.type, OptionalType) else var.type
    return isinstance(kind, PtrType) and kind.space == Space.STACK


def can_be_called(function: tree.Function, loop: Any) -> bool:
    """Whether a loop's body can become a function: no object that it makes is used outside the iteration."""
    held = [var for var in assigned([loop]) if is_on_stack(var)]
    return not held or not set(held) & {*loop.carried, *outside(function.body, loop)}


def check(session: Session, function: tree.Function) -> list[Diagnostic]:
    """What is wrong with loops whose body became a function, in a function and those inlined in it."""
    found: list[Diagnostic] = []
    seen: set[tree.Function] = set()

    def visit(node: Any) -> None:
        if isinstance(node, tree.Function):
            if node not in seen:
                seen.add(node)
                for statement in node.body:
                    visit(statement)
        elif isinstance(node, tree.Node):
            if isinstance(node, (tree.ForMap, tree.ForHelper)) or getattr(node, "bound", "") == CALLBACK:
                found.extend(wrong(session, node))
            for child in children(node):
                visit(child)

    visit(function)
    return found


def wrong(session: Session, loop: Any) -> list[Diagnostic]:
    """What is wrong with a loop whose body becomes a function."""
    changed = assigned([loop])
    found: list[Diagnostic] = []
    if session.target.kernel < FOLLOWED_SINCE:
        anew = {*changed, *[var for call in all_of(loop, (tree.FuncCall,)) for var in call.function.outer]}
        carried = [var for var in loop.carried if var in anew and _is_reference(var)]
        for var in carried:
            for node in reads_of_before(var, loop)[:1]:
                found.append(errors.ReferenceCarried(node.span, var.name, ".".join(map(str, session.target.kernel))))
    for var, node in _reads([loop]):
        if isinstance(node, tree.Discard) and var not in changed:
            found.append(errors.DiscardInLoop(node.span, var.name, "discard"))
    inside = all_of(loop, (tree.Acquire, tree.Release))
    acquired = {node.span for node in inside if isinstance(node, tree.Acquire)}
    for node in inside:
        if isinstance(node, tree.Release) and not acquired.issuperset(node.of):
            found.append(errors.DiscardInLoop(node.span, "the reference", "release"))
    return found


def all_of(root: Any, classes: tuple[type, ...]) -> list[Any]:
    """The nodes of these classes, in functions inlined too."""
    found: list[Any] = []
    seen: set[tree.Function] = set()

    def visit(node: Any) -> None:
        if isinstance(node, tree.Function):
            if node not in seen:
                seen.add(node)
                for statement in node.body:
                    visit(statement)
        elif isinstance(node, tree.Node):
            if isinstance(node, classes):
                found.append(node)
            for child in children(node):
                visit(child)

    visit(root)
    return found


def _is_reference(var: tree.Var) -> bool:
    kind = var.type.inner if isinstance(var.type, OptionalType) else var.type
    addresses = (Space.KERNEL, Space.USER, Space.ARENA)
    return isinstance(kind, PtrType) and kind.pointee is not None and kind.space not in addresses


def assigned(nodes: Iterable[Any]) -> dict[tree.Var, None]:
    """The variables that statements or expressions assign, in order; of functions called those kept on the context."""
    return {var: None for var, writes in _variables(nodes) if writes}


def outside(body: Iterable[Any], loop: tree.Stmt) -> dict[tree.Var, None]:
    """The variables of a function's body that are assigned or read outside a loop in it too, or kept on the context."""
    inside, all_of_them = _counted([loop]), _counted(body)
    return {v: None for v, n in all_of_them.items() if n > inside.get(v, 0) or v.name.startswith("ctx.")}


def _reads(nodes: Iterable[Any]) -> list[tuple[tree.Var, Any]]:
    """The places in statements of one function where variables are read."""
    found: list[tuple[tree.Var, Any]] = []

    def visit(node: Any) -> None:
        if isinstance(node, (tree.Local, tree.Discard)):
            found.append((node.var, node))
        elif isinstance(node, tree.Node):
            for child in children(node):
                visit(child)

    for node in nodes:
        visit(node)
    return found


def _counted(nodes: Iterable[Any]) -> dict[tree.Var, int]:
    found: dict[tree.Var, int] = {}
    for var, _ in _variables(nodes):
        found[var] = found.get(var, 0) + 1
    return found


def _variables(nodes: Iterable[Any]) -> list[tuple[tree.Var, bool]]:
    found: list[tuple[tree.Var, bool]] = []
    seen: set[tree.Function] = set()

    def visit(node: Any, own: bool) -> None:
        if isinstance(node, tree.Var):
            if own or node.name.startswith("ctx."):
                found.append((node, True))
        elif isinstance(node, (tree.Local, tree.Discard)):
            if own or node.var.name.startswith("ctx."):
                found.append((node.var, False))
        elif isinstance(node, tree.Function):
            if node not in seen:
                seen.add(node)
                for statement in node.body:
                    visit(statement, False)
        elif isinstance(node, tree.Node):
            for child in children(node):
                if isinstance(child, (tree.Node, tree.Var, tree.Function)):
                    visit(child, own)
                elif isinstance(child, tree.Subprogram):
                    found.extend([(var, True) for var in child.state])
                elif isinstance(child, (list, tuple)):
                    for item in child:
                        visit(item, own)

    for node in nodes:
        visit(node, True)
    return found
