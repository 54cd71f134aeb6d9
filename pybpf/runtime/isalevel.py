"""The best ISA level that this kernel runs: what `load` compiles for, found by loading programs of some instructions.

    best_level()    4 where the JIT translates all of level 4; 3 where an interpreter would have to run it

A release number would not tell: a JIT of some architectures got level 4 long after Linux 6.6, and distributions bring
parts of newer kernels to older ones. Loading such a program takes about 0.1 ms; a process asks once.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct

from pybpf.runtime import syscall

__all__ = ["best_level"]

USUAL = 3  # where nothing can be found out: what `build` compiles for
_PROG_LOAD, _SOCKET_FILTER = 5, 1  # enum bpf_cmd, bpf_prog_type
_PROG_INFO, _JITED_LENGTH = 24, 16  # struct bpf_prog_info as far as we look, and the offset of jited_prog_len

# Opcode, registers (source << 4 | destination), offset, immediate: RFC 9669.
_START = ((0xB7, 0x00, 0, 0), (0xB7, 0x01, 0, 7), (0x7B, 0x1A, -8, 0))  # r0 = 0, r1 = 7, *(u64 *)(r10 - 8) = r1
_EXIT = ((0x95, 0, 0, 0),)
_HAS = {
    2: ((0xA5, 0x01, 0, 9), (0xD5, 0x01, 0, 9)),  # jumps on < and s<=
    3: (
        (0xBC, 0x12, 0, 0), (0x16, 0x01, 0, 9), (0xA6, 0x01, 0, 9),  # w2 = w1; 32-bit jumps on == and <
        (0xDB, 0x1A, -8, 0x01), (0xDB, 0x1A, -8, 0x51), (0xDB, 0x1A, -8, 0xE1), (0xDB, 0x1A, -8, 0xF1),  # atomics
        (0xB7, 0x00, 0, 0),
    ),
    4: (
        (0x91, 0xA1, -8, 0), (0x89, 0xA1, -8, 0), (0x81, 0xA1, -8, 0),  # r1 = *(s8 *), *(s16 *), *(s32 *)(r10 - 8)
        (0xBF, 0x12, 8, 0), (0xBF, 0x12, 16, 0), (0xBF, 0x12, 32, 0), (0xBC, 0x12, 8, 0),  # r2 = (s8)r1; w2 = (s8)w1
        (0xD7, 0x01, 0, 16), (0xD7, 0x01, 0, 32), (0xD7, 0x01, 0, 64),  # bswap16 r1, ...
        (0x3F, 0x12, 1, 0), (0x97, 0x02, 1, 3), (0x3C, 0x12, 1, 0), (0x94, 0x02, 1, 3),  # s/=, s%= of 64 and 32 bits
        (0x06, 0x00, 0, 0),  # gotol
    ),
}  # fmt: skip


@functools.cache
def best_level() -> int:
    """The highest level that the kernel runs as machine code; where it translates nothing, that it runs at all.

    3 where loading programs is not permitted at all: whoever loads one next will say so.
    """
    interpreted = 0
    for level in (4, 3, 2, 1):
        try:
            if _translated(level):
                return level
            interpreted = interpreted or level
        except PermissionError:
            return USUAL
        except OSError:  # the verifier refuses it, or there is no interpreter and the JIT doesn't know it
            continue
    return interpreted or USUAL


def _translated(level: int) -> bool:
    """Load a program that uses what came with the level: whether it is machine code now. Raises OSError."""
    rows = (*_START, *_HAS.get(level, ()), *_EXIT)
    code = b"".join([struct.pack("<BBhi", *row) for row in rows])
    insns = ctypes.create_string_buffer(code, len(code))
    license = ctypes.create_string_buffer(b"GPL")
    # the first fields of union bpf_attr for BPF_PROG_LOAD (include/uapi/linux/bpf.h)
    attr = struct.pack(
        "<IIQQIIQII16s", _SOCKET_FILTER, len(rows), ctypes.addressof(insns), ctypes.addressof(license), 0, 0, 0, 0, 0,
        b"pybpf_isa",
    )  # fmt: skip
    fd = syscall.bpf(_PROG_LOAD, attr)
    try:
        (length,) = struct.unpack_from("<I", syscall.obj_info(fd, _PROG_INFO), _JITED_LENGTH)
    finally:
        os.close(fd)
    return bool(length)
