"""Attaching to open files: a filter to a socket, a decoder to an infrared receiver."""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.links import guardian
from pybpf.runtime.links.base import Link, refused

if TYPE_CHECKING:
    from pybpf.runtime.program import LoadedProgram

__all__ = ["attach_lirc", "attach_socket_filter"]

_SO_ATTACH_BPF, _SO_DETACH_FILTER = 50, 27  # include/uapi/asm-generic/socket.h
_PROG_ATTACH, _PROG_DETACH, _LIRC_MODE2 = 8, 9, 16


def attach_socket_filter(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """To a socket, or the descriptor of one, by setsockopt(2). A socket has one filter: a new one takes its place."""
    target = options.get("target")
    if target is None or isinstance(target, (bool, str)) or not (isinstance(target, int) or hasattr(target, "fileno")):
        raise AttachError(
            f"attaching {program.name!r}: to which socket?",
            f"give one, or its file descriptor: obj.attach({program.name}=sock)",
        )
    number = target if isinstance(target, int) else target.fileno()
    if number < 0:
        raise AttachError(f"attaching {program.name!r}: the socket is closed", "attach before it is closed")
    where = f"the socket of file descriptor {number}"
    try:
        its = os.fstat(number).st_ino
        _set(number, _SO_ATTACH_BPF, program.fd)
    except OSError as error:
        helps = {errno.ENOTSOCK: "it is no socket", errno.EBADF: "it is not open"}
        refused(program, where, error, helps.get(error.errno or 0, ""))

    def close() -> None:
        # The socket is its owner's, who may have closed it: its number may be that of something else by now.
        with suppress(OSError):
            if os.fstat(number).st_ino == its:
                _set(number, _SO_DETACH_FILTER, 0)

    return Link(program, "socket", f"file descriptor {number}", -1, close)


def _set(number: int, option: int, value: int) -> None:
    """setsockopt(2) on a descriptor that stays open."""
    borrowed = socket.socket(fileno=number)
    try:
        borrowed.setsockopt(socket.SOL_SOCKET, option, value)
    finally:
        borrowed.detach()


def attach_lirc(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """To an infrared receiver: its device file, such as /dev/lirc0. Linux 4.18."""
    target = options.get("target")
    if not isinstance(target, (str, os.PathLike)):
        raise AttachError(
            f"attaching {program.name!r}: to which receiver?",
            f'name its device: obj.attach({program.name}="/dev/lirc0")',
        )
    try:
        device = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise AttachError(f"attaching {program.name!r} to {target}: {error.strerror}", "") from None
    kept, maker = os.dup(program.fd), os.getpid()
    forget = guardian.watch(syscall.detach_entry(_LIRC_MODE2), device, kept)  # the device keeps it otherwise
    try:
        syscall.bpf(_PROG_ATTACH, struct.pack("<IIII", device, program.fd, _LIRC_MODE2, 0))
    except OSError as error:
        forget()
        os.close(kept)
        os.close(device)
        helps = {errno.EINVAL: "it is no infrared receiver, or the kernel lacks CONFIG_BPF_LIRC_MODE2"}
        refused(program, os.fspath(target), error, helps.get(error.errno or 0, ""))

    def close() -> None:
        with suppress(OSError):
            if os.getpid() == maker:
                syscall.bpf(_PROG_DETACH, struct.pack("<IIII", device, kept, _LIRC_MODE2, 0))
        forget()
        os.close(kept)
        os.close(device)

    return Link(program, "lirc_mode2", os.fspath(target), -1, close)
