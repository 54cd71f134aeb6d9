"""System calls that no library wraps for us: bpf(2), perf_event_open(2), the mount API, membarrier(2).

Everything raises `OSError` with the kernel's errno; nothing here knows maps or programs. Numbers are from the kernel's
arch/*/entry/syscalls tables and include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import ctypes
import os
import struct

__all__ = [
    "bpf", "bpf_result", "btf_data", "detach_entry", "fence", "link_create", "link_kprobes", "link_uprobes", "obj_info",
    "open_perf_event", "perf_attach", "perf_enable", "raw_tracepoint_open", "setns_network", "tracefs_mount",
]  # fmt: skip

# bpf, perf_event_open, membarrier
_NUMBERS = {
    "x86_64": (321, 298, 324),
    "aarch64": (280, 241, 283),
    "riscv64": (280, 241, 283),
    "loongarch64": (280, 241, 283),
    "s390x": (351, 331, 356),
    "ppc64le": (361, 319, 365),
}
_MACHINE = os.uname().machine
_BPF, _PERF_EVENT_OPEN, _MEMBARRIER = _NUMBERS.get(_MACHINE, (-1, -1, -1))
# the same on every architecture
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432

MAP_LOOKUP_BATCH = 24
MAP_UPDATE_BATCH = 26
PROG_TEST_RUN = 10
OBJ_GET_INFO_BY_FD = 15
RAW_TRACEPOINT_OPEN = 17
LINK_CREATE = 28

BPF_PERF_EVENT = 41  # enum bpf_attach_type
BPF_XDP = 37
BPF_TRACE_KPROBE_MULTI = 42
BPF_FLOW_DISSECTOR = 17
BPF_NETFILTER = 45
BPF_TCX_INGRESS = 46
BPF_TCX_EGRESS = 47
BPF_NETKIT_PRIMARY = 54
BPF_NETKIT_PEER = 55
BPF_TRACE_UPROBE_MULTI = 48
BPF_TRACE_KPROBE_SESSION = 56
BPF_TRACE_UPROBE_SESSION = 57

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


def bpf_result(command: int, attr: bytes | bytearray) -> tuple[int, bytes]:
    """bpf(2): its result and the attr bytes as the kernel left them."""
    if _BPF < 0:
        raise OSError(38, f"bpf(2) on {_MACHINE} is not known")
    buffer = ctypes.create_string_buffer(bytes(attr), len(attr))
    result = _syscall(ctypes.c_long(_BPF), ctypes.c_int(command), buffer, ctypes.c_uint(len(attr)))
    if result < 0:
        code = ctypes.get_errno()
        error = OSError(code, os.strerror(code))
        error.attr = buffer.raw  # type: ignore[attr-defined]
        raise error
    return result, buffer.raw


def detach_entry(kind: int) -> dict[str, object]:
    """For pybpf.runtime.links.guard: BPF_PROG_DETACH of a program that is attached as `kind`."""
    return {"kind": "bpf", "call": _BPF, "command": 9, "type": kind}


def bpf(command: int, attr: bytes | bytearray) -> int:
    """bpf(2) where only the result matters: 0, or a new file descriptor (close-on-exec, as the kernel makes them)."""
    return bpf_result(command, attr)[0]


def link_create(prog_fd: int, target: int, attach_type: int, flags: int = 0, rest: bytes = b"") -> int:
    """BPF_LINK_CREATE: attach to a perf event fd or an interface index; the link's fd."""
    return bpf(LINK_CREATE, struct.pack("<IIII", prog_fd, target, attach_type, flags) + rest.ljust(48, b"\0"))


def raw_tracepoint_open(prog_fd: int, name: str, cookie: int = 0) -> int:
    """BPF_RAW_TRACEPOINT_OPEN; the link's fd. For BTF programs (tp_btf, fentry, LSM) `name` is empty.

    A cookie is refused with EINVAL by kernels before 6.10, which have none.
    """
    buffer = ctypes.create_string_buffer(name.encode())
    attr = struct.pack("<QII", ctypes.addressof(buffer) if name else 0, prog_fd, 0)
    return bpf(RAW_TRACEPOINT_OPEN, attr + (struct.pack("<Q", cookie) if cookie else b""))


def addresses(buffer: ctypes.Array[ctypes.c_char] | ctypes.Array[ctypes.c_uint64] | None) -> int:
    """The address of an array for the kernel to read; 0 for none. The array has to be kept until the call returns."""
    return ctypes.addressof(buffer) if buffer is not None else 0


def numbers(values: list[int] | None) -> ctypes.Array[ctypes.c_uint64] | None:
    """An array of u64; None for None."""
    return (ctypes.c_uint64 * len(values))(*values) if values is not None else None


def link_kprobes(
    prog_fd: int, attach_type: int, *, names: list[str] | None, at: list[int] | None, cookies: list[int] | None,
    returning: bool,
) -> int:  # fmt: skip
    """A link to many kernel functions, by name or by address; the link's fd. BPF_TRACE_KPROBE_MULTI or _SESSION."""
    texts = [ctypes.create_string_buffer(name.encode()) for name in names] if names is not None else None
    symbols = numbers([ctypes.addressof(text) for text in texts]) if texts is not None else None
    places, tags = numbers(at), numbers(cookies)
    count = len(names if names is not None else at or ())
    rest = struct.pack("<IIQQQ", int(returning), count, addresses(symbols), addresses(places), addresses(tags))
    return link_create(prog_fd, 0, attach_type, 0, rest)


