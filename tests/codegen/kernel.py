"""The bpf(2) system call, as far as tests of bare instructions need it: load a program, run it, close it.

`load` gives (file descriptor or -errno, verifier log). Needs CAP_BPF; `why_not()` says what is missing, for skips.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import struct
from typing import NamedTuple

SYSCALL_NUMBER = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_PROG_TEST_RUN = 0, 5, 10
SOCKET_FILTER, XDP, SYSCALL = 1, 6, 31
SLEEPABLE = 1 << 4

_libc = ctypes.CDLL(None, use_errno=True)


def bpf(command: int, attr: bytearray) -> int:
    """One system call; `attr` is updated in place. Returns its result, or -errno."""
    buffer = (ctypes.c_char * len(attr)).from_buffer(attr)
    done = _libc.syscall(SYSCALL_NUMBER, command, buffer, len(attr))
    return done if done >= 0 else -ctypes.get_errno()


def load(code: bytes, program_type: int = SYSCALL, log_level: int = 0) -> tuple[int, str]:
    """Load instructions as a GPL program. The log is empty at level 0."""
    text = ctypes.create_string_buffer(code, len(code))
    log = ctypes.create_string_buffer(1 << 20 if log_level else 1)
    license = ctypes.create_string_buffer(b"GPL")
    flags = SLEEPABLE if program_type == SYSCALL else 0
    attr = bytearray(
        struct.pack(
            "<IIQQIIQII", program_type, len(code) // 8, ctypes.addressof(text), ctypes.addressof(license), log_level,
            len(log) if log_level else 0, ctypes.addressof(log) if log_level else 0, 0, flags,
        )
    )  # fmt: skip
    done = bpf(BPF_PROG_LOAD, attr + bytes(72))
    return done, log.value.decode(errors="replace")


class Ran(NamedTuple):
    error: int
    retval: int
    context: bytes


def run(fd: int, context: bytes) -> Ran:
    """BPF_PROG_TEST_RUN of a SYSCALL program: its context, which it may have changed, and what it returned."""
    memory = ctypes.create_string_buffer(context, len(context))
    attr = bytearray(struct.pack("<IIIIQQIIIIQQIII", fd, 0, 0, 0, 0, 0, 0, 0, len(context), 0,
                                 ctypes.addressof(memory), 0, 0, 0, 0))  # fmt: skip
    attr += bytes(8)
    done = bpf(BPF_PROG_TEST_RUN, attr)
    return Ran(done, struct.unpack_from("<I", attr, 4)[0], memory.raw)


@functools.cache
def why_not() -> str:
    """Why programs can't be loaded here, or ""."""
    if SYSCALL_NUMBER is None:
        return f"the number of bpf(2) on {platform.machine()} is not known to the tests"
    fd, _ = load(bytes.fromhex("b700000000000000 9500000000000000"), SOCKET_FILTER)
    if fd < 0:
        return f"the kernel refuses BPF programs: {errno.errorcode.get(-fd, fd)}"
    os.close(fd)
    return ""
