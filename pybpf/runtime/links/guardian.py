"""What the kernel keeps when a process is killed, is taken away by a guardian: a process that guard.py is.

`watch(entry, descriptors)` lets it know of an attachment, before that is made; what it gives is called when the
attachment is gone. The guardian is started for the first one, and ends with the last one, or with this process. It is
in a session of its own, so that Ctrl-C does not reach it, has no descriptors of this process but those that it is
given, and is nobody's child. A child that this process forks has nothing to do with it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["watch"]

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guard.py")


class _Guardian:
    """Ours. `end` is our end of the socket; None where there is no guardian."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.end: socket.socket | None = None
        self.last = 0
        self.kept: set[int] = set()

    def start(self) -> None:
        command = _python()
        if not command or not os.path.exists(_SCRIPT):
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(1)
        with theirs:
            try:
                subprocess.run(
                    [*command, _SCRIPT, str(theirs.fileno()), str(os.getpid())], pass_fds=(theirs.fileno(),), cwd="/",
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    start_new_session=True, timeout=10, check=True,
                )  # fmt: skip
            except (OSError, subprocess.SubprocessError):
                ours.close()
                return
        self.end = ours

    def send(self, said: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        """Say something; a guardian that somebody has ended is not there any more."""
        assert self.end is not None
        try:
            socket.send_fds(self.end, [json.dumps(said).encode()], descriptors)
        except OSError:
            self.close()

    def close(self) -> None:
        self.kept.clear()
        end, self.end = self.end, None
        if end is not None:
            end.close()

    def watch(self, entry: dict[str, Any], descriptors: tuple[int, ...]) -> int:
        with self.lock:
            if self.end is None:
                self.start()
            if self.end is None:
                return 0
            self.last += 1
            self.kept.add(self.last)
            self.send({**entry, "key": self.last}, descriptors)
            return self.last

    def forget(self, key: int) -> None:
        with self.lock:
            if key not in self.kept:
                return
            self.kept.discard(key)
            self.send({"forget": key})
            if not self.kept:
                self.close()


def _python() -> list[str]:
    """How to run Python: nothing where this is a program that has it inside."""
    name = os.path.basename(sys.executable or "")
    if getattr(sys, "frozen", False) or not name.startswith(("python", "pypy")):
        return []
    return [sys.executable, "-I", "-S"]


_own = _Guardian()


def _forked() -> None:
    """In a child: the guardian is the parent's."""
    global _own
    end, _own = _own.end, _Guardian()
    if end is not None:
        end.close()


os.register_at_fork(after_in_child=_forked)


def watch(entry: dict[str, Any], *descriptors: int) -> Callable[[], None]:
    """Let what an entry (guard.py) stands for be taken away where this process ends without having done so."""
    mine = _own
    key = 0
    with suppress(OSError):  # no more processes or descriptors to be had: as without a guardian
        key = mine.watch(entry, descriptors)

    def forget() -> None:
        if key and mine is _own:
            mine.forget(key)

    return forget
