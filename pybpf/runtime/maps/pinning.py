"""Names in a bpf file system: maps that outlive the process that made them.

A map declared with `pin=True` is pinned under its name in `/sys/fs/bpf`, or where `load(..., pin_path=...)` says. A map
that is there already is taken over, if it is the same kind of map; what differs is said otherwise.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import TYPE_CHECKING

from pybpf.runtime import syscall
from pybpf.runtime.errors import LoadError, PybpfError, errno_name, not_permitted

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT_PATH", "check_pins", "get_pinned", "is_bpffs", "pin", "unpin"]

DEFAULT_PATH = "/sys/fs/bpf"
_OBJ_PIN, _OBJ_GET = 6, 7  # enum bpf_cmd
_MAGIC = 0xCAFE4A11  # BPF_FS_MAGIC, include/uapi/linux/magic.h
_libc = ctypes.CDLL(None, use_errno=True)


def is_bpffs(path: str) -> bool:
    """Whether a directory lies in a bpf file system."""
    buffer = ctypes.create_string_buffer(256)
    if _libc.statfs(os.fsencode(path), buffer) != 0:
        return False
    return int.from_bytes(buffer.raw[:8], "little") & 0xFFFF_FFFF == _MAGIC  # f_type


def _path_attr(path: str, fd: int = 0) -> tuple[bytes, object]:
    held = ctypes.create_string_buffer(os.fsencode(path))
    return struct.pack("<QII", ctypes.addressof(held), fd, 0), held


def _need_bpffs(directory: str, what: str) -> None:
    """Raise PybpfError where a directory is in no bpf file system; make it where it is missing inside of one."""
    above = directory
    while not os.path.isdir(above) and above not in ("", "/"):
        above = os.path.dirname(above)
    if not is_bpffs(above or "."):
        help = f"mount one: mount -t bpf bpf {DEFAULT_PATH}"
        if directory != DEFAULT_PATH:
            help += "; or name a directory inside of one"
        raise PybpfError(f"{what} can't be pinned in {directory}: no bpf file system is mounted there", help)
    os.makedirs(directory, exist_ok=True)


def pin(fd: int, path: str, what: str) -> None:
    """BPF_OBJ_PIN. Directories are made. Raises PybpfError for a name that is taken, or a place outside a bpffs."""
    path = os.path.abspath(path)
    _need_bpffs(os.path.dirname(path), what)
    attr, _held = _path_attr(path, fd)
    try:
        syscall.bpf(_OBJ_PIN, attr)
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise PybpfError(f"{what} can't be pinned: {path} is there already", "unpin that first") from None
        if error.errno == errno.EPERM:
            raise not_permitted(f"pinning {what} at {path}", "names in a bpf file system have no dots") from None
        raise PybpfError(f"pinning {what} at {path}: {errno_name(error.errno or 0)}") from None


def get_pinned(path: str, what: str) -> int:
    """BPF_OBJ_GET: a file descriptor. Raises KeyError for a name that is not there."""
    attr, _held = _path_attr(os.path.abspath(path))
    try:
        return syscall.bpf(_OBJ_GET, attr)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise KeyError(f"there is no {what} at {path}") from None
        if error.errno in (errno.EPERM, errno.EACCES):
            if os.path.exists(path) and not is_bpffs(os.path.dirname(os.path.abspath(path))):
                raise PybpfError(f"{path} is no {what}: it does not lie in a bpf file system") from None
            raise not_permitted(f"opening {path}") from None
        raise PybpfError(f"opening {path}: {errno_name(error.errno or 0)}") from None


def unpin(fd: int, path: str, what: str) -> None:
    """Remove a name, after a look whether it is that of this object. KeyError where there is none."""
    from pybpf.runtime.maps.handle import read_info

    other = get_pinned(path, "pinned map")
    try:
        if read_info(other).id != read_info(fd).id:
            raise PybpfError(f"{path} is the name of another map than {what}")
    finally:
        os.close(other)
    os.unlink(path)


_NAMES = ("type", "key size", "value size", "max_entries", "flags")


def check_pins(maps: Sequence[tuple[str, str, tuple[int, int, int, int, int]]]) -> None:
    """Before a load: each (name, path, (type, key size, value size, max_entries, flags)) of a map to be pinned.

    Raises PybpfError where there is no bpf file system, LoadError for another map under that name.
    """
    from pybpf.runtime.kinds import map_kind
    from pybpf.runtime.maps.handle import read_info

    for name, path, wanted in maps:
        _need_bpffs(os.path.dirname(path), f"map {name!r}")
        if not os.path.exists(path):
            continue
        fd = get_pinned(path, "pinned map")
        try:
            info = read_info(fd)
        except OSError:
            raise LoadError(f"map {name!r} can't be pinned at {path}: what is there is no map") from None
        finally:
            os.close(fd)
        there = (info.type, info.key_size, info.value_size, info.max_entries, info.flags)
        differs = [
            f"its {what} is {_shown(what, old, map_kind)}, the declaration's {_shown(what, new, map_kind)}"
            for what, old, new in zip(_NAMES, there, wanted)
            if old != new
        ]
        if differs:
            raise LoadError(
                f"map {name!r} can't take over the one that is pinned at {path}: {'; '.join(differs)}",
                f"declare it as it is there, or remove that: rm {path}",
            )


def _shown(what: str, number: int, map_kind: object) -> str:
    if what == "type":
        return str(map_kind(number).name)  # type: ignore[operator]
    return f"{number:#x}" if what == "flags" else str(number)
