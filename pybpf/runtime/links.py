"""Attaching programs; a `Link` keeps one attached.

Where a program goes is read from its section name (libbpf's table), and can be given when attaching:

    section                     options of attach()
    tracepoint/CATEGORY/NAME    target "category:name"
    raw_tp/NAME                 target name
    xdp, xdp.frags              target interface (name or index), mode "generic" | "native" | "offload", netns
    tcx/ingress, tcx/egress     target interface, netns
    uprobe/FILE:FUNCTION+N,     target pid (default: all processes), pid, file, function, offset
      uretprobe, .s variants
    all else                    none: libbpf attaches it

`netns` is a name of `ip netns` or a path such as /proc/PID/ns/net.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError, NotPermitted, errno_name, not_permitted
from pybpf.runtime.libbpf import library, messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from pybpf.runtime.program import LoadedProgram

__all__ = ["Link", "attach", "attachable", "options"]


class Link:
    """An attachment: a context manager that detaches at its end. Its object detaches it too when it closes."""

    def __init__(self, program: LoadedProgram, kind: str, target: str, fd: int, close: Callable[[], None]) -> None:
        self.program = program
        self.kind = kind
        self.target = target
        self._fd = fd
        self._close: Callable[[], None] | None = close

    @property
    def attached(self) -> bool:
        return self._close is not None

    @property
    def fd(self) -> int:
        """The link's file descriptor (a perf event's on kernels before 5.15); -1 once detached."""
        return self._fd if self._close is not None else -1

    def detach(self) -> None:
        """Stop running the program there. May be called twice."""
        close, self._close = self._close, None
        if close is not None:
            self.program.owner._drop_link(self)
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def __repr__(self) -> str:
        return f"<link {self.program.name!r} -> {self.kind} {self.target}{'' if self.attached else ' (detached)'}>"


def attachable(section: str) -> bool:
    """Whether attaching all programs includes one of this section: not those that are only run or given to a socket."""
    return section.lstrip("?").partition("/")[0] not in ("syscall", "socket")


def options(section: str) -> tuple[str, ...]:
    """The options that attaching a program of that section takes."""
    head = section.lstrip("?").partition("/")[0]
    return _ATTACHERS[head][1] if head in _ATTACHERS else ()


def attach(program: LoadedProgram, options: dict[str, Any]) -> Link:
    """Attach a program; see the module's docstring."""
    section = program.section.lstrip("?")
    head = section.partition("/")[0]
    attacher, known = _ATTACHERS.get(head, (_attach_by_libbpf, ()))
    for option in options:
        if option not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise AttachError(f"attaching {program.name!r} ({section}): unknown option {option!r}", takes)
    return attacher(program, section, options)


def _descriptor_link(program: LoadedProgram, kind: str, target: str, fd: int) -> Link:
    return Link(program, kind, target, fd, lambda: os.close(fd))


def _refused(program: LoadedProgram, where: str, error: OSError, help: str = "") -> NoReturn:
    if isinstance(error, NotPermitted):
        raise error
    what = f"attaching {program.name!r} to {where}"
    if error.errno in (errno.EPERM, errno.EACCES):
        raise not_permitted(what, help) from None
    raise AttachError(f"{what}: {errno_name(error.errno or 0)}", help) from None


# ---------------------------------------------------------------------- tracing


