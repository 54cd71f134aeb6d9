"""What a compilation gives: the object's bytes, what it declares, and which Python each instruction comes from."""

from __future__ import annotations

from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.schema.specs import GlobalSpec, MapSpec, ProgramSpec, Target

__all__ = ["Object"]


class Object(Record, eq=False):
    """A compiled object, not loaded. `elf` is the file's content; the dictionaries go by symbol name.

    `called` are programs that others go on in, because a program array holds them: `attach()` leaves them alone.
    """

    name: str
    elf: bytes
    target: Target
    programs: dict[str, ProgramSpec]
    maps: dict[str, MapSpec]
    globals: dict[str, GlobalSpec]
    functions: dict[str, MachineCode] = factory(dict)
    warnings: tuple[Diagnostic, ...] = ()
    called: tuple[str, ...] = ()

    def disassemble(self) -> str:
        """The bytecode of all functions, each run of instructions under the source line that it comes from."""
        from pybpf.compiler.codegen.dump import dump_code

        return "\n".join([dump_code(code) for code in self.functions.values()])

    def write(self, path: str) -> None:
        """Write the object file."""
        with open(path, "wb") as file:
            file.write(self.elf)

    def __repr__(self) -> str:
        return f"<Object {self.name}: {', '.join(self.programs)}; {len(self.elf)} bytes>"
