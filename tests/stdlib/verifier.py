"""A verifier to ask: loads a few instructions by bpf(2) itself, with nothing of pybpf in between."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

import pytest

SYS_BPF = {"x86_64": 321, "aarch64": 280}
PROG_LOAD = 5
RAW_TRACEPOINT_OPEN = 17
SLEEPABLE = 1 << 4

# enum bpf_prog_type, include/uapi/linux/bpf.h
PROGRAM_TYPES = {
    "SOCKET_FILTER": 1, "KPROBE": 2, "SCHED_CLS": 3, "TRACEPOINT": 5, "XDP": 6, "PERF_EVENT": 7, "CGROUP_SKB": 8,
    "CGROUP_SOCK": 9, "LWT_IN": 10, "LWT_XMIT": 12, "SOCK_OPS": 13, "SK_SKB": 14, "CGROUP_DEVICE": 15, "SK_MSG": 16,
    "RAW_TRACEPOINT": 17, "LWT_SEG6LOCAL": 19, "SK_REUSEPORT": 21, "FLOW_DISSECTOR": 22, "CGROUP_SYSCTL": 23,
    "SYSCALL": 31,
}  # fmt: skip


def insn(opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    return struct.pack("<BBhi", opcode, src << 4 | dst, off, imm)


def call(helper: int, arguments: int) -> bytes:
    """A program that calls a helper with so many zeros and returns 0."""
    code = b"".join(insn(0xB7, register) for register in range(1, arguments + 1))
    return code + insn(0x85, imm=helper) + insn(0xB7) + insn(0x95)


def load(code: bytes, kind: str, license: bytes = b"GPL", flags: int = 0) -> str:
    """The verifier's log; "" where it accepts. Skips where bpf(2) is not for us."""
    fd, said = _load(code, kind, license, flags)
    if fd >= 0:
        os.close(fd)
        return ""
    return said


def attach_raw(name: str, offset: int) -> bool:
    """Whether a program that reads 8 bytes at an offset of its context attaches to a raw tracepoint."""
    fd, said = _load(insn(0x79, 2, 1, offset) + insn(0xB7) + insn(0x95), "RAW_TRACEPOINT", b"GPL", 0)
    assert fd >= 0, said
    text = ctypes.create_string_buffer(name.encode())
    attributes = struct.pack("<QI", ctypes.addressof(text), fd).ljust(128, b"\0")
    link = _libc().syscall(SYS_BPF[platform.machine()], RAW_TRACEPOINT_OPEN, attributes, 128)
    error = ctypes.get_errno()
    os.close(fd)
    if link >= 0:
        os.close(link)
    else:
        assert error == errno.EINVAL, os.strerror(error)
    return bool(link >= 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _load(code: bytes, kind: str, license: bytes, flags: int) -> tuple[int, str]:
    if os.geteuid() != 0:
        pytest.skip("loading programs needs root")
    log = ctypes.create_string_buffer(1 << 16)
    insns, text = ctypes.create_string_buffer(code), ctypes.create_string_buffer(license)
    attributes = struct.pack(
        "<IIQQIIQII", PROGRAM_TYPES[kind], len(code) // 8, ctypes.addressof(insns), ctypes.addressof(text),
        1, len(log), ctypes.addressof(log), 0, flags,
    ).ljust(128, b"\0")  # fmt: skip
    fd = _libc().syscall(SYS_BPF[platform.machine()], PROG_LOAD, attributes, 128)
    said = log.value.decode()
    if fd < 0 and not said:
        pytest.skip(f"bpf(2) refuses {kind} programs: {os.strerror(ctypes.get_errno())}")
    return fd, said
