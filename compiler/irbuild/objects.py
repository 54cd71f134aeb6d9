"""Objects that outlive a run of the program: those that maps keep, those of lists and trees, new ones.

Lists and trees give the address of the node inside an object; the object's own is reckoned behind a test for NULL, as
the verifier allows no arithmetic before. Its memory is checked member by member, so it is written that way.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Function
from pybpf.compiler.ir.ops import Const, Param, Value
from pybpf.compiler.irbuild.aggregates import construct
from pybpf.compiler.irbuild.builder import Builder
from pybpf.compiler.irbuild.entry import finish
from pybpf.compiler.irbuild.memory import Address, field_at, further, pointer, store, store_bits
from pybpf.compiler.irbuild.places import address_of
from pybpf.compiler.schema.types import BOOL, U64, NoneType, PtrType, Space, is_aggregate, opaque_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.schema.types import Field

__all__ = ["allocate", "kptr_load", "kptr_store", "node_call"]


def kptr_load(b: Builder, node: tree.KptrLoad) -> Value:
    at = address_of(b, node.place)
    return b.emit(ops.Load(at.base, at.offset, 64, False, "ptr", False, "", b.span))


def kptr_store(b: Builder, node: tree.KptrStore) -> None:
    at = address_of(b, node.place)
    b.store(at.base, at.offset, 64, b.value(node.value))


def allocate(b: Builder, node: tree.Allocate) -> Value:
    """The memory is as it was left: all fields are written. The kernel itself makes nodes and counts."""
    made = b.value(node.call)
    there, done = b.new_block("allocated"), b.new_block("object")
    b.test("ne", made, Const(0), there, done)
    b.start(there)
    at = Address(b.guard(made), 0, Space.OWNED)
    for field, value in node.initial.values:
        place = field_at(at, field.offset)
        if opaque_in(field.type):
            continue
        if is_aggregate(field.type):
            construct(b, place, field.type, value, fresh=True)
        elif field.bits:
            store_bits(b, at, field, b.value(value))
        else:
            store(b, place, field.type, b.value(value))
    b.jump(done)
    b.start(done)
    return made


def node_call(b: Builder, node: tree.NodeCall) -> Value:
    root = pointer(b, address_of(b, node.root))
    arguments: list[Value] = [root]
    if node.element is not None:
        arguments.append(further(b, b.value(node.element), Const(node.node.offset)))
    if node.type == BOOL:  # what follows is for the verifier to fill in
        arguments += [Const(0)] if node.less is None else [_less(b, node), Const(0)]
        failed = b.emit(ops.CallKernel(node.kfunc.name, [*arguments, Const(0)], "int", "", b.span))
        return b.emit(ops.Cmp("eq", b.emit(ops.Extend(failed, 32, True, "", b.span)), Const(0), 64, "", b.span))
    found = b.emit(ops.CallKernel(node.kfunc.name, arguments, "ptr", "", b.span))
    if not node.node.offset:
        return found
    there, done = b.new_block("there"), b.new_block("found")
    before = b.block
    b.test("ne", found, Const(0), there, done)
    b.start(there)
    element = _around(b, b.guard(found), node.node)
    end = b.block
    b.jump(done)
    b.start(done)
    return b.phi([(before, Const(0)), (end, element)], "ptr")


def _around(b: Builder, at: Value, node: Field) -> Value:
    """The object whose node is at an address."""
    return b.emit(ops.PtrAdd(at, Const(-node.offset), "", b.span)) if node.offset else at


def _less(b: Builder, node: tree.NodeCall) -> Value:
    """The address of the function that orders a tree. It is built when it is first asked for."""
    callback = node.less
    assert callback is not None
    function = b.shared.callbacks.get(callback)
    if function is None:
        source = callback.function
        assert source is not None and callback.key is not None and callback.value is not None
        params = [Param(i, "ptr", name) for i, name in enumerate(("a", "b"))]
        function = b.shared.callbacks[callback] = Function(
            b.shared.fresh(source.name), ".text", params, static=True, result=U64,
            param_types=(PtrType(U64, Space.MAP),) * 2, span=source.span,
        )  # fmt: skip
        inner = Builder(function, b.program, b.tables, b.shared, Const(0))
        inner.source = source
        inner.span = source.span
        for var, param in zip((callback.key, callback.value), params):
            inner.write(inner.cells(var), _around(inner, param, node.node))
        inner.statements(source.body)
        assert not isinstance(source.result, NoneType)
        if inner.reachable:
            inner.leave(Const(0))
        finish(inner)
        b.shared.bodies.append(function)
    return b.emit(ops.FuncAddr(function.name, "", b.span))
