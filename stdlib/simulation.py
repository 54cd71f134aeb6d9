"""The seam between declarations and the simulator.

While a simulation runs, `active()` is its runtime, to which helpers, maps and packets turn. The simulator sets it with
`enter()` and gives back the previous one with the value that this returned. There is one for each thread, so that
tests may run in parallel.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Runtime(Protocol):
        """What a simulation offers to the declarations it runs into."""

        def map(self, declaration: Any, /) -> Any:
            """The in-memory map behind a declaration: a MutableMapping, or a ring buffer with `emit` and `reserve`."""

        def variable(self, declaration: Any, /) -> Any:
            """The value of a `const()` or `var()`."""

        def helper(self, spec: Any, args: tuple[Any, ...], /) -> Any:
            """The result of calling a kernel helper."""

        def iterate(self, spec: Any, args: tuple[Any, ...], /) -> Any:
            """What an iterator of the kernel gives."""

        def fill(self, spec: Any, args: tuple[Any, ...], /) -> Any:
            """The text or bytes that a filling helper makes."""

        def printk(self, message: str, /) -> None:
            """A line for the trace."""

        def struct_at(self, struct: Any, address: int, /) -> Any:
            """A struct that reads and writes the packet at an address."""


__all__ = ["TailCalled", "active", "current", "enter"]


class TailCalled(Exception):  # no error
    """Another program goes on in place of the one that runs."""

    def __init__(self, program: Any) -> None:
        super().__init__(program)
        self.program = program



_threads: Any = None


def active() -> Runtime | None:
    """The simulation that runs in this thread, if any."""
    return None if _threads is None else getattr(_threads, "runtime", None)


def current(what: str) -> Runtime:
    """The simulation that runs in this thread; a RuntimeError that names `what` without one."""
    runtime = active()
    if runtime is None:
        raise RuntimeError(
            f"{what} works inside a BPF program only: load() the program, or simulate() it to run it in plain Python"
        )
    return runtime


def enter(runtime: Runtime | None) -> Runtime | None:
    """Make `runtime` the active one of this thread and return the one before, for putting it back."""
    global _threads
    if _threads is None:
        import threading

        _threads = threading.local()
    before: Runtime | None = getattr(_threads, "runtime", None)
    _threads.runtime = runtime
    return before
