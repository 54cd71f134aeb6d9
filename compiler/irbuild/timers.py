"""Timers: bpf_timer_init, _set_callback and _start in a row; the callback as a static function.

A timer that was initialised before says so (EBUSY), which does no harm.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Function
from pybpf.compiler.ir.ops import Const, Param, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.builder import Builder
from pybpf.compiler.irbuild.entry import finish
from pybpf.compiler.irbuild.mapwalk import given_key, given_value, lockable
from pybpf.compiler.irbuild.memory import pointer
from pybpf.compiler.irbuild.places import address_of
from pybpf.compiler.schema.types import I32, U64, PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["timer_call"]

_CLOCK_MONOTONIC = 1  # include/uapi/linux/time.h


def timer_call(b: Builder, node: tree.TimerCall) -> Value:
    at = pointer(b, address_of(b, node.timer))
    if node.map is None or node.callback is None or node.delay is None:
        return b.emit(ops.Cmp("eq", b.call(kernel.TIMER_CANCEL, at), Const(1), 64, "", b.span))
    delay = b.value(node.delay)
    function = _callback(b, node.callback, node.map)
    b.call(kernel.TIMER_INIT, at, b.emit(ops.MapAddr(node.map.name, span=b.span)), Const(_CLOCK_MONOTONIC))
    b.call(kernel.TIMER_SET_CALLBACK, at, b.emit(ops.FuncAddr(function.name, "", b.span)))
    started = b.call(kernel.TIMER_START, at, delay, Const(0))
    return b.emit(ops.Cmp("eq", started, Const(0), 64, "", b.span))


def _callback(b: Builder, callback: tree.Callback, spec: MapSpec) -> Function:
    """The callback's function, built when it is first asked for; it may start itself again."""
    found = b.shared.callbacks.get(callback)
    if found is not None:
        return found
    source = callback.function
    assert source is not None and callback.key is not None and callback.value is not None
    assert spec.key is not None and spec.value is not None
    params = [Param(i, "ptr", name) for i, name in enumerate(("map", "key", "value"))]
    function = Function(
        b.shared.fresh(source.name), ".text", params, static=True, result=I32,
        param_types=(PtrType(U64, Space.MAP),) * 3, span=source.span,
    )  # fmt: skip
    b.shared.callbacks[callback] = function
    inner = Builder(function, b.program, b.tables, b.shared, Const(0))
    inner.source = source
    inner.span = source.span
    inner.write(inner.cells(callback.key), given_key(inner, params[1], spec.key))
    value = lockable(inner, spec, params[1], params[2], lambda: inner.leave(Const(0)))
    inner.write(inner.cells(callback.value), given_value(inner, value, spec.value))
    inner.statements(source.body)
    if inner.reachable:
        inner.leave(Const(0))
    finish(inner)
    b.shared.bodies.append(function)
    return function
