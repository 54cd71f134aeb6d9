"""Per-CPU variables of the kernel: bpf_per_cpu_ptr() gives the address, or null where there is no such CPU."""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const
from pybpf.compiler.irbuild.memory import Address, load
from pybpf.compiler.schema.types import Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder, Lowered

__all__ = ["per_cpu"]

_PER_CPU_PTR = ("bpf_per_cpu_ptr", 153)


def per_cpu(b: Builder, node: tree.PerCpu) -> Lowered:
    """(present, value)."""
    cpu = b.value(node.cpu)
    variable = b.emit(ops.GlobalAddr(node.spec.name, span=b.span))
    found = b.call(_PER_CPU_PTR, variable, cpu, kind="ptr")
    start, there, done = b.block, b.new_block("there"), b.new_block("read")
    b.test("ne", found, Const(0), there, done)
    b.start(there)
    value = load(b, Address(b.guard(found), 0, Space.GLOBAL), node.spec.type)
    end = b.block
    b.jump(done)
    b.start(done)
    present = b.phi([(start, Const(0)), (end, Const(1))])
    return present, b.phi([(start, Const(0)), (end, value)])
