"""Attaching to functions of the kernel: kprobe, kretprobe, ksyscall, and many functions by one link.

Options, beside `target` (what to probe instead of what the section says):
    cookie    a number that `ctx.cookie()` gives, for all functions (Linux 5.15)
    cookies   {name: number}, for programs of many functions
"""

from __future__ import annotations

import ctypes
import errno
import fnmatch
import os
import re
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.kallsyms import why_not_probed
from pybpf.runtime.links.base import descriptor_link, refused

if TYPE_CHECKING:
    from pybpf.runtime.links.base import Link
    from pybpf.runtime.program import LoadedProgram

__all__ = ["attach_kprobe", "attach_kprobes", "attach_ksyscall", "matching", "open_probe_source"]

_TARGET = re.compile(r"^([\w.]+)(?:\+(0x[0-9a-fA-F]+|\d+))?$")
# What the architecture calls the kernel's function for a system call (include/linux/syscalls.h and arch/*).
_WRAPPERS = {"x86_64": "__x64_sys_", "aarch64": "__arm64_sys_", "s390x": "__s390x_sys_", "riscv64": "__riscv_sys_"}


def open_probe_source(source: str) -> tuple[int, int]:
    """The number of the kernel's event source "kprobe" or "uprobe", and the bit that says return probe."""
    place = f"/sys/bus/event_source/devices/{source}/"
    try:
        with open(place + "type", encoding="ascii") as text:
            kind = int(text.read())
        with open(place + "format/retprobe", encoding="ascii") as text:
            return kind, int(text.read().strip().removeprefix("config:"))
    except OSError:
        raise AttachError(
            f"this kernel has no {source}s", f"use a kernel built with CONFIG_{source.upper()}_EVENTS"
        ) from None


