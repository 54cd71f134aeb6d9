"""Attaching to functions of user space, by an offset in a file.

Options, beside `target` (a process's id):
    pid       only in this process; all by default
    file, function, offset    what to probe instead of what the section says
    functions, offsets    the same for probes of many places; offsets are in the file
    cookie    a number that `ctx.cookie()` gives (Linux 5.15); many: `cookies`, {name: number}
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.links.base import descriptor_link, refused
from pybpf.runtime.links.kernelprobes import cookies_of, open_probe_source

if TYPE_CHECKING:
    from pybpf.runtime.links.base import Link
    from pybpf.runtime.program import LoadedProgram

__all__ = ["attach_uprobe", "attach_uprobes", "open_uprobe", "process"]

_SECTION = re.compile(r"^(.*):([^:+]*)(?:\+(0x[0-9a-fA-F]+|\d+))?$")


def process(options: dict[str, Any]) -> int:
    """The process that was asked for; -1 for all."""
    return int(options.get("pid", options.get("target") or -1))


def open_uprobe(path: str, at: int, *, returning: bool = False, pid: int = -1, counter: int = 0) -> int:
    """A perf event of the kernel's uprobe event source. `counter` is the place in the file of a 16-bit counter that is
    above 0 while somebody probes there; 0 for none.
    """
    kind, bit = open_probe_source("uprobe")
    name = ctypes.create_string_buffer(os.fsencode(path))
    return syscall.open_perf_event(
        kind, returning << bit | counter << 32, config1=ctypes.addressof(name), config2=at, pid=pid,
        cpu=0 if pid == -1 else -1,
    )  # fmt: skip


def attach_uprobe(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """A perf event at an offset in a file."""
    from pybpf.runtime.binaries import find_binary, symbol_offset

    match = _SECTION.match(section.partition("/")[2])
    file, function, offset = (match[1], match[2], int(match[3] or "0", 0)) if match else ("", "", 0)
    file = str(options.get("file") or file)
    function = str(options.get("function", function))
    offset = int(options.get("offset", offset))
    pid = process(options)
    if not file:
        raise AttachError(
            f"attaching {program.name!r}: which file and function?", 'name them, as in file="libc", function="malloc"'
        )
    path = find_binary(file, pid)
    where = f"{path}:{function}" + (f"+{offset:#x}" if offset or not function else "")
    at = symbol_offset(path, function) + offset if function else offset
    returning = section.startswith("uretprobe")
    try:
        event = open_uprobe(path, at, returning=returning, pid=pid)
        fd = syscall.perf_attach(event, program.fd, int(options.get("cookie") or 0))
    except OSError as error:
        help = f"no process {pid}" if error.errno == errno.ESRCH else ""
        refused(program, where, error, help)
    return descriptor_link(program, "uretprobe" if returning else "uprobe", where, fd)


def attach_uprobes(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """A link to many places of a file."""
    from pybpf.runtime.binaries import find_binary, matching_offsets

    kind, _, rest = section.partition("/")
    file, _, pattern = rest.rpartition(":")
    declared = program.spec.attach if program.spec is not None else {}
    file = str(options.get("file") or file or declared.get("binary") or "")
    functions = options.get("functions") or pattern or declared.get("functions") or ()
    patterns = [functions] if isinstance(functions, str) else [str(each) for each in functions]
    offsets = options.get("offsets")
    if not file or not (patterns or offsets):
        raise AttachError(
            f"attaching {program.name!r}: which file and functions?", 'name them, as in file="libc", functions="str*"'
        )
    pid = process(options)
    path = find_binary(file, pid)
    if offsets is not None:
        found = {f"{int(at):#x}": int(at) for at in offsets}
    else:
        found = matching_offsets(path, patterns)
    where = f"{path}:{', '.join(patterns) if offsets is None else ', '.join(found)}"
    cookies = cookies_of(program, options, list(found))
    attach_type = syscall.BPF_TRACE_UPROBE_SESSION if "session" in kind else syscall.BPF_TRACE_UPROBE_MULTI
    try:
        fd = syscall.link_uprobes(
            program.fd, attach_type, path, list(found.values()), counters=None, cookies=cookies, pid=max(pid, 0),
            returning=kind.startswith("uretprobe"),
        )  # fmt: skip
    except OSError as error:
        help = ""
        if error.errno == errno.ESRCH:
            help = f"no process {pid}"
        elif error.errno == errno.EINVAL:
            help = "probes of many places by one link need Linux 6.6; those of sessions 6.13"
        refused(program, where, error, help)
    return descriptor_link(program, kind, where, fd)
