"""tracefs, mounted or not: tracepoint numbers, formats, and trace files.

Where tracefs is not mounted at its usual places, a mount that is attached nowhere is used (fsmount(2)): it is seen by
nobody else and goes away with its descriptor.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError, errno_name, not_permitted

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["event_format", "event_id", "open_tracefs", "tracefs"]

_PLACES = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")


def open_tracefs() -> int:
    """A directory descriptor of tracefs, for the caller to close. AttachError or NotPermitted where there is none."""
    denied = False
    for place in _PLACES:
        try:
            fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            denied |= isinstance(error, PermissionError)
            continue
        try:
            os.stat("events", dir_fd=fd)
        except OSError as error:
            denied |= isinstance(error, PermissionError)
            os.close(fd)
            continue
        return fd
    try:
        return syscall.tracefs_mount()
    except PermissionError:
        raise not_permitted("opening tracefs") from None
    except OSError as error:
        if denied:
            raise not_permitted("opening tracefs") from None
        raise AttachError(
            f"tracefs is not mounted, and mounting it privately failed: {errno_name(error.errno or 0)}",
            "mount -t tracefs tracefs /sys/kernel/tracing; or this kernel is built without tracing",
        ) from None


@contextmanager
def tracefs() -> Iterator[int]:
    """`open_tracefs()` for the length of a block."""
    fd = open_tracefs()
    try:
        yield fd
    finally:
        os.close(fd)


def _read(root: int, path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=root)
    with open(fd, encoding="utf-8", errors="replace") as file:
        return file.read()


def event_id(category: str, name: str) -> int:
    """The number of a tracepoint, which perf_event_open(2) takes."""
    return int(_event_file(category, name, "id"))


def event_format(category: str, name: str) -> str:
    """The text of a tracepoint's `format` file: its fields with offsets and sizes."""
    return _event_file(category, name, "format")


def _event_file(category: str, name: str, file: str) -> str:
    with tracefs() as root:
        try:
            return _read(root, f"events/{category}/{name}/{file}")
        except FileNotFoundError:
            raise AttachError(
                f"this kernel has no tracepoint {category}:{name}", _suggest(root, category, name)
            ) from None
        except PermissionError:
            raise not_permitted(f"reading tracepoint {category}:{name}") from None


def _suggest(root: int, category: str, name: str) -> str:
    import difflib

    def names(path: str) -> list[str]:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
        try:
            return sorted(os.listdir(fd))
        finally:
            os.close(fd)

    try:
        close = difflib.get_close_matches(name, names(f"events/{category}"), 3)
        return f"did you mean {' or '.join(f'{category}:{other}' for other in close)}?" if close else ""
    except OSError:
        close = difflib.get_close_matches(category, names("events"), 3)
        return f"there is no category {category!r}" + (f"; did you mean {' or '.join(close)}?" if close else "")
