"""Calls: kernel helpers, functions of the program (inlined), printk, comparison of texts."""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.aggregates import MAKERS, construct, in_memory, pointee
from pybpf.compiler.irbuild.arithmetic import extend, swap
from pybpf.compiler.irbuild.builder import Inlined, kind_of
from pybpf.compiler.irbuild.memory import is_direct, pointer, slot_at
from pybpf.compiler.later import later
from pybpf.compiler.schema.specs import GlobalSpec, MapSpec
from pybpf.compiler.schema.types import (
    U64,
    BoolType,
    IntType,
    NoneType,
    OptionalType,
    PtrType,
    TextType,
    is_arena_pointer,
    is_scalar,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block
    from pybpf.compiler.irbuild.builder import Builder, Lowered
    from pybpf.compiler.irbuild.maps import map_address
    from pybpf.compiler.irbuild.places import address_of
else:
    address_of = later("irbuild.places", "address_of")
    map_address = later("irbuild.maps", "map_address")

__all__ = [
    "argument", "asm", "branch_call", "func_call", "helper_call", "kfunc_call", "kfunc_exists", "printk", "rodata_text",
    "tail_call",
]  # fmt: skip


# --- helpers


def helper_call(b: Builder, node: tree.HelperCall) -> Lowered:
    spec = node.helper
    arguments = []
    table: MapSpec | None = None  # the map that keys and values after it belong to
    for i, arg in enumerate(node.args):
        table = arg if isinstance(arg, MapSpec) else table
        given = argument(b, arg, spec.args[i].kind if i < len(spec.args) else "", table)
        wanted = spec.args[i].type if i < len(spec.args) else None
        if isinstance(wanted, IntType) and wanted.big:  # bpf_skb_vlan_push() takes the protocol as it is on the wire
            given = swap(b, given, wanted.bits)
        arguments.append(given)
    if spec.id in kernel.MOVES_PACKET or (spec.dynptr == "write" and _of_packet(node.args[0])):
        b.packet_moves = True
    result = b.call((spec.name, spec.id), *arguments, kind=kind_of(node.type))
    if spec.id in kernel.INT_BEFORE_6_4 and b.shared.target.kernel < (6, 4):
        result = extend(b, result, 32, True)
    return None if isinstance(node.type, NoneType) else result


def _of_packet(dynptr: tree.Expr | MapSpec) -> bool:
    """Whether a write to the dynptr may move a packet."""
    kind = dynptr.type.pointee if isinstance(dynptr, tree.Expr) and isinstance(dynptr.type, PtrType) else None
    return getattr(kind, "kind", "") in ("", "skb", "skb_meta")


def argument(b: Builder, arg: tree.Expr | MapSpec, role: str, table: MapSpec | None) -> Value:
    if isinstance(arg, MapSpec):
        return map_address(b, arg)
    if role in ("key", "value") and table is not None and is_scalar(arg.type) and not isinstance(arg.type, PtrType):
        kind = table.key if role == "key" else table.value
        assert kind is not None
        return in_memory(b, arg, kind, role)
    if type(arg) in MAKERS:
        return in_memory(b, arg, pointee(arg), "argument")
    return b.value(arg)


def asm(b: Builder, node: tree.Asm) -> Lowered:
    """Instructions as the user wrote them. The text is read again when instructions are selected."""
    from pybpf.compiler.isa.effects import OPERAND
    from pybpf.compiler.isa.inline import read_inline

    has_result = not isinstance(node.type, NoneType)
    operands = {str(number): OPERAND + number for number in range(0 if has_result else 1, len(node.args) + 1)}
    inline = read_inline(node.text, operands, has_result)
    if kernel.MOVES_PACKET.intersection(inline.helpers):
        b.packet_moves = True
    inputs = [argument(b, arg, "", None) for arg in node.args]
    for position, arg in enumerate(node.args):
        if not isinstance(arg, MapSpec) and is_arena_pointer(arg.type):  # instructions access it as it is
            inputs[position] = b.there(inputs[position])
    made = b.emit(ops.Asm(node.text, inputs, "int" if has_result else "void", "", b.span))
    return made if has_result else None


def kfunc_call(b: Builder, node: tree.KfuncCall) -> Lowered:
    """A function of the kernel, by name."""
    arguments = [argument(b, arg, "", None) for arg in node.args]
    kind = "void" if isinstance(node.type, NoneType) else kind_of(node.type)
    made = b.emit(ops.CallKernel(node.kfunc.name, arguments, kind, "", b.span))
    if isinstance(node.type, NoneType):
        return None
    if isinstance(node.type, IntType) and node.type.bits < 64:  # the rest of R0 is whatever the kernel left there
        return b.emit(ops.Extend(made, node.type.bits, node.type.signed, "", b.span))
    if isinstance(node.type, BoolType):
        return b.emit(ops.Cmp("ne", b.emit(ops.Extend(made, 8, False, "", b.span)), Const(0), 64, "", b.span))
    return made


def kfunc_exists(b: Builder, node: tree.KfuncExists) -> Value:
    """The address of a function that the kernel lacks is 0."""
    name = node.kfunc.name
    if name not in b.shared.externs:
        b.shared.externs[name] = GlobalSpec(name, U64, bytes(8), True, ".ksyms", True, "function")
    return b.emit(ops.Cmp("ne", b.emit(ops.ExternAddr(name, span=b.span)), Const(0), 64, "", b.span))


def rodata_text(b: Builder, node: tree.RodataText) -> Value:
    """The address of a constant string."""
    return b.emit(ops.GlobalAddr(_format(b, node.value).name, span=b.span))


def tail_call(b: Builder, node: tree.TailCall) -> None:
    context = b.value(node.context)
    index = b.value(node.index)
    b.call(kernel.TAIL_CALL, context, b.emit(ops.MapAddr(node.map.name, span=b.span)), index)


# --- functions


def func_call(b: Builder, node: tree.FuncCall) -> Lowered:
    """The function's body, here. Its result goes through SSA variables to the block after the call."""
    _assign_parameters(b, node)
    outer_slots = b.enter_call()
    body = node.function.body
    if len(body) == 1 and isinstance(body[0], tree.Return) and body[0].value is not None:
        result = b.lower(body[0].value)
        b.leave_call(outer_slots, refers=_may_refer(node.function))
        return result
    cells = b.new_cells(node.function.result)
    after = b.new_block(f"{node.function.name}.done")
    _inline(b, node.function, Inlined(cells, after, len(b.reserved)))
    b.start(after)
    b.leave_call(outer_slots, refers=_may_refer(node.function))
    return b.read(cells)


def branch_call(b: Builder, node: tree.FuncCall, then: Block, other: Block) -> None:
    """A call as a condition: the function's returns go to the targets themselves."""
    _assign_parameters(b, node)
    outer_slots = b.enter_call()
    _inline(b, node.function, Inlined((), then, len(b.reserved), other))
    b.leave_call(outer_slots, refers=_may_refer(node.function))


def _assign_parameters(b: Builder, node: tree.FuncCall) -> None:
    values = [b.lower(arg) for arg in node.args]
    for var, value in zip(node.function.params, values):
        b.write(b.cells(var), value)


def _inline(b: Builder, function: tree.Function, frame: Inlined) -> None:
    outer, span = (b.inlined, b.loop, b.source), b.span
    b.inlined, b.loop, b.source = frame, None, function
    b.statements(function.body)
    if b.reachable:
        b.jump(frame.after)
    (b.inlined, b.loop, b.source), b.span = outer, span


def _may_refer(function: tree.Function) -> bool:
    """Whether the result, or a variable of the caller, may be a reference into the function's stack slots."""
    kinds = [function.result, *[var.type for var in function.outer]]
    inner = [kind.inner if isinstance(kind, OptionalType) else kind for kind in kinds]
    return any([isinstance(kind, PtrType) and kind.pointee is not None for kind in inner])


# --- printk


def printk(b: Builder, node: tree.Printk) -> None:
    """Up to three arguments by bpf_trace_printk; more by bpf_trace_vprintk, which takes them as an array of u64."""
    text = _format(b, node.format)
    arguments = [_printed(b, arg) for arg in node.args]
    at = b.emit(ops.GlobalAddr(text.name, span=b.span))
    size = Const(size_of(text.type))
    if node.file is not None:
        file = b.value(node.file)
        data: Value = Const(0)
        if arguments:
            held = slot_at(b, "printed", 8 * len(arguments), temporary=True)
            data = held.base
            for i, value in enumerate(arguments):
                b.store(held.base, held.offset + 8 * i, 64, value)
        b.call(kernel.SEQ_PRINTF, file, at, size, data, Const(8 * len(arguments)))
        return
    if len(arguments) <= 3:
        b.call(kernel.TRACE_PRINTK, at, size, *arguments)
        return
    array = slot_at(b, "printed", 8 * len(arguments), temporary=True)
    for i, value in enumerate(arguments):
        b.store(array.base, array.offset + 8 * i, 64, value)
    b.call(kernel.TRACE_VPRINTK, at, size, array.base, Const(8 * len(arguments)))


def _format(b: Builder, text: bytes) -> GlobalSpec:
    """The constant that holds a format; equal formats share one."""
    found = b.shared.formats.get(text)
    if found is None:
        data = text + b"\0"
        name = f"printk_format_{len(b.shared.formats) + 1}"
        found = b.shared.formats[text] = GlobalSpec(name, TextType(len(data)), data, True)
    return found


def _printed(b: Builder, arg: tree.Expr) -> Value:
    """A number, or the address of a text that surely ends with a NUL, which is all that the kernel looks for."""
    if not isinstance(arg.type, PtrType) or arg.type.pointee is None:
        return b.value(arg)
    kind = arg.type.pointee
    if _is_ended(arg):
        if type(arg) not in MAKERS:
            return b.value(arg)
        made = slot_at(b, "printed", size_of(kind), temporary=True)
        construct(b, made, kind, arg, fresh=True)
        return made.base
    if type(arg) not in MAKERS:
        at = address_of(b, arg)
        if not is_direct(b, at):
            return pointer(b, at)
    longer = TextType(size_of(kind) + 1)
    ended = slot_at(b, "printed", longer.size, temporary=True)
    construct(b, ended, longer, arg, fresh=True)
    return ended.base


def _is_ended(node: tree.Expr) -> bool:
    """Whether a new text has a NUL: helpers that fill one see to it."""
    if isinstance(node, tree.IfExp):
        return _is_ended(node.then) and _is_ended(node.other)
    return isinstance(node, tree.Fill) or (isinstance(node, tree.TextConst) and 0 in node.value)
