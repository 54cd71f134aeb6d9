"""Tracepoints with their fields, system calls, perf's software events, section names."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pybpf.attachable import Row
from pybpf.attachable.matching import matching

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["live_tracepoints", "sections", "software_events", "system_calls", "tracepoints"]

# enum perf_sw_ids, include/uapi/linux/perf_event.h, by the names that perf has for them
_SOFTWARE = (
    "cpu-clock", "task-clock", "page-faults", "context-switches", "cpu-migrations", "minor-faults", "major-faults",
    "alignment-faults", "emulation-faults", "dummy", "bpf-output", "cgroup-switches",
)  # fmt: skip


def live_tracepoints() -> list[str] | None:
    """`category:event` of all that the running kernel has; None where tracefs can't be read."""
    with _opened() as root:
        text = _read(root, "available_events")
    return text.split() if text is not None else None


@contextmanager
def _opened() -> Iterator[int]:
    """tracefs as a directory's descriptor, once for many files; -1 where there is none."""
    from pybpf.runtime.errors import PybpfError
    from pybpf.runtime.tracefs import open_tracefs

    try:
        root = open_tracefs()
    except (OSError, PybpfError):
        root = -1
    try:
        yield root
    finally:
        if root >= 0:
            os.close(root)


def _read(root: int, path: str) -> str | None:
    if root < 0:
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=root)
    except OSError:
        return None
    with open(fd, encoding="utf-8", errors="replace") as file:
        return file.read()


def _fields(root: int, category: str, event: str) -> tuple[str, ...]:
    """The fields of a tracepoint as programs see them, `name: type`."""
    from pybpf.stdlib.tracepoints import bundled, fields_in

    text = _read(root, f"events/{category}/{event}/format")
    found = fields_in(text, category == "syscalls") if text is not None else bundled(category, event) or []
    return tuple([f"{field.name}: {field.type}" for field in found])


def _known() -> list[str]:
    known = live_tracepoints()
    if known is None:
        from pybpf.stdlib.tracepoints import names

        return names()
    return known


def tracepoints(pattern: str, details: bool) -> Iterator[Row]:
    with _opened() as root:
        for name in matching(pattern.replace("/", ":"), _known()):
            category, _, event = name.partition(":")
            yield Row("tracepoint", name, _fields(root, category, event) if details else (), f'@tracepoint("{name}")')


def system_calls(pattern: str, details: bool) -> Iterator[Row]:
    """By the tracepoint that each has at its entry, whose fields are the arguments."""
    begin = "syscalls:sys_enter_"
    with _opened() as root:
        for name in matching(pattern, [name[len(begin) :] for name in _known() if name.startswith(begin)]):
            found = _fields(root, "syscalls", f"sys_enter_{name}") if details else ()
            shown = tuple([field for field in found if not field.startswith("__syscall_nr")])
            yield Row("ksyscall", name, shown, f'@ksyscall("{name}")')


def software_events(pattern: str, details: bool) -> Iterator[Row]:
    for name in matching(pattern, _SOFTWARE):
        yield Row("software", name, (), "@perf_event")


def sections(pattern: str, details: bool) -> Iterator[Row]:
    from pybpf.stdlib.sections import SECTIONS

    for name in matching(pattern, SECTIONS):
        kind, attach, flags, since = SECTIONS[name]
        shown = [f"program type: {kind}", f"attach type: {attach if attach != '0' else 'none'}"]
        shown.append(f"since: Linux {since}")
        if "SLEEPABLE" in flags:
            shown.append("sleepable: yes")
        yield Row("section", name, tuple(shown) if details else ())
