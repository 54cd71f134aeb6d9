"""A bpf file system of the test's own: in a thread with its own mounts, which are gone when the thread ends."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NEWNS, _REC, _PRIVATE = 0x20000, 16384, 1 << 18


def in_bpffs(directory: Path, test: Callable[[], None]) -> None:
    """Run `test` where a bpf file system is mounted on `directory`."""
    failed: list[BaseException] = []

    def run() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            assert libc.unshare(_NEWNS) == 0, ctypes.get_errno()
            assert libc.mount(b"none", b"/", None, ctypes.c_ulong(_REC | _PRIVATE), None) == 0, ctypes.get_errno()
            mounted = libc.mount(b"bpf", str(directory).encode(), b"bpf", ctypes.c_ulong(0), None)
            assert mounted == 0, ctypes.get_errno()
            test()
        except BaseException as error:  # of the test: raised again in its own thread
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
