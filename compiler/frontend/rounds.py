"""What an iteration of a loop reads of the one before. In: a loop of the typed tree, a variable. Out: the places.

A read counts where some way leads to it from the iteration's beginning without an assignment:

    for i in range(n):
        if i:
            total += flow.packets      # reads what the iteration before has assigned
        flow = flows[i & 3]
        total += flow.bytes            # does not
"""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.frontend.reach import children

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["reads_of_before"]


def reads_of_before(var: tree.Var, loop: tree.While | tree.ForRange | tree.ForMap | tree.ForHelper) -> list[Any]:
    """The nodes that read what an earlier iteration may have assigned to `var`, in the order of evaluation."""
    walk = _Walk(var)
    if isinstance(loop, tree.While):
        walk.block(loop.body, walk.test(loop.test, False)[0])
    else:
        walk.block(loop.body, isinstance(loop, tree.ForRange) and loop.var is var)
    return walk.found


class _Walk:
    """Follows the order of evaluation. `done`: the variable has been assigned in this iteration, on every way here."""

    def __init__(self, var: tree.Var) -> None:
        self.var = var
        self.found: list[Any] = []
        self.seen: set[tuple[tree.Function, bool]] = set()

    def block(self, body: list[tree.Stmt], done: bool) -> bool:
        for statement in body:
            done = self.after(statement, done)
        return done

    def over(self, nodes: Any, done: bool) -> bool:
        for node in nodes:
            done = self.after(node, done)
        return done

    def test(self, node: Any, done: bool) -> tuple[bool, bool]:
        """What holds where the condition is true, and where it is false."""
        if isinstance(node, tree.Not):
            yes, no = self.test(node.value, done)
            return no, yes
        if isinstance(node, (tree.And, tree.Or)):
            yes, no = self.test(node.lhs, done)
            if isinstance(node, tree.And):
                last, other = self.test(node.rhs, yes)
                return last, no and other
            other, last = self.test(node.rhs, no)
            return yes and other, last
        done = self.after(node, done)
        return done, done

    def after(self, node: Any, done: bool) -> bool:
        """What holds after a node; True where nothing comes after it."""
        if isinstance(node, (tree.Local, tree.Discard)):
            if node.var is self.var and not done:
                self.found.append(node)
            return done
        if isinstance(node, (tree.And, tree.Or)):
            return all(self.test(node, done))
        if isinstance(node, (tree.If, tree.IfExp)):
            yes, no = self.test(node.test, done)
            if isinstance(node, tree.If):
                yes, no = self.block(node.body, yes), self.block(node.orelse, no)
            else:
                yes, no = self.after(node.then, yes), self.after(node.other, no)
            return yes and no
        if isinstance(node, tree.Let):
            return self.after(node.body, self.after(node.value, done) or node.var is self.var)
        if isinstance(node, tree.While):
            yes, no = self.test(node.test, done)
            self.block(node.body, yes)
            self.block(node.orelse, no)
            return yes and no
        if isinstance(node, (tree.ForRange, tree.ForMap, tree.ForEach, tree.ForHelper)):
            if isinstance(node, (tree.ForEach, tree.ForHelper)):
                done = self.over(node.args, done)
            if isinstance(node, tree.ForRange):
                done = self.after(node.stop, self.after(node.start, done))
            own = isinstance(node, (tree.ForRange, tree.ForEach, tree.ForHelper)) and node.var is self.var
            self.block(node.body, done or own)
            self.block(node.orelse, done)
            return done
        if isinstance(node, tree.WithAcquire):
            return self.block(node.body, self.after(node.acquire, done) or node.var is self.var)
        if isinstance(node, tree.WithReserve):
            return self.block(node.body, self.after(node.reserve, done) or node.var is self.var)
        if isinstance(node, tree.Function):  # inlined; it may read variables of the function around it
            if (node, done) not in self.seen:
                self.seen.add((node, done))
                self.block(node.body, done)
            return done
        if isinstance(node, tree.Node):
            for child in children(node):
                done = self.after(child, done)
            if isinstance(node, tree.Assign):
                return done or node.var is self.var
            return done or isinstance(node, (tree.Return, tree.Break, tree.Continue))
        return done
