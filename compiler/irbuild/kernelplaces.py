"""Reading kernel objects: KernelPlace, KernelContainer, KernelFact.

A direct load is relocated as a whole, and stands behind a test for NULL: which of the kernel's pointers may be NULL the
verifier knows better with every release, and wants that tested then. By way of NULL zero is read.

    br ne %p, 0, @there, @read
  @there:
    %q: ptr = guard %p
    %1 = load.i32 core 0 struct task_struct "0:94" [%q+2456]
    jump @read
  @read:
    %2 = phi @entry: 0, @there: %1

Anything else is one probe read, at an address to which the relocated offset was added.
"""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.arithmetic import extend, int_type, swap
from pybpf.compiler.irbuild.memory import Address, as_int, load, slot_at
from pybpf.compiler.schema import core
from pybpf.compiler.schema.core import field_fact, type_after, type_fact
from pybpf.compiler.schema.kernel import KernelMember, KernelType
from pybpf.compiler.schema.types import ArrayType, PtrType, Space, Type, is_aggregate, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.irbuild.builder import Builder
    from pybpf.compiler.schema.core import CoreFact

__all__ = ["kernel_container", "kernel_fact", "kernel_place", "store_to"]

_NEAR = 1 << 14  # an offset up to which a load may hold it, with room for the running kernel's to be larger


def kernel_fact(b: Builder, node: tree.KernelFact) -> Value:
    return _relocated(b, node.fact)


def kernel_container(b: Builder, node: tree.KernelContainer) -> Value:
    assert isinstance(node.type, PtrType) and node.type.pointee is not None
    address = as_int(b, b.value(node.value))
    return _binary(b, "sub", address, _relocated(b, field_fact(core.BYTE_OFFSET, node.type.pointee, node.path)))


def kernel_place(b: Builder, node: tree.KernelPlace) -> Value:
    """What is at the end of the path; for what lies there in place, its address."""
    kind = _end(node)
    last = node.path[-1] if node.path else None
    if isinstance(kind, KernelType) or is_aggregate(kind):
        return _inside(b, node) if _space(node.type) in Space.OBJECTS else _address(b, node)
    if isinstance(last, KernelMember) and last.bits:
        return _bits(b, node, kind)
    if node.direct:
        return _behind_test(b, node, lambda base: _load(b, node, base, kind))
    return load(b, Address(_address(b, node), 0, _far(node), 1), kind)


def _space(kind: Type) -> str:
    return kind.space if isinstance(kind, PtrType) else ""


def _far(node: tree.KernelPlace) -> str:
    return Space.USER if _space(node.base.type) == Space.USER else Space.KERNEL


def _root(node: tree.KernelPlace) -> Type:
    assert isinstance(node.base.type, PtrType) and node.base.type.pointee is not None
    return node.base.type.pointee


def _fixed(node: tree.KernelPlace) -> list[KernelMember | int]:
    """The path with the first element in place of those that only the run of the program tells."""
    return [0 if isinstance(step, tree.Expr) else step for step in node.path]


def _end(node: tree.KernelPlace) -> Type:
    return type_after(_root(node), _fixed(node))


# --- direct loads


def _behind_test(b: Builder, node: tree.KernelPlace, read: Callable[[Value], Value]) -> Value:
    base = b.value(node.base)
    if type(base) is ops.Guard:  # the program has tested it
        return read(base)
    there, done = b.new_block("there"), b.new_block("read")
    before = b.block
    b.test("ne", base, Const(0), there, done)
    b.start(there)
    found = read(b.guard(base))
    incoming = [(before, Const(0)), (b.block, found)]
    b.jump(done)
    b.start(done)
    return b.phi(incoming, found.kind)


def _load(b: Builder, node: tree.KernelPlace, base: Value, kind: Type) -> Value:
    fact = field_fact(core.BYTE_OFFSET, _root(node), _fixed(node))
    at: CoreFact | None = fact
    if fact.value >= _NEAR:
        base, at = b.emit(ops.PtrAdd(base, _relocated(b, fact), "", b.span)), None
    offset = 0 if at is None else fact.value
    name = next((step.name for step in reversed(node.path) if isinstance(step, KernelMember)), "")
    if isinstance(kind, PtrType):
        sort = "ptr" if _space(node.type) in Space.OBJECTS else "int"
        return b.emit(ops.Load(base, offset, 64, False, sort, False, name, b.span, at))
    number = int_type(kind)
    bits = 8 * size_of(kind)
    signed = number.signed and bits < 64 and not number.big
    value: Value = b.emit(ops.Load(base, offset, bits, signed, "int", False, name, b.span, at))
    if number.big and bits > 8:
        value = swap(b, value, bits)
        return extend(b, value, bits, True) if number.signed else value
    return value


