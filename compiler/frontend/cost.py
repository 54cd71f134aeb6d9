"""How many instructions the verifier would walk through, as a rough upper estimate, and whether its limits hold.

It follows each iteration of a loop, and gives up after a million instructions, or with more than 8192 branches waiting
to be looked at (BPF_COMPLEXITY_LIMIT_INSNS and BPF_COMPLEXITY_LIMIT_JMP_SEQ, kernel/bpf/verifier.c). It goes down one
side of each branch before it comes back for the other, so all branches of all iterations wait at once; those whose
outcome it knows do not: it knows the counter of a loop with constant bounds in each iteration.

What is too much becomes a loop that the kernel bounds (longloops.py), the longest first, where the target has those. So
does a loop of many branches that is not too much yet: the verifier comes to it with a state for each way there, and
follows each. (A loop of 3570 branches, in 255 rounds, took it 390,000 instructions; bounded by the kernel, 25,000.)
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import longloops, tree
from pybpf.compiler.frontend.reach import children
from pybpf.compiler.schema.types import PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend.session import Session

    Cost: TypeAlias = "tuple[int, int]"  # instructions, branches

__all__ = ["check"]

_INSTRUCTIONS = 1_000_000
_BRANCHES = 8192
_MANY = 2048  # branches of a loop, in all iterations, that are better left to the kernel
_FEW = 8  # branches of a loop, in all iterations, that the verifier follows inside one that the kernel bounds
_WALKED = 64  # iterations in which the verifier follows an address into the packet: each that it moves is another state
_ROUNDS = 4  # of a loop that the kernel bounds, until a round changes nothing that the verifier knows

# Instructions and branches of a node on its own; others count 1 and 0.
_WEIGHT: dict[type, Cost] = {
    tree.Const: (0, 0), tree.Local: (0, 0), tree.Convert: (1, 0), tree.Unwrap: (0, 0), tree.Wrap: (0, 0),
    tree.Cast: (0, 0), tree.Assign: (0, 0), tree.ExprStmt: (0, 0), tree.Let: (0, 0), tree.Context: (0, 0),
    tree.If: (1, 1), tree.IfExp: (1, 1), tree.And: (1, 1), tree.Or: (1, 1), tree.IsNone: (0, 0),
    tree.MapGet: (5, 0), tree.MapContains: (5, 1), tree.MapIndex: (6, 1), tree.MapSet: (8, 0),
    tree.MapDelete: (5, 0), tree.MapPop: (10, 1), tree.MapPush: (8, 0), tree.MapTake: (8, 1),
    tree.MapUpdate: (15, 2), tree.MapSetDefault: (15, 2),
    tree.RingEmit: (10, 1), tree.WithReserve: (8, 1), tree.WithLock: (6, 0), tree.TimerCall: (20, 1),
    tree.NodeCall: (12, 2), tree.Allocate: (12, 1),
    tree.Printk: (8, 0), tree.HelperCall: (4, 0), tree.Fill: (5, 0), tree.KernelPlace: (8, 1), tree.Asm: (8, 2),
    tree.KfuncCall: (5, 0), tree.WithAcquire: (8, 1), tree.TextCompare: (16, 4), tree.Index: (3, 0),
}  # fmt: skip
_FORKS = (tree.If, tree.IfExp, tree.And, tree.Or)
_BY_KERNEL = (tree.ForMap, tree.ForEach, tree.ForHelper)
_LOOPS = (tree.ForRange, tree.While, *_BY_KERNEL)
# What the verifier computes as it goes, where it knows the operands.
_COMPUTED = (tree.Binary, tree.Unary, tree.Compare, tree.Convert, tree.Not, tree.And, tree.Or)


def check(session: Session, function: tree.Function) -> list[Diagnostic]:
    """What to say about loops that are too much for the verifier: one that is so alone, or the longest."""
    bound = longloops.bound_for(session.target)
    while True:
        weigh = _Weigher(session)
        insns, branches = weigh.node(function)
        # At worst the verifier goes on to the end from each place in the packet where such a loop may be left.
        walking = [loop for loop, count in weigh.walking if loop.limit is None or count * insns > _INSTRUCTIONS]
        given_up = (*weigh.inner, *walking, *weigh.around_bounded())
        drawn_in = [loop for loop in given_up if bound and _can_be(bound, weigh, loop)]
        for loop in drawn_in:
            loop.bound = bound
        if drawn_in:
            continue
        if insns <= _INSTRUCTIONS and branches <= _BRANCHES and not weigh.found:
            longest = weigh.branchiest(bound) if bound else None
            if longest is None:
                return []
        else:
            longest = weigh.longest(insns <= _INSTRUCTIONS, bound) if bound else None
        if longest is None:
            break
        longest.bound = bound
    if not weigh.found and weigh.loops and (insns > _INSTRUCTIONS or branches > _BRANCHES):
        by_branches = insns <= _INSTRUCTIONS
        most_of_it = max(weigh.loops, key=lambda loop: loop[2] if by_branches else loop[1])
        node, loop_insns, loop_branches, count, each, forks = most_of_it
        rest = _BRANCHES - branches + loop_branches if by_branches else _INSTRUCTIONS - insns + loop_insns
        most = max(rest, 0) // (forks if by_branches else each)
        weigh.found.append(errors.LoopTooLong(node.span, count, each, forks, by_branches, most, len(weigh.loops) > 1))
    return weigh.found


def _can_be(bound: str, weigh: _Weigher, loop: Any) -> bool:
    """Whether the kernel can bound a loop that the verifier would follow."""
    return bound != longloops.CALLBACK or longloops.can_be_called(weigh.inside[loop], loop)


def _is_bounded(loop: Any) -> bool:
    return isinstance(loop, _BY_KERNEL) or bool(loop.bound)


class _Weigher:
    """Adds up a program. `fixed` are the variables whose value the verifier knows at the node in hand."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.functions: dict[tuple[tree.Function, bool], Cost] = {}
        self.bounded = 0  # loops around the node in hand that the kernel bounds
        self.fixed: frozenset[tree.Var] = frozenset()
        self.found: list[Diagnostic] = []
        # outermost loops: node, instructions and branches in all, iterations, instructions and branches of each
        self.loops: list[tuple[Any, int, int, int, int, int]] = []
        # loops with branches inside one that the kernel bounds: what each branch of theirs tells about other variables
        # makes one more state that the verifier takes around the outer loop
        self.inner: list[Any] = []
        # longer loops that carry an address through the packet, and how many iterations they have
        self.walking: list[tuple[Any, int]] = []
        self.around: tree.Function | None = None
        self.inside: dict[Any, tree.Function] = {}  # the function that a loop stands in
        self.followed: dict[Any, Cost] = {}  # loops that the verifier follows round by round
        self.depth = 0

    def around_bounded(self) -> list[Any]:
        """Loops that the verifier would follow around one that the kernel bounds. Where it comes back to that one it
        forgets numbers that differ from the time before, the counter of the loop around it too: it would not see the
        end of that (widen_imprecise_scalars, kernel/bpf/verifier.c).
        """
        return [
            loop for loop in self.inside
            if not _is_bounded(loop) and any(map(_is_bounded, longloops.all_of(loop, _LOOPS)))
        ]  # fmt: skip

    def longest(self, by_branches: bool, bound: str) -> Any:
        """The loop that costs most of those that the verifier follows and need not; None where there is none."""
        able = [loop for loop in self.followed if _can_be(bound, self, loop)]
        return max(able, key=lambda loop: self.followed[loop][by_branches], default=None)

    def branchiest(self, bound: str) -> Any:
        """The loop with most branches of those that have many, and that mean the same when the kernel bounds them."""
        able = [
            loop for loop, (_, waiting) in self.followed.items()
            if waiting > _MANY and _can_be(bound, self, loop) and not _carries_address(loop)
            and not (bound == longloops.CALLBACK and longloops.wrong(self.session, loop))
        ]  # fmt: skip
        return max(able, key=lambda loop: self.followed[loop][1], default=None)

    def all(self, nodes: Any) -> Cost:
        insns = branches = 0
        for node in nodes:
            more, forks = self.node(node)
            insns += more
            branches += forks
        return insns, branches

    def node(self, node: Any) -> Cost:
        if isinstance(node, tree.Function):
            return self.function(node)
        if isinstance(node, tree.Subprogram):  # a global one is verified on its own
            return self.function(node.function) if node.static else (0, 0)
        if not isinstance(node, tree.Node):
            return 0, 0
        if isinstance(node, _LOOPS):
            return self.loop(node)
        insns, branches = self.all(children(node))
        own = _WEIGHT.get(type(node), (1, 0))
        if isinstance(node, _FORKS) and self.decided(node.lhs if isinstance(node, (tree.And, tree.Or)) else node.test):
            return insns + own[0], branches
        return insns + own[0], branches + own[1]

    def function(self, node: tree.Function) -> Cost:
        key = (node, self.bounded > 0)
        if key not in self.functions:
            before, self.fixed, self.around = (self.fixed, self.around), frozenset(), node
            self.functions[key] = self.all(node.body)
            self.fixed, self.around = before
        return self.functions[key]

    def loop(self, node: tree.ForRange | tree.ForMap | tree.ForEach | tree.ForHelper | tree.While) -> Cost:
        bounded = _is_bounded(node)  # by the kernel
        count = _ROUNDS if bounded else self.session.iterations.get(node, 1)
        before = self.fixed
        self.depth += 1
        self.bounded += bounded
        if isinstance(node, tree.ForRange):
            once = self.all((node.start, node.stop))
            known = self.decided(node.start) and self.decided(node.stop) and not bounded
            if known and not _assigns(node.body, node.var):
                self.fixed = before | {node.var}
            insns, branches = self.all(node.body)
        else:
            once, known = (0, 0), False
            insns, branches = self.all(node.body if isinstance(node, _BY_KERNEL) else (node.test, *node.body))
        self.fixed = before
        self.depth -= 1
        self.bounded -= bounded
        each, forks = insns + 3, branches + (not known)
        total, waiting = count * each, count * forks
        assert self.around is not None
        self.inside[node] = self.around
        if self.bounded and not bounded and count * forks > _FEW:
            self.inner.append(node)
        if not bounded and count > _WALKED and _carries_address(node):
            self.walking.append((node, count))
        if not bounded and count > _ROUNDS:
            self.followed[node] = total, waiting
        if (total > _INSTRUCTIONS or waiting > _BRANCHES) and not self.found:
            by_branches = total <= _INSTRUCTIONS
            most = _BRANCHES // forks if by_branches else _INSTRUCTIONS // each
            self.found.append(errors.LoopTooLong(node.span, count, each, forks, by_branches, most, False))
        if not self.depth:
            self.loops.append((node, total, waiting, count, each, forks))
        after = self.all(node.orelse)
        return total + once[0] + after[0], waiting + once[1] + after[1]

    def decided(self, node: Any) -> bool:
        """Whether the verifier knows the value of an expression."""
        if isinstance(node, tree.Const):
            return True
        if isinstance(node, tree.Local):
            return node.var in self.fixed
        return isinstance(node, _COMPUTED) and all(
            self.decided(child) for child in children(node) if isinstance(child, tree.Node)
        )


def _carries_address(loop: Any) -> bool:
    return any(map(_is_packet_address, longloops.assigned([loop])))


def _is_packet_address(var: tree.Var) -> bool:
    return isinstance(var.type, PtrType) and var.type.space == Space.PACKET and var.type.pointee is None


def _assigns(nodes: Any, var: tree.Var) -> bool:
    return any(
        isinstance(node, tree.Node)
        and ((isinstance(node, (tree.Assign, tree.Let)) and node.var is var) or _assigns(children(node), var))
        for node in nodes
    )
