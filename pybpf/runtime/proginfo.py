"""What the kernel says of a program, and counting how often and how long programs run.

    with stats():
        ...
        print(obj.programs["firewall"].info().mean_ns)
"""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pybpf.compiler.schema.record import Record
from pybpf.runtime import syscall
from pybpf.runtime.errors import PybpfError, errno_name, not_permitted
from pybpf.runtime.kinds import program_type

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ProgramInfo", "program_info", "stats"]

_SIZE = 232  # struct bpf_prog_info of Linux 6.18: include/uapi/linux/bpf.h
_ENABLE_STATS = 32  # enum bpf_cmd


class ProgramInfo(Record):
    """struct bpf_prog_info. Sizes in bytes; `loaded` is in nanoseconds since boot.

    `runs` and `run_ns` count only while somebody has statistics on (`stats()`, sysctl kernel.bpf_stats_enabled).
    `misses` are the runs that were left out since the program, or another on the same event, was running already
    (Linux 5.12). `maps` are the ids of those that it uses.
    """

    id: int
    name: str  # at most 15 characters
    type: str
    tag: str
    jited_size: int
    translated_size: int
    runs: int
    run_ns: int
    misses: int
    verified_insns: int
    loaded: int
    uid: int
    gpl: bool
    btf_id: int
    maps: tuple[int, ...]

    @property
    def mean_ns(self) -> float:
        """Nanoseconds that a run took; 0 where none was counted."""
        return self.run_ns / self.runs if self.runs else 0.0


def program_info(fd: int) -> ProgramInfo:
    """BPF_OBJ_GET_INFO_BY_FD of a program."""
    raw = syscall.obj_info(fd, _SIZE)
    kind, id, tag, jited, translated = struct.unpack_from("<II8sII", raw)
    loaded, uid, count = struct.unpack_from("<QII", raw, 40)
    name = raw[64:80].partition(b"\0")[0].decode(errors="replace")
    (gpl,) = struct.unpack_from("<I", raw, 84)
    (btf,) = struct.unpack_from("<I", raw, 128)
    run_ns, runs, misses, verified = struct.unpack_from("<QQQI", raw, 192)
    return ProgramInfo(
        id, name, program_type(kind), tag.hex(), jited, translated, runs, run_ns, misses, verified, loaded, uid,
        bool(gpl & 1), btf, _maps(fd, count),
    )  # fmt: skip


def _maps(fd: int, count: int) -> tuple[int, ...]:
    room = (ctypes.c_uint32 * max(count, 1))()
    given = bytearray(_SIZE)
    struct.pack_into("<IQ", given, 52, count, 0)
    struct.pack_into("<Q", given, 56, ctypes.addressof(room))
    info = ctypes.create_string_buffer(bytes(given), _SIZE)
    syscall.bpf(syscall.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, _SIZE, ctypes.addressof(info)))
    return tuple(room)[:count]


@contextmanager
def stats() -> Iterator[None]:
    """Let the kernel count the runs of all programs, and their time, for the length of a block (Linux 5.8).

    It takes tens of nanoseconds a run. `program.info()` has the numbers, which only ever grow.
    """
    try:
        fd = syscall.bpf(_ENABLE_STATS, struct.pack("<I", 0))  # BPF_STATS_RUN_TIME
    except PermissionError:
        raise not_permitted("counting the runs of programs", "it takes CAP_SYS_ADMIN") from None
    except OSError as error:
        raise PybpfError(
            f"counting the runs of programs: {errno_name(error.errno or 0)}",
            "before Linux 5.8 it is sysctl kernel.bpf_stats_enabled=1",
        ) from None
    try:
        yield
    finally:
        os.close(fd)
