"""What a compilation gives: the object's bytes, what it declares, and which Python each instruction comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.schema.record import Record, factory

if TYPE_CHECKING:
    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import GlobalSpec, MapSpec, ProgramSpec, Target

__all__ = ["Code", "Object"]


class Code(Record, eq=False):
    """The machine code of one function. `spans` and `variables` go by instruction slot (8 bytes each).

    `spans[i]` is the Python expression that slot i comes from; `variables[i]` names the Python variables that registers
    hold just before slot i: {1: "rule"}. `relocs` are (slot, kind,
    symbol), with the kinds of pybpf.compiler.elf.model.Reloc.
    """

    name: str
    section: str
    code: bytes
    spans: tuple[Span | None, ...]
    variables: tuple[dict[int, str], ...]
    relocs: tuple[tuple[int, str, str], ...] = ()


class Object(Record, eq=False):
    """A compiled object, not loaded. `elf` is the file's content; the dictionaries go by symbol name."""

    name: str
    elf: bytes
    target: Target
    programs: dict[str, ProgramSpec]
    maps: dict[str, MapSpec]
    globals: dict[str, GlobalSpec]
    functions: dict[str, Code] = factory(dict)
    warnings: tuple[Diagnostic, ...] = ()

    def disassemble(self) -> str:
        """The bytecode of all functions, each run of instructions under the source line that it comes from."""
        from pybpf.compiler.listing import listing

        return "\n".join([listing(code) for code in self.functions.values()])

    def write(self, path: str) -> None:
        """Write the object file."""
        with open(path, "wb") as file:
            file.write(self.elf)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self.disassemble())}</pre>"

    def __repr__(self) -> str:
        return f"<Object {self.name}: {', '.join(self.programs)}; {len(self.elf)} bytes>"
