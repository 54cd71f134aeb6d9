"""Machine code of a whole module, or the diagnostics for functions that the machine has no room for."""

from __future__ import annotations

from pybpf.compiler.codegen import compile_function
from pybpf.compiler.codegen.frame import MAX_STACK, StackOverflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.ir.function import Function, Module
    from pybpf.compiler.schema.specs import Target

__all__ = ["generate"]


def generate(module: Module, target: Target) -> list[MachineCode]:
    """The module's functions in order. Raises CompileError for all whose frame is too large."""
    made: list[MachineCode] = []
    refused: list[tuple[Function, StackOverflow]] = []
    for function in module.functions:
        try:
            made.append(compile_function(function, target.cpu))
        except StackOverflow as error:
            refused.append((function, error))
    if refused:
        from pybpf.compiler.diagnostics.base import Report
        from pybpf.compiler.diagnostics.loops import StackTooLarge

        report = Report()
        for function, overflow in refused:
            assert function.span is not None
            report.add(StackTooLarge(function.span, function.name, overflow.size, MAX_STACK, overflow.parts))
        report.raise_if_failed()
    return made
