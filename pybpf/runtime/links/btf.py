"""Attaching to what the kernel's BTF describes: functions, BTF tracepoints, LSM hooks, functions of BPF programs."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.links.base import descriptor_link, refused

if TYPE_CHECKING:
    from pybpf.runtime.links.base import Link
    from pybpf.runtime.program import LoadedProgram

__all__ = ["attach_btf", "attach_lsm_cgroup", "attach_replacement", "function_id", "why_busy"]

# enum bpf_attach_type, by what the section begins with
_TYPES = {"tp_btf": 23, "fentry": 24, "fexit": 25, "fmod_ret": 26, "lsm": 27}
_LSM_CGROUP = 43
_BTF_GET_FD_BY_ID = 19
_HELPS = {
    errno.EOPNOTSUPP: "this kernel can't trace functions by BTF: it lacks CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS",
}


def attach_btf(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """To the function, tracepoint or hook that the program was loaded for. `cookie` is what
    bpf_get_attach_cookie() gives it there (Linux 5.19; tracepoints 6.10)."""
    head, _, name = section.partition("/")
    cookie = int(options.get("cookie", 0))
    if options.get("target") is not None:
        raise AttachError(
            f"attaching {program.name!r}: it was loaded for {name!r}, and can't be attached elsewhere",
            f'decorate it with the other function: @{head.removesuffix(".s")}("...")',
        )
    try:
        if cookie:
            kind = _TYPES[head.removesuffix(".s")]
            rest = struct.pack("<QQ", cookie, 0) if kind == 23 else struct.pack("<IIQ", 0, 0, cookie)
            fd = syscall.link_create(program.fd, 0, kind, 0, rest)
        else:
            fd = syscall.raw_tracepoint_open(program.fd, "")
    except OSError as error:
        help = why_busy(head, name) if error.errno == errno.EBUSY else _HELPS.get(error.errno or 0, "")
        refused(program, f"{head} {name}", error, help)
    return descriptor_link(program, head, name, fd)


def why_busy(head: str, function: str) -> str:
    """What EBUSY means for a tracer of a function: as it says, or that no tracer can be there."""
    from pybpf.runtime.links.kernelprobes import matching

    try:
        traceable = head not in ("fentry", "fexit", "fmod_ret") or bool(matching([function]))
    except (AttachError, OSError):  # nobody says
        traceable = True
    if traceable:
        return "another tracer holds the function, or as many programs are there as can be (38)"
    return f"{function}() has no place for tracers: tracefs's available_filter_functions lacks it; try what calls it"


def attach_replacement(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """In the place of the function that it was loaded for; or, as target (loaded program, "function"), of another
    of the same signature (Linux 5.10)."""
    head, _, name = section.partition("/")
    target = options.get("target")
    try:
        if target is None:
            fd = syscall.raw_tracepoint_open(program.fd, "")
        else:
            other, name = _given(program, target)
            fd = syscall.link_create(program.fd, other.fd, 0, 0, struct.pack("<I", function_id(other, name)))
    except OSError as error:
        helps = {
            errno.EBUSY: "the function is replaced already",
            errno.EINVAL: "the parameters or the result of the function are others",
        }
        refused(program, f"function {name}()", error, helps.get(error.errno or 0, ""))
    return descriptor_link(program, head, name, fd)


def _given(program: LoadedProgram, target: Any) -> tuple[LoadedProgram, str]:
    if isinstance(target, tuple) and len(target) == 2 and hasattr(target[0], "fd") and isinstance(target[1], str):
        return target
    raise AttachError(
        f"attaching {program.name!r}: the target is a loaded program and the name of its function",
        f'obj.attach({program.name}=(other.programs["main"], "function"))',
    )


def function_id(program: LoadedProgram, name: str) -> int:
    """The id of a function in the BTF of a loaded program. Raises AttachError, OSError."""
    from pybpf.compiler.btf import types as t
    from pybpf.compiler.btf.decode import decode_btf

    (number,) = struct.unpack_from("<I", syscall.obj_info(program.fd, 232), 128)  # bpf_prog_info.btf_id
    if not number:
        raise AttachError(f"program {program.name!r} was loaded without BTF, which tells its functions apart")
    fd = syscall.bpf(_BTF_GET_FD_BY_ID, struct.pack("<III", number, 0, 0))
    try:
        btf = decode_btf(syscall.btf_data(fd))
    finally:
        os.close(fd)
    found = btf.find(name, t.Func)
    if not found:
        names = ", ".join(each for _, each in btf.names(t.Func))
        raise AttachError(f"program {program.name!r} has no function {name!r}", f"it has {names}")
    return found


def attach_lsm_cgroup(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """To a cgroup, by the path of its directory or an open file descriptor of that."""
    from pybpf.runtime.links.cgroups import no_cgroup, opened_cgroup

    name = section.partition("/")[2]
    with opened_cgroup(program, options.get("target")) as (directory, where):
        try:
            fd = syscall.link_create(program.fd, directory, _LSM_CGROUP)
        except OSError as error:
            help = no_cgroup() if error.errno == errno.EBADF else ""
            refused(program, f"LSM hook {name} of {where}", error, help)
    return descriptor_link(program, "lsm_cgroup", name, fd)
