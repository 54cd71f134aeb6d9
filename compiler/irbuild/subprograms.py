"""Subprograms: functions of their own, calls of them, their addresses.

What a static one is given, and what it returns, the verifier follows through the call. Of a global one it knows the
types that BTF tells: numbers narrower than a register are extended again on either side.

Variables of the caller that a static one shares (the packet's cursor) are put on the caller's stack for the call; it is
given their places, reads them at its entry, and writes them when it returns.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Function
from pybpf.compiler.ir.ops import Const, Param, Value
from pybpf.compiler.irbuild.aggregates import MAKERS, in_memory, pointee
from pybpf.compiler.irbuild.arithmetic import extend, int_type
from pybpf.compiler.irbuild.builder import Builder, kind_of
from pybpf.compiler.irbuild.entry import finish
from pybpf.compiler.schema.types import (
    I32,
    BoolType,
    EnumType,
    NoneType,
    OptionalType,
    PtrType,
    Space,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Lowered, Shared, Tables

__all__ = ["built", "replacement", "subprog_addr", "subprog_call"]

_CONTEXT = PtrType(None, Space.CTX)


def subprog_call(b: Builder, node: tree.SubprogCall) -> Lowered:
    subprogram = node.subprogram
    function = built(subprogram, b.shared, b.tables)
    arguments = [
        in_memory(b, arg, pointee(arg), "argument") if type(arg) in MAKERS else b.value(arg) for arg in node.args
    ]
    if subprogram in b.shared.moving:
        b.packet_moves = True
    places = [b.temporary(var.name, 8) for var in subprogram.state]
    for var, place in zip(subprogram.state, places):
        arguments.append(b.slot_address(place))
        b.store(arguments[-1], 0, 64, b.read_one(b.cells(var)[0]))
    call = b.emit(ops.Call(function.name, arguments, kind_of(node.type), "", b.span))
    for var, at in zip(subprogram.state, arguments[len(node.args) :]):
        b.write(b.cells(var), b.emit(ops.Load(at, 0, 64, False, kind_of(var.type), False, var.name, b.span)))
    if isinstance(node.type, NoneType):
        return None
    return call if subprogram.static else _known_width(b, call, node.type)


def subprog_addr(b: Builder, node: tree.SubprogAddr) -> Value:
    function = built(node.subprogram, b.shared, b.tables)
    if node.subprogram in b.shared.moving:
        b.packet_moves = True
    return b.emit(ops.FuncAddr(function.name, "", b.span))


def built(subprogram: tree.Subprogram, shared: Shared, tables: Tables) -> Function:
    """The subprogram's function, built when it is first asked for."""
    found = shared.subprograms.get(subprogram)
    if found is None:
        found = shared.subprograms[subprogram] = _build(subprogram, shared, tables)
    return found


def _build(subprogram: tree.Subprogram, shared: Shared, tables: Tables) -> Function:
    source, program = subprogram.function, subprogram.program
    variables = subprogram.params
    params = [
        Param(i, "ptr", "ctx") if var is None else Param(i, kind_of(var.type), var.name)
        for i, var in enumerate(variables)
    ]
    kinds = [_CONTEXT if var is None else var.type for var in variables]
    places = []
    for held in subprogram.state:
        places.append(Param(len(params), "ptr", f"{held.name}.place"))
        params.append(places[-1])
        kinds.append(PtrType(held.type, Space.STACK))
    function = Function(
        subprogram.name, ".text", params, static=subprogram.static, result=source.result,
        param_types=tuple(kinds),
        span=source.span, context_struct=program.context_struct,
    )  # fmt: skip
    context = next((param for param, var in zip(params, variables) if var is None), Const(0))
    b = Builder(function, program, tables, shared, context)
    b.source = source
    for param, var in zip(params, variables):
        if var is not None:
            b.write(b.cells(var), param if subprogram.static else _known_width(b, param, var.type))
    for held, place in zip(subprogram.state, places):
        b.write(b.cells(held), b.emit(ops.Load(place, 0, 64, False, kind_of(held.type), False, held.name, b.span)))
        b.state.append((held, place))
    b.statements(source.body)
    if b.reachable:
        b.leave(Const(0))
    finish(b)
    if b.packet_moves:
        shared.moving.add(subprogram)
    return function


def replacement(program: tree.Program, shared: Shared, tables: Tables) -> Function:
    """A program that takes the place of a function: what that is called with are its parameters."""
    spec, source = program.spec, program.function
    params: list[Param] = []
    kinds: list[Type] = []
    if spec.context is not None:
        params.append(Param(0, "ptr", spec.function.__code__.co_varnames[0]))
        kinds.append(_CONTEXT)
    for var, _ in program.args:
        params.append(Param(len(params), kind_of(var.type), var.name))
        kinds.append(var.type)
    function = Function(
        spec.name,
        spec.section,
        params,
        program=spec,
        result=I32 if isinstance(spec.returns, EnumType) else spec.returns,
        param_types=tuple(kinds),
        span=source.span,
        context_struct=spec.context_struct,
    )
    b = Builder(function, spec, tables, shared, params[0] if spec.context is not None else Const(0))
    b.source = source
    for (var, _), param in zip(program.args, params[len(params) - len(program.args) :]):
        b.write(b.cells(var), _known_width(b, param, var.type))
    b.statements(source.body)
    if b.reachable:
        b.leave(Const(spec.default_return))
    finish(b)
    return function


def _known_width(b: Builder, value: Value, type: Type) -> Value:
    """A number that comes from elsewhere, within its type; a reference as it is."""
    if isinstance(type, (PtrType, OptionalType)):
        return value
    if isinstance(type, BoolType):
        return b.emit(ops.Binary("and", value, Const(1), 64, "", b.span))
    number = int_type(type)
    return extend(b, value, number.bits, number.signed)
