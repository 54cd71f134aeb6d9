"""Loads tiny programs and creates tiny maps by bpf(2), to see what the kernel says; all is closed again."""

from __future__ import annotations

import ctypes
import os
import struct

from pybpf.runtime.syscall import bpf

__all__ = ["RETURN_0", "code", "load_btf", "program"]

_PROG_LOAD, _BTF_LOAD = 5, 18  # enum bpf_cmd
SLEEPABLE = 1 << 4  # BPF_F_SLEEPABLE


def code(*insns: tuple[int, int, int, int]) -> bytes:
    """Instructions of (opcode, registers, offset, immediate)."""
    return b"".join([struct.pack("<BBhi", *insn) for insn in insns])


RETURN_0 = code((0xB7, 0, 0, 0), (0x95, 0, 0, 0))  # r0 = 0; exit


def program(
    kind: int, attach: int = 0, insns: bytes = RETURN_0, *, flags: int = 0, btf_id: int = 0, log_size: int = 0
) -> tuple[int, str]:
    """Load a program of that type and attach type (enum bpf_prog_type, bpf_attach_type): errno or 0, and the log."""
    given = ctypes.create_string_buffer(insns, len(insns))
    license = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(log_size) if log_size else None
    # union bpf_attr of BPF_PROG_LOAD up to attach_btf_id (include/uapi/linux/bpf.h)
    attr = struct.pack(
        "<IIQQIIQII16sIIIIQIIQII", kind, len(insns) // 8, ctypes.addressof(given), ctypes.addressof(license),
        int(log is not None), log_size, ctypes.addressof(log) if log is not None else 0, 0, flags, b"pybpf_probe",
        0, attach, 0, 0, 0, 0, 0, 0, 0, btf_id,
    )  # fmt: skip
    try:
        os.close(bpf(_PROG_LOAD, attr))
    except OSError as error:
        return error.errno or 1, log.value.decode(errors="replace") if log is not None else ""
    return 0, ""


def load_btf() -> int:
    """A descriptor of BTF that has an int of 32 bits with id 1; -1 where the kernel takes none."""
    strings = b"\0int\0"
    types = struct.pack("<IIII", 1, 1 << 24, 4, 32)  # BTF_KIND_INT: name, info, size; encoding
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    data = header + types + strings
    given = ctypes.create_string_buffer(data, len(data))
    try:
        return bpf(_BTF_LOAD, struct.pack("<QQIII", ctypes.addressof(given), 0, len(data), 0, 0) + bytes(4))
    except OSError:
        return -1