def link_uprobes(
    prog_fd: int, attach_type: int, path: str, offsets: list[int], *, counters: list[int] | None,
    cookies: list[int] | None, pid: int, returning: bool,
) -> int:  # fmt: skip
    """A link to many places of a file; the link's fd. BPF_TRACE_UPROBE_MULTI or _SESSION.

    `counters` are the places in the file of 16-bit counters that are above 0 while somebody probes there; `pid` 0: all
    processes.
    """
    name = ctypes.create_string_buffer(os.fsencode(path))
    places, semaphores, tags = numbers(offsets), numbers(counters), numbers(cookies)
    rest = struct.pack(
        "<QQQQIII", ctypes.addressof(name), addresses(places), addresses(semaphores), addresses(tags), len(offsets),
        int(returning), pid,
    )  # fmt: skip
    return link_create(prog_fd, 0, attach_type, 0, rest)


def obj_info(fd: int, size: int) -> bytes:
    """BPF_OBJ_GET_INFO_BY_FD: as much of struct bpf_prog_info / bpf_map_info / bpf_link_info as `size` asks for."""
    info = ctypes.create_string_buffer(size)
    bpf(OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, size, ctypes.addressof(info)))
    return info.raw


def btf_data(fd: int) -> bytes:
    """The bytes of a loaded BTF object (struct bpf_btf_info)."""
    (size,) = struct.unpack_from("<I", obj_info(fd, 32), 8)
    data = ctypes.create_string_buffer(size)
    info = ctypes.create_string_buffer(struct.pack("<QIIQIIII", ctypes.addressof(data), size, 0, 0, 0, 0, 0, 0), 40)
    bpf(OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, 32, ctypes.addressof(info)))
    return data.raw


def open_perf_event(
    kind: int, config: int, *, config1: int = 0, config2: int = 0, pid: int = -1, cpu: int = 0, sample_type: int = 0,
    period: int = 1, flags: int = 0, breakpoint: int = 0,
) -> int:  # fmt: skip
    """perf_event_open(2) with a 128-byte struct perf_event_attr (PERF_ATTR_SIZE_VER7), close-on-exec.

    `period`: a sample after so many events; 1 for every event that only carries a BPF program, or is what one writes.
    `flags` are the bit fields of the attr: 2 inherit, 1024 freq (`period` is per second). `breakpoint` is its type
    (linux/hw_breakpoint.h).
    """
    attr = bytearray(128)
    struct.pack_into("<IIQQQ", attr, 0, kind, 128, config, period, sample_type)
    struct.pack_into("<Q", attr, 40, flags)
    struct.pack_into("<II", attr, 48, 1, breakpoint)  # wakeup_events
    struct.pack_into("<QQ", attr, 56, config1, config2)
    buffer = (ctypes.c_char * 128).from_buffer(attr)
    fd = _syscall(
        ctypes.c_long(_PERF_EVENT_OPEN),
        buffer,
        ctypes.c_int(pid),
        ctypes.c_int(cpu),
        ctypes.c_int(-1),
        ctypes.c_ulong(8),
    )
    return _checked(fd)


def perf_attach(perf_fd: int, prog_fd: int, cookie: int = 0) -> int:
    """Put a program on a perf event and start it: the fd that keeps it attached.

    A BPF link from 5.15 on (the perf event's own fd is then closed), else the event itself, which has no cookie.
    """
    import fcntl

    try:
        try:
            keeper = link_create(prog_fd, perf_fd, BPF_PERF_EVENT, 0, struct.pack("<Q", cookie))
        except OSError as error:
            if error.errno != 22 or cookie:  # EINVAL: no perf links in this kernel
                raise
            fcntl.ioctl(perf_fd, 0x40042408, prog_fd)  # PERF_EVENT_IOC_SET_BPF
            keeper = perf_fd
    except BaseException:
        os.close(perf_fd)
        raise
    try:
        perf_enable(perf_fd)
    except BaseException:
        os.close(keeper)
        raise
    finally:
        if keeper != perf_fd:
            os.close(perf_fd)
    return keeper


def perf_enable(perf_fd: int) -> None:
    """PERF_EVENT_IOC_ENABLE: let the event happen from now on."""
    import fcntl

    fcntl.ioctl(perf_fd, 0x2400, 0)


def tracefs_mount() -> int:
    """A directory fd of tracefs that is mounted nowhere: it needs no mount point and vanishes with the fd.

    fsopen, fsconfig(FSCONFIG_CMD_CREATE), fsmount (Linux 5.2); needs CAP_SYS_ADMIN.
    """
    context = _checked(_syscall(ctypes.c_long(_FSOPEN), b"tracefs", ctypes.c_uint(1)))
    try:
        _checked(
            _syscall(ctypes.c_long(_FSCONFIG), ctypes.c_int(context), ctypes.c_uint(6), None, None, ctypes.c_int(0))
        )
        return _checked(_syscall(ctypes.c_long(_FSMOUNT), ctypes.c_int(context), ctypes.c_uint(1), ctypes.c_uint(0)))
    finally:
        os.close(context)


def setns_network(fd: int) -> None:
    """Move the calling thread, and only it, into the network namespace behind `fd`."""
    _checked(_libc.setns(ctypes.c_int(fd), ctypes.c_int(0x40000000)))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


_registered = False


def fence() -> None:
    """A full memory barrier in the calling thread.

    On x86-64 loads are ordered among themselves and before later stores, so nothing is needed there. Elsewhere
    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) does it: kernel/sched/membarrier.c runs smp_mb() on the way.
    """
    if _MACHINE == "x86_64":
        return
    global _registered
    if not _registered:
        _syscall(ctypes.c_long(_MEMBARRIER), ctypes.c_int(16), ctypes.c_uint(0), ctypes.c_int(0))
        _registered = True
    _syscall(ctypes.c_long(_MEMBARRIER), ctypes.c_int(8), ctypes.c_uint(0), ctypes.c_int(0))
