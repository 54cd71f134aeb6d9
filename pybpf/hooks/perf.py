"""Perf events: samples of a clock, of page faults, of other events that the kernel counts, of breakpoints."""

from __future__ import annotations

from pybpf.hooks.base import ContextHook
from pybpf.stdlib.contexts.tracing import PerfEventContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeVar

    from pybpf.program import Program

    R = TypeVar("R", bound="int | None", covariant=True)

    class _PerfEvent(Protocol):
        def __call__(self, function: Callable[[PerfEventContext], R], /) -> Program[[PerfEventContext], R]: ...


__all__ = ["perf_event"]

# A sample of an event. Which event is said when it is attached:
#     obj.attach(profile={"event": "cpu-clock", "frequency": 99})
perf_event: _PerfEvent = ContextHook("perf_event", "perf_event", PerfEventContext, int)  # type: ignore[assignment]
