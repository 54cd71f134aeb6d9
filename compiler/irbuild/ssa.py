"""SSA form for variables, built while the tree is walked.

After Braun, Buchwald, Hack, Leißa, Mallon, Zwinkau: "Simple and Efficient Construction of Static Single Assignment
Form" (2013). `write` and `read` say what a variable holds at the end of a block as far as it is filled. A block is
sealed once no further predecessor will be added; a read in an unsealed block (a loop's head) leaves a phi to be
completed on sealing. Phis that turn out to have one operand only are replaced in `finish`.

Reads use a work list instead of recursion: a function may have thousands of joins in a row.
"""

from __future__ import annotations

from pybpf.compiler.ir.ops import Const, Phi, Value
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.schema.span import Span

__all__ = ["Cell", "Variables"]


class Cell(Record, eq=False):
    """One SSA variable: a whole Python variable, or the presence flag of an Optional one. `kind` is "int" or "ptr".

    `loose`: it may be asked for where it was not assigned; any value does.
    """

    name: str
    kind: str = "int"
    loose: bool = False


class Variables:
    """What each cell holds in each block, and the edges between blocks as they become known."""

    def __init__(self, entry: Block) -> None:
        self.predecessors: dict[Block, list[Block]] = {entry: []}
        self.span: Span | None = None  # of the phis made from here on
        self.written: dict[Cell, None] = {}  # all cells that were given a value, in that order
        self.capture: Callable[[Cell], Value] | None = None  # gives what a cell holds in front of the function
        self._entry = entry
        self._sealed = {entry}
        self._held: dict[Block, dict[Cell, Value]] = {entry: {}}
        self._incomplete: dict[Block, list[tuple[Cell, Phi]]] = {}
        self._unfilled: list[tuple[Block, Cell, Phi]] = []
        self._same: dict[Value, Value] = {}  # trivial phis and what they equal
        self._phis: list[Phi] = []

    def add_edge(self, source: Block, target: Block) -> None:
        """Control may go from `source` to `target`, which is not sealed yet."""
        assert target not in self._sealed, f"edge to the sealed block {target.label}"
        self.predecessors.setdefault(target, []).append(source)

    def seal(self, block: Block) -> None:
        """No further edge to `block` will be added."""
        if block in self._sealed:
            return
        self._sealed.add(block)
        for cell, phi in self._incomplete.pop(block, ()):
            self._unfilled.append((block, cell, phi))
        self._fill()

    def write(self, block: Block, cell: Cell, value: Value) -> None:
        self._held.setdefault(block, {})[cell] = value
        self.written.setdefault(cell)

    def read(self, block: Block, cell: Cell) -> Value:
        value = self._find(block, cell)
        if self._unfilled:
            self._fill()
        return self._resolve(value)

    def awaited(self, phi: Phi) -> tuple[Cell, list[Value]] | None:
        """Of a phi that is completed when its block is sealed: its cell, and its values on the ways known so far."""
        for block, waiting in self._incomplete.items():
            for cell, each in waiting:
                if each is phi:
                    return cell, [self.read(source, cell) for source in self.predecessors.get(block, [])]
        return None

    def finish(self, function: Function) -> None:
        """Replace all trivial phis of the finished function. (Those in loops show only now.)"""
        changed = True
        while changed:
            changed = False
            for phi in self._phis:
                if phi not in self._same and self._simplify(phi):
                    changed = True
        self._same = {phi: self._resolve(phi) for phi in self._same}
        for block in function.blocks:
            if block.ops and type(block.ops[0]) is Phi:
                block.ops = [op for op in block.ops if op not in self._same]
        function.replace_uses(self._same)

    def _find(self, block: Block, cell: Cell) -> Value:
        """The value at the end of `block`; a new phi may be left in `_unfilled`."""
        passed = []
        while True:
            held = self._held.setdefault(block, {})
            value = held.get(cell)
            if value is not None:
                break
            passed.append(held)
            if block not in self._sealed:
                value = self._phi(block, cell)
                self._incomplete.setdefault(block, []).append((cell, value))
                break
            before = self.predecessors.get(block, [])
            if len(before) == 1:
                block = before[0]
            elif before:
                value = self._phi(block, cell)
                self._unfilled.append((block, cell, value))
                break
            else:  # in code that is never reached any value will do
                if block is self._entry and self.capture is not None:
                    value = self.capture(cell)
                else:
                    assert block is not self._entry or cell.loose, f"`{cell.name}` is read before it is assigned"
                    value = Const(0)
                break
        for held in passed:
            held[cell] = value
        return value

    def _phi(self, block: Block, cell: Cell) -> Phi:
        phi = Phi([], cell.kind, cell.name, self.span)
        block.ops.insert(0, phi)
        self._phis.append(phi)
        return phi

    def _fill(self) -> None:
        filled = []
        while self._unfilled:
            block, cell, phi = self._unfilled.pop()
            phi.incoming = [(source, self._find(source, cell)) for source in self.predecessors.get(block, [])]
            filled.append(phi)
        for phi in reversed(filled):
            self._simplify(phi)

    def _simplify(self, phi: Phi) -> bool:
        """Note what `phi` equals if all its operands are the same value or the phi itself."""
        same: Value | None = None
        for _, operand in phi.incoming:
            value = self._resolve(operand)
            if value is phi or same is value:
                continue
            if same is not None and not (type(same) is Const and type(value) is Const and same.value == value.value):
                return False
            same = value
        if same is None:
            return False
        self._same[phi] = same
        return True

    def _resolve(self, value: Value) -> Value:
        while value in self._same:
            value = self._same[value]
        return value
