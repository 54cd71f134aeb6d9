"""Loops over a map: the body is a function that bpf_for_each_map_elem() calls with the address of key and value."""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.loops import finish_loop
from pybpf.compiler.irbuild.memory import Address, copy, load, slot_at
from pybpf.compiler.irbuild.outline import GO_ON, outlined
from pybpf.compiler.irbuild.tails import clear_tails
from pybpf.compiler.schema.types import U64, PtrType, Space, Type, is_aggregate, opaque_in, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder
    from pybpf.compiler.irbuild.outline import Body
    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["for_map", "given_key", "given_value", "lockable"]

_ADDRESS = PtrType(U64, Space.MAP)


def for_map(b: Builder, node: tree.ForMap) -> None:
    spec = node.map
    after = b.new_block("endfor")
    other = b.new_block("else") if node.orelse else after
    params = [(name, "ptr", _ADDRESS) for name in ("map", "key", "value")]
    if spec.kind.family == "commands":
        params = [("command", "ptr", _ADDRESS)]

    def build(body: Body) -> None:
        inner = body.inner
        if spec.kind.family == "commands":
            assert node.value is not None
            sent = body.params[0] if spec.value is None else _sent(body, spec.value)
            inner.write(inner.cells(node.value), sent)
            inner.statements(node.body)
            return
        if node.key is not None:
            inner.write(inner.cells(node.key), given_key(inner, body.params[1], spec.key))  # type: ignore[arg-type]
        if node.value is not None:
            value = lockable(inner, spec, body.params[1], body.params[2], lambda: body.end(GO_ON))
            inner.write(inner.cells(node.value), given_value(inner, value, spec.value))  # type: ignore[arg-type]
        inner.statements(node.body)

    def call(function: Value, frame: Value) -> None:
        table = b.emit(ops.MapAddr(spec.name, span=b.span))
        if spec.kind.family == "commands":
            b.call(kernel.USER_RINGBUF_DRAIN, table, function, frame, Const(0))
            return
        b.call(kernel.FOR_EACH_MAP_ELEM, table, function, frame, Const(0))

    outlined(b, node, params, build, call, lambda: b.jump(other), other, after)
    finish_loop(b, node.orelse, other, after)


def _sent(body: Body, kind: Type) -> Value:
    """A copy of what user space has sent, from the dynptr that the kernel gave. What is too short is passed over."""
    b = body.inner
    made = slot_at(b, str(kind), size_of(kind))
    failed = b.call(kernel.DYNPTR_READ, made.base, Const(size_of(kind)), body.params[0], Const(0), Const(0))
    whole, short = b.new_block("sent"), b.new_block("short")
    b.test("eq", failed, Const(0), whole, short)
    b.start(short)
    body.end(GO_ON)
    b.start(whole)
    clear_tails(b, made, kind)
    return made.base if is_aggregate(kind) else load(b, made, kind)


def given_key(b: Builder, key: Value, kind: Type) -> Value:
    """The key at an address that the kernel gave: a copy, since keys are not to be written to."""
    at = Address(key, 0, Space.MAP)
    if not is_aggregate(kind):
        return load(b, at, kind)
    made = slot_at(b, str(kind), size_of(kind))
    copy(b, made, at, size_of(kind))
    return made.base


def given_value(b: Builder, value: Value, kind: Type) -> Value:
    """The number at an address that the kernel gave, or a reference to the object there."""
    return value if is_aggregate(kind) else load(b, Address(value, 0, Space.MAP), kind)


def lockable(b: Builder, spec: MapSpec, key: Value, value: Value, gone: Callable[[], None]) -> Value:
    """The value at an address that the kernel gave, as one that a spin lock can be taken in.

    Before Linux 6.2 the verifier knows a lock by the lookup that gave the value. Where the element is gone by now, so
    is the lock: `gone` goes on then.
    """
    if b.shared.target.kernel >= (6, 2) or "bpf_spin_lock" not in opaque_in(spec.value):
        return value
    table = b.emit(ops.MapAddr(spec.name, span=b.span))
    found = b.call(kernel.MAP_LOOKUP, table, key, kind="ptr")
    there, missing = b.new_block("there"), b.new_block("gone")
    b.test("ne", found, Const(0), there, missing)
    b.start(missing)
    gone()
    b.start(there)
    return b.guard(found)
