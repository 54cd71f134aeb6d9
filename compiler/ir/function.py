"""Blocks, stack slots, functions and the module; what passes walk and edit in place."""

from __future__ import annotations

from pybpf.compiler.ir.ops import Phi
from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.ir.ops import Op, Param, Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import GlobalSpec, MapSpec, ProgramSpec
    from pybpf.compiler.schema.types import Type

__all__ = ["Block", "Function", "Module", "Slot"]


class Slot(Record, eq=False):
    """`size` bytes of the function's stack frame, aligned to `align`, named after what they hold."""

    name: str
    size: int
    align: int = 8


class Block(Record, eq=False):
    """A basic block: phis, then operations, then one terminator. Labels are unique in a function."""

    label: str
    ops: list[Op] = factory(list)

    @property
    def terminator(self) -> Op:
        return self.ops[-1]

    def phis(self) -> list[Phi]:
        found = []
        for op in self.ops:
            if type(op) is not Phi:
                break
            found.append(op)
        return found

    def successors(self) -> list[Block]:
        return self.ops[-1].targets() if self.ops else []

    def __repr__(self) -> str:
        return f"Block({self.label})"


class Function(Record, eq=False):
    """A program or a subprogram. `blocks[0]` is the entry, which nothing jumps to.

    `section` is the ELF section (".text" for subprograms); `static` keeps the symbol local (callbacks).
    `program` is the declaration a program comes from. `result` and `param_types` say what BTF shows; a context there
    points to the struct `context_struct`. `unaligned`: the machine reads a packet at any address.
    """

    name: str
    section: str
    params: list[Param]
    blocks: list[Block] = factory(list)
    slots: list[Slot] = factory(list)
    program: ProgramSpec | None = None
    static: bool = False
    result: Type | None = None
    param_types: tuple[Type, ...] = ()
    span: Span | None = None
    context_struct: str = ""
    unaligned: bool = True

    def ops(self) -> Iterator[Op]:
        for block in self.blocks:
            yield from block.ops

    def predecessors(self) -> dict[Block, list[Block]]:
        """Predecessors of every block, in block order; one entry an edge."""
        found: dict[Block, list[Block]] = {block: [] for block in self.blocks}
        for block in self.blocks:
            if block.ops:
                for target in block.ops[-1].targets():
                    found[target].append(block)
        return found

    def replace_uses(self, new: dict[Value, Value]) -> None:
        """Use `new[v]` wherever `v` is used, following chains (a -> b -> c)."""
        if not new:
            return

        def resolve(value: Value) -> Value:
            while value in new:
                value = new[value]
            return value

        unaffected = new.keys().isdisjoint
        for block in self.blocks:
            for op in block.ops:
                if not unaffected(op.args()):
                    op.map_args(resolve)

    def reverse_postorder(self) -> list[Block]:
        """Blocks that the entry reaches, each before its successors where no loop forbids it."""
        entry = self.blocks[0]
        seen = {entry}
        order: list[Block] = []
        stack = [(entry, iter(entry.ops[-1].targets() if entry.ops else ()))]
        while stack:
            block, left = stack[-1]  # what is left of its targets
            for target in left:
                if target not in seen:
                    seen.add(target)
                    stack.append((target, iter(target.ops[-1].targets() if target.ops else ())))
                    break
            else:
                order.append(block)
                stack.pop()
        order.reverse()
        return order


class Module(Record, eq=False):
    """All that goes into one object: functions in order of appearance, and the maps and globals they reach."""

    functions: list[Function]
    maps: list[MapSpec] = factory(list)
    globals: list[GlobalSpec] = factory(list)
    license: str = "GPL"
    name: str = ""
