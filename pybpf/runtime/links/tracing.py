"""Attaching to tracepoints and to functions of user space."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.links.base import descriptor_link, refused

if TYPE_CHECKING:
    from pybpf.runtime.links.base import Link
    from pybpf.runtime.program import LoadedProgram

__all__ = ["attach_raw_tracepoint", "attach_tracepoint", "attach_uprobe"]


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
        fd = syscall.perf_attach(syscall.open_perf_event(2, number), program.fd)  # PERF_TYPE_TRACEPOINT
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
        fd = syscall.raw_tracepoint_open(program.fd, name)
    except OSError as error:
        help = (
            "this kernel has no such tracepoint; raw tracepoints are named without their category"
            if error.errno == 2
            else ""
        )
        refused(program, f"raw tracepoint {name}", error, help)
    return descriptor_link(program, "raw_tp", name, fd)


_UPROBE_SECTION = re.compile(r"^(.*):([^:+]*)(?:\+(0x[0-9a-fA-F]+|\d+))?$")


def attach_uprobe(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """perf_event_open(2) of the kernel's uprobe event source, at an offset in a file."""
    from pybpf.runtime.binaries import find_binary, symbol_offset

    match = _UPROBE_SECTION.match(section.partition("/")[2])
    file, function, offset = (match[1], match[2], int(match[3] or "0", 0)) if match else ("", "", 0)
    file = str(options.get("file") or file)
    function = str(options.get("function", function))
    offset = int(options.get("offset", offset))
    pid = int(options.get("pid", options.get("target") or -1))
    if not file:
        raise AttachError(
            f"attaching {program.name!r}: which file and function?", 'name them, as in file="libc", function="malloc"'
        )
    path = find_binary(file, pid)
    where = f"{path}:{function}" + (f"+{offset:#x}" if offset or not function else "")
    at = symbol_offset(path, function) + offset if function else offset
    returning = section.startswith("uretprobe")
    source = "/sys/bus/event_source/devices/uprobe/"
    try:
        with open(source + "type", encoding="ascii") as text:
            kind = int(text.read())
        with open(source + "format/retprobe", encoding="ascii") as text:
            bit = int(text.read().strip().removeprefix("config:"))
    except OSError:
        raise AttachError("this kernel has no uprobes", "use a kernel built with CONFIG_UPROBE_EVENTS") from None
    name = ctypes.create_string_buffer(os.fsencode(path))
    try:
        event = syscall.open_perf_event(
            kind, returning << bit, config1=ctypes.addressof(name), config2=at, pid=pid, cpu=0 if pid == -1 else -1
        )
        fd = syscall.perf_attach(event, program.fd)
    except OSError as error:
        help = f"no process {pid}" if error.errno == errno.ESRCH else ""
        refused(program, where, error, help)
    return descriptor_link(program, "uretprobe" if returning else "uprobe", where, fd)
