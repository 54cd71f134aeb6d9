"""Puts a variable with several definitions into SSA form: what passes that copy or remove definitions build on.

    reaching = Reaching(function, tree, {block: value at its end, ...}, "int", "x", undefined=Const(0))
    reaching.at_start(block)        # the value of the variable there; places phis where definitions meet
    reaching.finish()               # fills the phis in

`repair(function, {value: {block: value at its end, ...}, ...})` does so for all uses of values that now have several.

Phis are placed only where a question leads, on the iterated dominance frontier of the definitions (Cytron et al.,
"Efficiently Computing Static Single Assignment Form", 1991). Where no definition reaches, the value is `undefined`.
"""

from __future__ import annotations

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.ir.ops import Const, Phi
from pybpf.compiler.passes.cfg import prune
from pybpf.compiler.schema.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from pybpf.compiler.analysis.dominators import Dominators
    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["Reaching", "repair"]


class Reaching:
    """One variable: `definitions` are its values at the ends of the blocks that define it."""

    def __init__(
        self,
        tree: Dominators,
        frontiers: dict[Block, list[Block]],
        definitions: dict[Block, Value],
        kind: str,
        name: str,
        undefined: Value,
    ) -> None:
        self.tree = tree
        self.kind = kind
        self.name = name
        self.undefined = undefined
        self._at_end = dict(definitions)
        self._at_start: dict[Block, Value] = {}
        self._unfilled: list[tuple[Block, Phi]] = []
        self._meet: set[Block] = set()
        work = [block for block in definitions if block in frontiers]
        while work:
            for block in frontiers[work.pop()]:
                if block not in self._meet:
                    self._meet.add(block)
                    work.append(block)

    def at_end(self, block: Block) -> Value:
        """The value when control leaves the block."""
        return self._at_end[block] if block in self._at_end else self.at_start(block)

    def at_start(self, block: Block) -> Value:
        """The value when control enters the block."""
        passed: list[Block] = []
        found: Value | None = None
        while found is None:
            if block in self._at_start:
                found = self._at_start[block]
            elif block in self._meet:
                phi = Phi([], self.kind, self.name)
                self._unfilled.append((block, phi))
                self._at_start[block] = found = phi
            else:
                passed.append(block)
                parent = self.tree.parent.get(block, block)
                if parent is block:  # the entry, or a block that nothing reaches
                    found = self.undefined
                else:
                    block = parent
                    found = self._at_end.get(block)
        for block in passed:
            self._at_start[block] = found
        return found

    def finish(self) -> None:
        """Give every phi its operands and its place."""
        while self._unfilled:
            block, phi = self._unfilled.pop()
            phi.incoming = [(b, self.at_end(b)) for b in self.tree.predecessors[block]]
            block.ops.insert(0, phi)


def repair(function: Function, variables: dict[Value, dict[Block, Value]], right: Collection[Block] = ()) -> None:
    """Let each use of a value with several definitions see the one that reaches it; in `right` blocks it does so."""
    tree = dominators(function)
    frontiers = tree.frontiers()
    prune(function)
    reached = {block: [p for p in tree.predecessors[block] if p in tree.first] for block in tree.order}
    tree = replace(tree, predecessors=reached)
    reaching: dict[Value, Reaching] = {}

    def read(value: Value, at: Block, end: bool) -> Value:
        definitions = variables.get(value)
        if definitions is None or (at in definitions and definitions[at] is value):
            return value
        if value not in reaching:
            alive = {b: v for b, v in definitions.items() if b in tree.first}
            reaching[value] = Reaching(tree, frontiers, alive, value.kind, value.name, Const(0))
        return reaching[value].at_end(at) if end else reaching[value].at_start(at)

    def rename(op: Op, block: Block) -> None:
        op.map_args(lambda value: read(value, block, False))

    for block in list(function.blocks):
        if block in right:
            continue
        for op in list(block.ops):
            if type(op) is Phi:
                op.incoming = [(b, v if b in right else read(v, b, True)) for b, v in op.incoming]
            else:
                rename(op, block)
    for value in reaching.values():
        value.finish()
