"""Programs: from the typed tree to a module of SSA functions.

`build` takes a complete `Typed` and gives a complete `Module`. Each program becomes one function of the context, each
subprogram one of its parameters; every other function is inlined.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Function, Module
from pybpf.compiler.ir.ops import Const, Param
from pybpf.compiler.irbuild.arithmetic import extend, int_type
from pybpf.compiler.irbuild.builder import Builder, Shared, kind_of
from pybpf.compiler.irbuild.entry import finish
from pybpf.compiler.irbuild.lowering import TABLES
from pybpf.compiler.irbuild.memory import UNALIGNED
from pybpf.compiler.schema.specs import in_registers
from pybpf.compiler.schema.types import I32, BoolType, PtrType, Space, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend.tree import Program, Typed, Var
    from pybpf.compiler.schema.specs import Target

__all__ = ["build"]


def build(typed: Typed, target: Target) -> Module:
    """SSA for all programs, with the maps and globals they reach and the constants that lowering itself made."""
    shared = Shared(target)
    shared.taken.update([program.spec.name for program in typed.programs])
    for known in (typed.maps, typed.globals, typed.subprograms):
        shared.taken.update([spec.name for spec in known])
    functions = [_program(program, shared) for program in typed.programs]
    if typed.subprograms:
        from pybpf.compiler.irbuild.subprograms import built

        functions += [built(subprogram, shared, TABLES) for subprogram in typed.subprograms]
    functions += shared.bodies
    for function in functions:
        function.unaligned = target.arch in UNALIGNED
    variables = [*typed.globals, *shared.formats.values(), *shared.externs.values()]
    module = Module(functions, list(typed.maps), variables, target.license)
    for program, function in zip(typed.programs, functions):
        if program.arena is not None:
            from pybpf.compiler.irbuild.arenas import tie

            tie(function, program.arena, module)
    return module


def _program(program: Program, shared: Shared) -> Function:
    if program.spec.registers:
        from pybpf.compiler.irbuild.subprograms import replacement

        return replacement(program, shared, TABLES)
    spec, source = program.spec, program.function
    arguments = {var for var, _ in program.args}
    named = next((var.name for var in source.params if var not in arguments), "ctx")
    context = Param(0, "ptr", named)
    function = Function(
        spec.name, spec.section, [context], program=spec, result=I32, param_types=(PtrType(None, Space.CTX),),
        span=source.span,
    )  # fmt: skip
    b = Builder(function, spec, TABLES, shared)
    b.source = source
    for var in source.params:
        if var not in arguments:
            b.write(b.cells(var), context)
    for var, offset in program.args:
        b.write(b.cells(var), _argument(b, var, offset))
    b.statements(source.body)
    if b.reachable:
        b.leave(Const(spec.default_return))
    finish(b)
    return function


def _argument(b: Builder, var: Var, offset: int) -> ops.Value:
    """A parameter that the context holds as a 64-bit number."""
    kind, wide = kind_of(var.type), isinstance(var.type, PtrType) or size_of(var.type) == 8
    if b.program.btf and kind == "int" and wide:  # the verifier may know it as a pointer
        pointer = b.emit(ops.Load(b.context, offset, 64, False, "ptr", True, var.name, b.span))
        return b.emit(ops.ToInt(pointer, var.name, b.span))
    value: ops.Value = b.emit(ops.Load(b.context, offset, 64, False, kind, True, var.name, b.span))
    if isinstance(var.type, BoolType):
        return extend(b, value, 8, False) if in_registers(b.program) else value
    if isinstance(var.type, PtrType):
        return value
    number = int_type(var.type)
    return extend(b, value, number.bits, number.signed)