def attach_kprobe(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """A perf event of the kernel's kprobe event source, at a function."""
    kind = section.partition("/")[0]
    wanted = str(options.get("target") or section.partition("/")[2])
    match = _TARGET.match(wanted)
    if match is None:
        raise AttachError(f"attaching {program.name!r}: which kernel function?", "name it, as in do_unlinkat")
    return _attach(program, kind, wanted, match[1], int(match[2] or "0", 0), options)


def attach_ksyscall(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """The same for a system call, by the architecture's name of the kernel's function for it."""
    kind, _, call = section.partition("/")
    call = str(options.get("target") or call)
    if not call:
        raise AttachError(f"attaching {program.name!r}: which system call?", "name it, as in openat")
    return _attach(program, kind, call, _WRAPPERS.get(os.uname().machine, "__se_sys_") + call, 0, options)


def _attach(program: LoadedProgram, kind: str, where: str, function: str, offset: int, options: dict[str, Any]) -> Link:
    returning = "ret" in kind
    try:
        source, bit = open_probe_source("kprobe")
    except AttachError as error:
        near = why_not_probed(function)  # of use where the name is wrong too
        help = error.help if "but does not let" in near else f"{error.help}; {near}"
        raise AttachError(f"attaching {program.name!r} to {kind} {where}: {error.message}", help) from None
    name = ctypes.create_string_buffer(function.encode())
    try:
        event = syscall.open_perf_event(source, returning << bit, config1=ctypes.addressof(name), config2=offset, cpu=0)
        fd = syscall.perf_attach(event, program.fd, int(options.get("cookie") or 0))
    except OSError as error:
        unknown = error.errno in (errno.ENOENT, errno.EINVAL, errno.EADDRNOTAVAIL, errno.EOPNOTSUPP)
        refused(program, f"{kind} {where}", error, why_not_probed(function) if unknown else "")
    return descriptor_link(program, kind, where, fd)


def attach_kprobes(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """A link to many functions: those of a list by their names, those of a pattern by their addresses."""
    kind, _, pattern = section.partition("/")
    declared = program.spec.attach.get("functions") if program.spec is not None else None
    wanted = options.get("target") or pattern or declared
    if not wanted:
        raise AttachError(
            f"attaching {program.name!r}: which kernel functions?", 'give a pattern, "vfs_*", or a list of names'
        )
    names = [wanted] if isinstance(wanted, str) else [str(name) for name in wanted]
    at: list[int] | None = None
    if any("*" in name or "?" in name for name in names):
        found = matching(names)
        if not found:
            raise AttachError(
                f"attaching {program.name!r}: no kernel function matches {' or '.join(names)}",
                "the functions that can be probed so are those of /sys/kernel/tracing/available_filter_functions",
            )
        names = [name for name, _ in found]
        if all(address for _, address in found):
            at = [address for _, address in found]
    cookies = cookies_of(program, options, names)
    if cookies is not None:
        at = None  # those addresses are behind the `endbr64` that functions begin with, where no cookie is looked for
    attach_type = syscall.BPF_TRACE_KPROBE_SESSION if "session" in kind else syscall.BPF_TRACE_KPROBE_MULTI
    shown = wanted if isinstance(wanted, str) else ", ".join(names)
    try:
        fd = syscall.link_kprobes(
            program.fd, attach_type, names=None if at else names, at=at, cookies=cookies,
            returning=kind.startswith("kretprobe"),
        )  # fmt: skip
    except OSError as error:
        help = ""
        if error.errno in (errno.ESRCH, errno.ENOENT, errno.EADDRNOTAVAIL) and at is None:
            help = _missing(names)
        elif error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            help = "this kernel can't probe many functions by one link: CONFIG_FPROBE, Linux 5.18 (sessions: 6.10)"
        refused(program, f"{kind} {shown}", error, help)
    return descriptor_link(program, kind, str(shown), fd)


def cookies_of(program: LoadedProgram, options: dict[str, Any], names: list[str]) -> list[int] | None:
    """The cookie of each function; None where none was given."""
    one, many = options.get("cookie"), options.get("cookies")
    if many is None:
        return [int(one)] * len(names) if one else None
    for name in many:
        if name not in names:
            from difflib import get_close_matches

            near = get_close_matches(str(name), names, 1)
            raise AttachError(
                f"attaching {program.name!r}: a cookie is given for {name!r}, which is not probed",
                f"did you mean {near[0]!r}?" if near else "",
            )
    return [int(many.get(name, one or 0)) for name in names]


def matching(patterns: list[str]) -> list[tuple[str, int]]:
    """Functions of the kernel that can be probed and match, by name; their addresses (0 before Linux 6.5)."""
    from pybpf.runtime.tracefs import tracefs

    fits = [re.compile(fnmatch.translate(pattern)).match for pattern in patterns]
    found: dict[str, int] = {}
    with tracefs() as root:
        for file in ("available_filter_functions_addrs", "available_filter_functions"):
            try:
                fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC, dir_fd=root)
            except FileNotFoundError:
                continue
            except PermissionError:
                raise AttachError(
                    "the kernel does not let the list of functions that can be probed be read (EPERM)",
                    "run as root; where the kernel is locked down, name the functions in a list",
                ) from None
            with open(fd, encoding="ascii", errors="replace") as lines:
                for line in lines:  # "ffffffff81000000 name [module]", or without the address
                    words = line.split()
                    address = int(words.pop(0), 16) if file.endswith("addrs") else 0
                    name = words[0]
                    if name.startswith("__ftrace_invalid_address") or (not address and words[1:]):
                        continue
                    if any(fit(name) for fit in fits):
                        found.setdefault(name, address)
            return sorted(found.items())
    raise AttachError(
        "this kernel has no list of functions that can be probed", "CONFIG_DYNAMIC_FTRACE is needed for patterns"
    )


def _missing(names: list[str]) -> str:
    """Which of these functions can't be probed."""
    try:
        known = {name for name, _ in matching(names)}
    except AttachError:
        known = set()
    absent = [name for name in names if name not in known]
    return why_not_probed(absent[0]) if absent else ""
