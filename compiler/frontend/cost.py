"""How many instructions the verifier would walk through, as a rough upper estimate, and whether its limits hold.

It follows each iteration of a loop, and gives up after a million instructions, or with more than 8192 branches
waiting to be looked at (BPF_COMPLEXITY_LIMIT_INSNS and BPF_COMPLEXITY_LIMIT_JMP_SEQ, kernel/bpf/verifier.c).
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import tree
from pybpf.compiler.frontend.reach import children

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend.session import Session

__all__ = ["check"]

_INSTRUCTIONS = 1_000_000
_BRANCHES = 8192

# Instructions and branches of a node on its own; others count 1 and 0.
_WEIGHT: dict[type, tuple[int, int]] = {
    tree.Const: (0, 0), tree.Local: (0, 0), tree.Convert: (1, 0), tree.Unwrap: (0, 0), tree.Wrap: (0, 0),
    tree.Cast: (0, 0), tree.Assign: (0, 0), tree.ExprStmt: (0, 0), tree.Let: (0, 0), tree.Context: (0, 0),
    tree.If: (1, 1), tree.IfExp: (1, 1), tree.And: (1, 1), tree.Or: (1, 1), tree.IsNone: (0, 0),
    tree.MapGet: (5, 1), tree.MapContains: (5, 1), tree.MapIndex: (6, 1), tree.MapSet: (8, 0), tree.MapDelete: (5, 0),
    tree.MapPop: (10, 1), tree.MapUpdate: (15, 2), tree.MapSetDefault: (15, 2), tree.RingEmit: (10, 1),
    tree.WithReserve: (8, 1), tree.Printk: (8, 0), tree.HelperCall: (4, 0), tree.Fill: (5, 0),
    tree.TextCompare: (16, 4),
    tree.Index: (3, 1),
}  # fmt: skip


def check(session: Session, function: tree.Function) -> list[Diagnostic]:
    """What to say about loops that are too much for the verifier."""
    found: list[Diagnostic] = []
    known: dict[tree.Function, tuple[int, int]] = {}

    def weigh_all(nodes: Any) -> tuple[int, int]:
        insns = branches = 0
        for node in nodes:
            more, forks = weigh(node)
            insns += more
            branches += forks
        return insns, branches

    def weigh(node: Any) -> tuple[int, int]:
        if isinstance(node, tree.Function):
            if node not in known:
                known[node] = weigh_all(node.body)
            return known[node]
        if not isinstance(node, tree.Node):
            return 0, 0
        insns, branches = weigh_all(children(node))
        if isinstance(node, (tree.ForRange, tree.While)):
            count = session.iterations.get(node, 1)
            forks = branches + (0 if isinstance(node, tree.ForRange) and _constant(node) else 1)
            each, total = insns + 3, count * (insns + 3)
            if (total > _INSTRUCTIONS or count * forks > _BRANCHES) and not found:
                by_branches = total <= _INSTRUCTIONS
                most = _BRANCHES // forks if by_branches else _INSTRUCTIONS // each
                found.append(errors.LoopTooLong(node.span, count, each, forks, by_branches, most))
            return total, count * forks
        own = _WEIGHT.get(type(node), (1, 0))
        return insns + own[0], branches + own[1]

    weigh(function)
    return found


def _constant(node: tree.ForRange) -> bool:
    return isinstance(node.start, tree.Const) and isinstance(node.stop, tree.Const)
