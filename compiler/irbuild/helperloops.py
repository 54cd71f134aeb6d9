"""Loops over a helper that calls the body, as a function that it gives an object to: `HelperSpec.body`."""

from __future__ import annotations

from pybpf.compiler.irbuild.calls import argument
from pybpf.compiler.irbuild.loops import finish_loop
from pybpf.compiler.irbuild.outline import outlined
from pybpf.compiler.schema.types import PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.ir.ops import Value
    from pybpf.compiler.irbuild.builder import Builder
    from pybpf.compiler.irbuild.outline import Body

__all__ = ["for_helper"]

_OBJECT = PtrType(None, Space.ARGUMENT)


def for_helper(b: Builder, node: tree.ForHelper) -> None:
    spec = node.helper
    at = next(i for i, taken in enumerate(spec.args) if taken.kind == "func")
    given = [argument(b, arg, "", None) for arg in node.args]
    after = b.new_block("endfor")
    other = b.new_block("else") if node.orelse else after

    def build(body: Body) -> None:
        inner = body.inner
        inner.write(inner.cells(node.var), body.params[-1])
        inner.statements(node.body)

    def call(function: Value, frame: Value) -> None:
        b.call((spec.name, spec.id), *given[:at], function, frame, *given[at:])

    params = [(name, "ptr", _OBJECT) for name, _ in spec.body]
    outlined(b, node, params, build, call, lambda: b.jump(other), other, after)
    finish_loop(b, node.orelse, other, after)
