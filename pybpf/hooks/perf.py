"""Perf events: samples of a clock, of page faults, of other events that the kernel counts, of breakpoints."""

from __future__ import annotations

from pybpf.hooks.base import ContextHook, Simple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeVar

    from pybpf.program import Program
    from pybpf.stdlib.contexts.tracing import PerfEventContext

    R = TypeVar("R", bound="int | None", covariant=True)

    class _PerfEvent(Protocol):
        def __call__(self, function: Callable[[PerfEventContext], R], /) -> Program[[PerfEventContext], R]: ...

    perf_event: _PerfEvent

__all__ = ["perf_event"]


def _hook() -> ContextHook:
    from pybpf.stdlib.contexts.tracing import PerfEventContext

    return ContextHook("perf_event", "perf_event", PerfEventContext, int)


if not TYPE_CHECKING:
    perf_event = Simple("perf_event", _hook)
    perf_event.__doc__ = (
        "A sample of an event, which is said when it is attached: "
        'obj.attach(profile={"event": "cpu-clock", "frequency": 99}).'
    )
