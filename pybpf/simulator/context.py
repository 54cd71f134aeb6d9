"""The context of a simulated run: bytes laid out as the kernel's struct, from field names and values.

simulate(filename=0x1000, dfd=-100)        fields of a tracepoint
simulate(size=4096)                        an argument of a probed function, by the parameter's name
simulate(name="eth0")                      a dynamic string: its text is put behind the record
simulate(args=[1, 2, 3])                   an inline array
simulate(context=b"...")                   the bytes themselves
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import (
    ArrayType,
    IntType,
    OptionalType,
    PtrType,
    StructType,
    Type,
    is_aggregate,
    size_of,
)
from pybpf.runtime.codec import codec
from pybpf.simulator.errors import SimulationError
from pybpf.simulator.memory import Ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybpf.compiler.frontend.tree import Program
    from pybpf.compiler.schema.specs import CtxField

__all__ = ["given_arguments", "is_lent", "lent_objects", "make_context"]


def is_lent(kind: Type) -> bool:
    """Whether a field refers to an object of the kernel's that is no kernel type: a socket, flow keys."""
    kind = kind.inner if isinstance(kind, OptionalType) else kind
    return isinstance(kind, PtrType) and isinstance(kind.pointee, StructType)


def lent_objects(program: Program, values: dict[str, Any]) -> dict[str, Ref | None]:
    """Those objects, by the field's name, out of `values`: bytes that the program sees, and changes in a bytearray.

    Without a value a field that may be None is, and other objects are zero.
    """
    found: dict[str, Ref | None] = {}
    for field in program.spec.context.fields if program.spec.context is not None else ():
        if not is_lent(field.type):
            continue
        inner = field.type.inner if isinstance(field.type, OptionalType) else field.type
        assert isinstance(inner, PtrType) and inner.pointee is not None
        given = values.pop(field.name, None)
        if given is None and isinstance(field.type, OptionalType):
            found[field.name] = None
            continue
        memory = given if isinstance(given, bytearray) else bytearray(given or b"")
        memory += bytes(max(size_of(inner.pointee) - len(memory), 0))
        found[field.name] = Ref(memory, 0, inner.pointee)
    return found


def given_arguments(program: Program) -> Program:
    """The program with arguments that it computes from its context as ones that are read behind it: they are given."""
    made = program.computed
    if made is None:
        return program
    fields = program.spec.values_from.fields if program.spec.values_from is not None else ()
    end = max([8, *(field.offset + field.size + 7 & ~7 for field in fields)])
    function = replace(program.function, params=made.variables, body=program.function.body[len(made.statements) :])
    return replace(program, function=function, args=tuple([(v, end + 8 * n) for n, v in enumerate(made.variables)]))


def make_context(program: Program, given: bytes | None, values: Mapping[str, Any]) -> bytearray:
    """Raises TypeError for a name that is none, and what the codec raises for a value that does not fit."""
    spec = program.spec
    if spec.context is not None and any(field.role == "seq" for field in spec.context.fields):
        raise SimulationError(
            f"{spec.name}: a simulation has no objects of the kernel to iterate over",
            f'load it, and read it: load({spec.name}).programs["{spec.name}"].read()',
        )
    fields = {field.name: field for field in spec.context.fields} if spec.context is not None else {}
    arguments = {var.name: at for var, at in program.args}
    end = max([8, *(field.offset + field.size for field in fields.values()), *(at + 8 for _, at in program.args)])
    memory = bytearray((given or b"").ljust(end, b"\0"))  # what is not given reads as zero
    for name, value in values.items():
        if name in arguments:
            offset = arguments[name]
            memory[offset : offset + 8] = _number(value, 8, name)
        elif name in fields:
            _put_field(memory, fields[name], value)
        else:
            raise TypeError(_unknown(spec.name, name, [*arguments, *fields]))
    return memory


def _put_field(memory: bytearray, field: CtxField, value: Any) -> None:
    what = f"context field {field.name!r}"
    if field.role in ("packet", "packet_end", "packet_meta"):
        raise TypeError(f"{what} is the packet: give its bytes as packet=")
    if field.role == "data_loc":
        text = value.encode() if isinstance(value, str) else bytes(value)
        start = len(memory)
        memory += text + b"\0"
        located = (len(text) + 1) << 16 | start
        memory[field.offset : field.offset + 4] = located.to_bytes(4, "little")
        return
    if field.role == "array":
        data = codec(field.type, what).encode(_filled(field.type, value))
    elif is_aggregate(field.type):
        raise SimulationError(f"{what} can't be set by value", "give the whole context as bytes: context=")
    else:
        kind = field.type
        if isinstance(kind, IntType) and kind.big:  # a port lies in the low half of its word
            data = _number(value, kind.bits // 8, field.name)[::-1].ljust(field.size, b"\0")
        else:
            data = _number(value, field.size, field.name)
    memory[field.offset : field.offset + len(data)] = data


def _filled(kind: Type, value: Any) -> Any:
    """An array's first elements, followed by zeroes."""
    if isinstance(kind, ArrayType) and isinstance(value, (list, tuple)):
        return [*value, *[0] * (kind.length - len(value))]
    return value


def _number(value: Any, size: int, name: str) -> bytes:
    """A number of either sign; also what can be given as one: a bool, an enum's member."""
    number = value.__index__()
    if not -(1 << 8 * size - 1) <= number < 1 << 8 * size:
        raise OverflowError(f"{name}: {number} does not fit {8 * size} bits")
    return int(number & (1 << 8 * size) - 1).to_bytes(size, "little")


def _unknown(program: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(known) or 'none'}"
    return f"{program}: there is no context field or argument {name!r}{hint}"