def _attach_tracepoint(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
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
        _refused(program, f"tracepoint {where}", error, help)
    return _descriptor_link(program, "tracepoint", where, fd)


def _attach_raw_tracepoint(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
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
        _refused(program, f"raw tracepoint {name}", error, help)
    return _descriptor_link(program, "raw_tp", name, fd)


_UPROBE_SECTION = re.compile(r"^(.*):([^:+]*)(?:\+(0x[0-9a-fA-F]+|\d+))?$")


def _attach_uprobe(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
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
        _refused(program, where, error, help)
    return _descriptor_link(program, "uretprobe" if returning else "uprobe", where, fd)


# ---------------------------------------------------------------------- network

_XDP_MODES = {
    None: 0,
    "": 0,
    "generic": 1 << 1,
    "native": 1 << 2,
    "offload": 1 << 3,
}  # XDP_FLAGS_*_MODE, linux/if_link.h


def _attach_xdp(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    mode = options.get("mode")
    if mode not in _XDP_MODES:
        raise AttachError(f"attaching {program.name!r}: no XDP mode {mode!r}", 'use "generic", "native" or "offload"')
    helps = {
        errno.EBUSY: "the interface has an XDP program already: detach it first (ip link set dev NAME xdp off)",
        errno.EEXIST: "the interface has an XDP program in the other mode already",
        errno.EOPNOTSUPP: 'its driver has no native XDP: use mode="generic"',
        errno.EINVAL: "the kernel or the driver can't: the MTU may be too large for native XDP",
        errno.ERANGE: "the interface's MTU is too large for XDP",
    }
    return _attach_to_interface(program, syscall.BPF_XDP, _XDP_MODES[mode], options, helps)


def _attach_tcx(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    direction = syscall.BPF_TCX_EGRESS if section.endswith("egress") else syscall.BPF_TCX_INGRESS
    helps = {errno.EINVAL: "TCX needs Linux 6.6"}
    return _attach_to_interface(program, direction, 0, options, helps)


def _attach_to_interface(
    program: LoadedProgram, attach_type: int, flags: int, options: dict[str, Any], helps: dict[int, str]
) -> Link:
    target, netns = options.get("target"), options.get("netns")
    if target is None or target == "":
        raise AttachError(
            f"attaching {program.name!r}: to which interface?",
            f'name it: obj.attach({program.name}="eth0"), or None to leave it out',
        )
    where = f"interface {target}" + (f" of network namespace {netns}" if netns else "")

    def create() -> int:
        return syscall.link_create(program.fd, _interface_index(target, where), attach_type, flags)

    try:
        fd = _in_network(str(netns), create) if netns else create()
    except OSError as error:
        _refused(program, where, error, helps.get(error.errno or 0, ""))
    return _descriptor_link(program, program.section.lstrip("?"), str(target), fd)


def _interface_index(target: Any, where: str) -> int:
    import socket

    if isinstance(target, int):
        return target
    try:
        return socket.if_nametoindex(str(target))
    except OSError:
        names = ", ".join(name for _, name in socket.if_nameindex())
        raise AttachError(f"there is no {where}", f"there are: {names}") from None


def _in_network(netns: str, work: Callable[[], int]) -> int:
    """Run `work` in another network namespace: in a thread of its own, which enters it and ends."""
    import threading

    path = netns if "/" in netns else f"/run/netns/{netns}"
    try:
        space = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise AttachError(
            f"network namespace {netns!r}: {error.strerror}", "`ip netns list` shows those with a name"
        ) from None
    outcome: list[Any] = []

    def run() -> None:
        try:
            syscall.setns_network(space)
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    try:
        thread = threading.Thread(target=run, name="pybpf-netns")
        thread.start()
        thread.join()
    finally:
        os.close(space)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return int(outcome[0])


# ---------------------------------------------------------------------- all else


def _attach_by_libbpf(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    lib = library()
    with messages() as said:
        pointer = lib.bpf_program__attach(program.handle)
    if not pointer:
        code = ctypes.get_errno()
        text = "".join(f"\n  libbpf: {line}" for line in said[:4])
        if code in (errno.EPERM, errno.EACCES):
            raise not_permitted(f"attaching {program.name!r} to {section}")
        help = ""
        if code == errno.ENOENT and section.startswith(("kprobe", "kretprobe", "ksyscall", "kretsyscall")):
            from pybpf.runtime.kallsyms import why_not_probed

            help = why_not_probed(section.partition("/")[2].partition("+")[0])
        elif code == errno.EOPNOTSUPP:
            help = (
                f"programs of section {section!r} can't be attached by section alone, or this kernel has no such hook"
            )
        raise AttachError(f"attaching {program.name!r} to {section}: {errno_name(code)}{text}", help)

    def close() -> None:
        with messages(), suppress(OSError):
            lib.bpf_link__destroy(pointer)

    return Link(program, section.partition("/")[0], section.partition("/")[2], lib.bpf_link__fd(pointer), close)


_TRACEPOINT = (_attach_tracepoint, ("target",))
_RAW = (_attach_raw_tracepoint, ("target",))
_UPROBE = (_attach_uprobe, ("target", "pid", "file", "function", "offset"))
_XDP = (_attach_xdp, ("target", "mode", "netns"))
_ATTACHERS: dict[str, tuple[Callable[[LoadedProgram, str, dict[str, Any]], Link], tuple[str, ...]]] = {
    "tracepoint": _TRACEPOINT, "tp": _TRACEPOINT,
    "raw_tp": _RAW, "raw_tracepoint": _RAW, "raw_tp.w": _RAW, "raw_tracepoint.w": _RAW,
    "uprobe": _UPROBE, "uretprobe": _UPROBE, "uprobe.s": _UPROBE, "uretprobe.s": _UPROBE,
    "xdp": _XDP, "xdp.frags": _XDP,
    "tcx": (_attach_tcx, ("target", "netns")),
}  # fmt: skip
