"""Ctrl-C that waits: for pieces of work that leave something behind in the kernel when they end half done."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

__all__ = ["Uninterrupted"]


class Uninterrupted:
    """`with Uninterrupted():` Ctrl-C that comes in the block is taken at its end. In other threads it never comes.

    Between a call of the library that gives a descriptor and the name that keeps it, an exception would lose it.
    """

    def __init__(self) -> None:
        self._old: Any = None
        self._came = False

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            old = signal.getsignal(signal.SIGINT)
            if callable(old):
                self._old = old
                signal.signal(signal.SIGINT, self._note)

    def __exit__(self, *_: object) -> None:
        if self._old is not None:
            signal.signal(signal.SIGINT, self._old)
            if self._came:
                self._old(signal.SIGINT, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = True
