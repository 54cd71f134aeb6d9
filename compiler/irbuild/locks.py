"""`with lock(value):` the lock is taken, and released on every way out, as a ring-buffer record is submitted."""

from __future__ import annotations

from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.builder import Reservation
from pybpf.compiler.irbuild.memory import pointer
from pybpf.compiler.irbuild.places import address_of
from pybpf.compiler.irbuild.ringbuf import release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder

__all__ = ["with_lock"]


def with_lock(b: Builder, node: tree.WithLock) -> None:
    at = pointer(b, address_of(b, node.lock))
    b.call(kernel.SPIN_LOCK, at, kind="void")
    held = Reservation(at, locked=True)
    b.reserved.append(held)
    b.statements(node.body)
    b.reserved.pop()
    if b.reachable:
        b.span = node.span
        release(b, held)
