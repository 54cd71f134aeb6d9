"""What lies in a map's value for the kernel to keep: spin locks and timers.

    class Flow(Struct):
        lock: SpinLock = SpinLock()
        packets: u64 = 0

    with lock(flow):            # flow = flows.get(key)
        flow.packets += 1

The kernel finds them by the names of their types in BTF (include/uapi/linux/bpf.h: struct bpf_spin_lock, bpf_timer).
Programs use them through the functions here only; user space sees that they are there, and nothing of what is inside.
"""

from __future__ import annotations

from pybpf.compiler.schema.specs import BuiltinSpec
from pybpf.compiler.schema.types import StructType
from pybpf.stdlib.builtins import Builtin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any, TypeVar

    from pybpf.stdlib.maps import Map
    from pybpf.stdlib.struct import Struct

    K = TypeVar("K")
    V = TypeVar("V")
    M = TypeVar("M", bound="Map[Any, Any]")

    class Opaque: ...

    class SpinLock:
        """A field of a map's value that `with lock(value):` takes."""

        def __init__(self) -> None: ...

    class Timer:
        """A field of a map's value: a function that the kernel calls later, with the element."""

        def __init__(self) -> None: ...

        def start(self, table: Map[K, V], delay: int, callback: Callable[[Any, K, V], None], /) -> bool:
            """Call `callback(table, key, value)` in `delay` nanoseconds, unless started anew or cancelled before.

            `table` is the map whose element this is. False where the kernel refuses: the element was deleted, or nobody
            but the program holds the map.
            """
            ...

        def cancel(self) -> bool:
            """Let it not call; whether it was going to. Waits for a call that runs now, unless that is the caller."""
            ...

    def lock(value: Struct, /) -> AbstractContextManager[None]:
        """Hold the SpinLock in a map's value in a `with` block: no other CPU holds it meanwhile."""
        ...


__all__ = ["Opaque", "SpinLock", "Timer", "lock"]


if not TYPE_CHECKING:

    class Opaque:
        """What the kernel keeps to itself: all are equal, and zero bytes."""

        __slots__ = ()

        def __eq__(self, other):
            return type(other) is type(self)

        def __hash__(self):
            return hash(type(self))

        def __repr__(self):
            return f"{type(self).__name__}()"

        def __copy__(self):
            return type(self)()

    class SpinLock(Opaque):
        """A field of a map's value that `with lock(value):` takes."""

        __slots__ = ()

    class Timer(Opaque):
        """A field of a map's value: a function that the kernel calls later, with the element."""

        __slots__ = ()

        start = BuiltinSpec("timer.start")
        cancel = BuiltinSpec("timer.cancel")

    SpinLock.__bpf__ = StructType("bpf_spin_lock", (), 4, 4, owner=SpinLock, opaque="bpf_spin_lock")
    Timer.__bpf__ = StructType("bpf_timer", (), 16, 8, owner=Timer, opaque="bpf_timer")

    def _lock(value, /):
        raise RuntimeError("lock() works inside a BPF program only: load() or simulate() the program")

    lock = Builtin("lock", _lock, "Hold the SpinLock in a map's value in a `with` block.")
