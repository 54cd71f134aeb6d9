"""From machine code to the object's model: what each function looks like in BTF, its line table, its data.

`link` gives the object writer all it needs; `finish` joins the bytes and what a user of the Object wants to know.
"""

from __future__ import annotations

from pybpf.compiler.elf.model import ExternSpec, Literal, ObjectFunction, ObjectModel, Param
from pybpf.compiler.ir.ops import CallKernel
from pybpf.compiler.object import Object
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import I32, NONE, U64, NoneType, OptionalType, PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.frontend.tree import Typed
    from pybpf.compiler.ir.function import Function, Module
    from pybpf.compiler.schema.specs import GlobalSpec, MapSpec, OpsSpec, ProgramSpec, Target
    from pybpf.compiler.schema.types import Type

__all__ = ["finish", "link"]

_OPAQUE = (*Space.OBJECTS, Space.KERNEL, Space.USER)  # of objects that the kernel describes itself


def link(
    module: Module, typed: Typed, machine: Sequence[MachineCode], initial: Callable[[GlobalSpec], bytes] | None
) -> ObjectModel:
    """The model of the object. Globals that the programs don't name are texts of our own: they get no symbol."""
    declared, literals, externs = [], [], []
    for spec in module.globals:
        if spec.how == "function":
            continue
        if spec.section:
            kind = NONE if spec.how == "address" else spec.type
            externs.append(ExternSpec(spec.name, spec.section, kind, None, spec.weak))
        elif spec not in typed.globals:
            literals.append(Literal(spec.name, spec.init))
        else:
            declared.append(spec if initial is None else replace(spec, init=initial(spec)))
    functions = tuple([_function(function, code) for function, code in zip(module.functions, machine)])
    return ObjectModel(
        functions,
        tuple([_filled(spec, typed) if spec.programs else spec for spec in module.maps]),
        tuple(declared),
        tuple(literals),
        (*externs, *_kfuncs(module, typed)),
        module.license,
        _tables(typed),
    )


def _tables(typed: Typed) -> tuple[OpsSpec, ...]:
    """The tables of operations that the programs belong to, in the order of their first program."""
    found = [program.spec.ops for program in typed.programs if program.spec.ops is not None]
    return tuple(dict.fromkeys(found))


class _Slot:
    """What a program array's slot holds, under the name that it has in this object."""

    __slots__ = ("__bpf__",)

    def __init__(self, spec: ProgramSpec) -> None:
        self.__bpf__ = spec


def _filled(spec: MapSpec, typed: Typed) -> MapSpec:
    known = {program.spec.function: program.spec for program in typed.programs}
    return replace(spec, programs={index: _Slot(known[called.function]) for index, called in spec.slots().items()})


def _kfuncs(module: Module, typed: Typed) -> list[ExternSpec]:
    """The kernel's functions that are called, in the order of their first call."""
    known = {spec.name: spec for spec in typed.kfuncs}
    asked = [spec.name for spec in module.globals if spec.how == "function"]  # these may be missing
    calls = [op.function for function in module.functions for op in function.ops() if type(op) is CallKernel]
    found = []
    for name in dict.fromkeys([*calls, *asked]):
        spec = known[name]
        params = tuple([Param(parameter, kind) for parameter, kind in spec.params])
        found.append(ExternSpec(name, ".ksyms", spec.result, params, name in asked))
    return found


def _function(function: Function, code: MachineCode) -> ObjectFunction:
    return ObjectFunction(
        function.name,
        function.section,
        code.code,
        _params(function),
        _result(function),
        code.relocs,
        code.lines,
        code.core,
        linkage="static" if function.static else "global",
    )


def _result(function: Function) -> Type:
    """The kernel wants a number from a global function; ours leaves 0 where it returns nothing."""
    replaces = function.program is not None and function.program.registers
    if (function.program is not None and not replaces) or function.result is None:
        return I32
    return I32 if isinstance(function.result, NoneType) and not function.static else function.result


def _params(function: Function) -> tuple[Param, ...]:
    """A program takes its context, typed as the struct that the kernel passes; a subprogram what it declares."""
    if function.program is not None and not function.program.registers:
        return (Param(function.params[0].name or "ctx", function.program.context_struct),)
    return tuple([_param(function, param.name, type) for param, type in zip(function.params, function.param_types)])


def _param(function: Function, name: str, type: Type) -> Param:
    """The tags are for the verifier, which looks at those of global functions only."""
    if not isinstance(type, (PtrType, OptionalType)):
        return Param(name, type)
    if isinstance(type, PtrType) and type.space == Space.CTX and type.pointee is None:
        return Param(name, function.context_struct, () if function.static else ("arg:ctx",))
    inner = type.inner if isinstance(type, OptionalType) else type
    if isinstance(inner, PtrType) and inner.space in (Space.KERNEL, Space.USER) and not function.static:
        return Param(name, U64)
    if isinstance(inner, PtrType) and inner.space in _OPAQUE:
        return Param(name, PtrType(None, inner.space))
    return Param(name, type, () if function.static or isinstance(type, OptionalType) else ("arg:nonnull",))


def finish(name: str, elf: bytes, typed: Typed, machine: Sequence[MachineCode], target: Target) -> Object:
    """The Object that the caller of the compiler gets."""
    return Object(
        name,
        elf,
        target,
        {program.spec.name: program.spec for program in typed.programs},
        {spec.name: spec for spec in typed.maps},
        {spec.name: spec for spec in typed.globals if not spec.section},
        {code.name: code for code in machine},
        tuple(typed.warnings),
        tuple(typed.called),
    )
