"""Attaching to tracepoints."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.links.base import descriptor_link, refused

if TYPE_CHECKING:
    from pybpf.runtime.links.base import Link
    from pybpf.runtime.program import LoadedProgram

__all__ = ["attach_raw_tracepoint", "attach_tracepoint"]


def attach_tracepoint(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """perf_event_open(2) of the tracepoint, with the program on it. The CPU does not matter: it runs on all of them."""
    from pybpf.runtime.tracefs import event_id

    where = str(options.get("target") or section.partition("/")[2]).replace("/", ":")
    category, colon, name = where.partition(":")
    if not colon or not name:
        raise AttachError(
            f"attaching {program.name!r}: which tracepoint?", "name it as category:name, as in sched:sched_switch"
        )
    number = event_id(category, name)
    try:
        event = syscall.open_perf_event(2, number)  # PERF_TYPE_TRACEPOINT
        fd = syscall.perf_attach(event, program.fd, int(options.get("cookie") or 0))
    except OSError as error:
        help = ""
        if error.errno == errno.EACCES:
            help = "the program reads beyond this tracepoint's record"
        refused(program, f"tracepoint {where}", error, help)
    return descriptor_link(program, "tracepoint", where, fd)


def attach_raw_tracepoint(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    name = str(options.get("target") or section.partition("/")[2])
    if not name:
        raise AttachError(f"attaching {program.name!r}: which raw tracepoint?", "name it, as in sched_switch")
    try:
        fd = syscall.raw_tracepoint_open(program.fd, name, int(options.get("cookie") or 0))
    except OSError as error:
        help = ""
        if error.errno == errno.ENOENT:
            help = "this kernel has no such tracepoint; raw tracepoints are named without their category"
        elif error.errno == errno.EINVAL and options.get("cookie"):
            help = "raw tracepoints have cookies since Linux 6.10"
        elif error.errno == errno.EINVAL and ".w" in section:
            help = "the program reads or writes beyond what this tracepoint lets be written"
        refused(program, f"raw tracepoint {name}", error, help)
    return descriptor_link(program, "raw_tp", name, fd)
