"""Tracepoints with their fields, system calls, perf's software events, section names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pybpf.attachable import Row
from pybpf.attachable.matching import matching

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fields_of", "live_tracepoints", "sections", "software_events", "system_calls", "tracepoints"]

# enum perf_sw_ids, include/uapi/linux/perf_event.h, by the names that perf has for them
_SOFTWARE = (
    "cpu-clock", "task-clock", "page-faults", "context-switches", "cpu-migrations", "minor-faults", "major-faults",
    "alignment-faults", "emulation-faults", "dummy", "bpf-output", "cgroup-switches",
)  # fmt: skip


def live_tracepoints() -> list[str] | None:
    """`category:event` of all that the running kernel has; None where tracefs can't be read."""
    from pybpf.runtime.errors import PybpfError
    from pybpf.runtime.tracefs import tracefs

    try:
        with tracefs() as root:
            fd = os.open("available_events", os.O_RDONLY | os.O_CLOEXEC, dir_fd=root)
            with open(fd, encoding="utf-8", errors="replace") as file:
                return file.read().split()
    except (OSError, PybpfError):
        return None


def fields_of(category: str, event: str) -> tuple[str, ...]:
    """The fields of a tracepoint as programs see them, `name: type`."""
    from pybpf.runtime.errors import PybpfError
    from pybpf.runtime.tracefs import event_format
    from pybpf.stdlib.tracepoints import bundled, fields_in

    try:
        found = fields_in(event_format(category, event), category == "syscalls")
    except (PybpfError, OSError):
        found = bundled(category, event) or []
    return tuple([f"{field.name}: {field.type}" for field in found])


def tracepoints(pattern: str, details: bool) -> Iterator[Row]:
    known = live_tracepoints()
    if known is None:
        from pybpf.stdlib.tracepoints import names

        known = names()
    for name in matching(pattern.replace("/", ":"), known):
        category, _, event = name.partition(":")
        yield Row("tracepoint", name, fields_of(category, event) if details else (), f'@tracepoint("{name}")')


def system_calls(pattern: str, details: bool) -> Iterator[Row]:
    """By the tracepoint that each has at its entry, whose fields are the arguments."""
    begin = "syscalls:sys_enter_"
    known = live_tracepoints()
    if known is None:
        from pybpf.stdlib.tracepoints import names

        known = names()
    for name in matching(pattern, [name[len(begin) :] for name in known if name.startswith(begin)]):
        shown: tuple[str, ...] = ()
        if details:
            shown = tuple([f for f in fields_of("syscalls", f"sys_enter_{name}") if not f.startswith("__syscall_nr")])
        yield Row("ksyscall", name, shown, f'@ksyscall("{name}")')


def software_events(pattern: str, details: bool) -> Iterator[Row]:
    for name in matching(pattern, _SOFTWARE):
        yield Row("software", name, (), "@perf_event")


def sections(pattern: str, details: bool) -> Iterator[Row]:
    from pybpf.stdlib.sections import SECTIONS

    for name in matching(pattern, SECTIONS):
        kind, attach, flags = SECTIONS[name]
        shown = [f"program type: {kind}", f"attach type: {attach if attach != '0' else 'none'}"]
        if "SLEEPABLE" in flags:
            shown.append("sleepable: yes")
        yield Row("section", name, tuple(shown) if details else ())