def store_to(b: Builder, node: tree.KernelPlace, value: Value) -> None:
    """Store to a member of an object that the program may change; by way of NULL nothing is stored."""
    base = b.value(node.base)
    there, done = b.new_block("there"), b.new_block("stored")
    b.test("ne", base, Const(0), there, done)
    b.start(there)
    offset = _relocated(b, field_fact(core.BYTE_OFFSET, _root(node), _fixed(node)))
    place = b.emit(ops.PtrAdd(b.guard(base), offset, "", b.span))
    kind = _end(node)
    bits = 8 * size_of(kind)
    if int_type(kind).big and bits > 8:
        value = swap(b, value, bits)
    b.store(place, 0, bits, value)
    b.jump(done)
    b.start(done)


def _inside(b: Builder, node: tree.KernelPlace) -> Value:
    """A pointer to what lies inside an object that may be loaded from.

    What a function of the kernel takes (it is as much trusted as the object) is never NULL: the verifier would see it.
    """
    offset = field_fact(core.BYTE_OFFSET, _root(node), _fixed(node))
    if _space(node.type) == Space.TRUSTED:  # as helpers.kernel_object() says
        return b.emit(ops.PtrAdd(b.value(node.base), _relocated(b, offset), "", b.span))
    return _behind_test(b, node, lambda base: b.emit(ops.PtrAdd(base, _relocated(b, offset), "", b.span)))


# --- probe reads


def _address(b: Builder, node: tree.KernelPlace) -> Value:
    """The address, as a number."""
    root, path = _root(node), _fixed(node)
    address = as_int(b, b.value(node.base))
    first = node.first if isinstance(node.first, int) else 0
    if isinstance(root, KernelType) and (path or first):
        fact = field_fact(core.BYTE_OFFSET, root, path, first)
        address = _binary(b, "add", address, _relocated(b, fact))
    elif first:
        address = _binary(b, "add", address, Const(first * size_of(root)))
    return _indexed(b, node, address)


def _indexed(b: Builder, node: tree.KernelPlace, address: Value) -> Value:
    """With what the indices add that only the run of the program tells."""
    kind = _root(node)
    if isinstance(node.first, tree.Expr):
        address = _binary(b, "add", address, _scaled(b, b.value(node.first), kind))
    for step in node.path:
        if isinstance(step, tree.Expr):
            assert isinstance(kind, ArrayType)
            address = _binary(b, "add", address, _scaled(b, b.value(step), kind.element))
            kind = kind.element
        else:
            kind = type_after(kind, (step,))
    return address


def _scaled(b: Builder, index: Value, element: Type) -> Value:
    """`index` elements in bytes. How large a struct is only the loader knows."""
    if isinstance(element, KernelType) and element.name:
        return _binary(b, "mul", index, _relocated(b, type_fact(core.TYPE_SIZE, element)))
    return _binary(b, "mul", index, Const(size_of(element)))


def _bits(b: Builder, node: tree.KernelPlace, kind: Type) -> Value:
    """A bit field, as bpf_core_read_bitfield does: its unit into 8 bytes, then shifted up and down (libbpf's
    bpf_core_read.h). Where the unit is, how large it is and how far to shift may differ in the running kernel.
    """
    root, path = _root(node), _fixed(node)
    first = node.first if isinstance(node.first, int) else 0

    def fact(which: int) -> Value:
        return _relocated(b, field_fact(which, root, path, first))

    address = _indexed(b, node, _binary(b, "add", as_int(b, b.value(node.base)), fact(core.BYTE_OFFSET)))
    unit = slot_at(b, "bits", 8, temporary=True)
    b.store(unit.base, unit.offset, 64, Const(0))
    reader = kernel.PROBE_READ_USER if _far(node) == Space.USER else kernel.PROBE_READ_KERNEL
    b.call(reader, unit.base, fact(core.BYTE_SIZE), address)
    value = _binary(b, "shl", b.load(unit.base, unit.offset, 64), fact(core.LSHIFT))
    return _binary(b, "ashr" if int_type(kind).signed else "lshr", value, fact(core.RSHIFT))


def _binary(b: Builder, op: str, lhs: Value, rhs: Value) -> Value:
    if type(rhs) is Const and rhs.value == 1 and op == "mul":
        return lhs
    if type(lhs) is Const and type(rhs) is Const:
        from pybpf.compiler.ir import arith

        return Const(arith.binary(op, lhs.value & arith.MASK64, rhs.value & arith.MASK64, 64))
    return b.emit(ops.Binary(op, lhs, rhs, 64, "", b.span))


def _relocated(b: Builder, fact: CoreFact) -> Value:
    return b.emit(ops.Relocated(fact, "", b.span))
