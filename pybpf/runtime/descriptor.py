"""A file descriptor that other threads may be in a system call with when it is closed.

A number that is closed is given to whatever is opened next. A thread that has read the number, and not made its system
call yet, would make it on that; a lookup in a map with larger values would even write behind its buffer. So the number
is kept: `shut` puts nothing in the place of what it stood for (which the kernel then lets go, and calls fail with
EBADF), and the number itself is given back when nobody holds the Descriptor any more, thus nobody is in such a call.
"""

from __future__ import annotations

import fcntl
import os
import select

__all__ = ["Descriptor"]

_nothing = -1  # of O_PATH: every operation on it fails with EBADF


class Descriptor:
    """A duplicate of `fd`, which stays the caller's."""

    __slots__ = ("_owner", "number")

    def __init__(self, fd: int) -> None:
        # What closes it is freed without running Python code, where a signal handler could raise: an epoll object can
        # be made of any descriptor.
        self._owner = select.epoll.fromfd(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3))
        self.number = self._owner.fileno()

    def shut(self) -> None:
        """Let go of what it stands for. May be called twice."""
        global _nothing
        if self._owner.closed:
            return
        if _nothing < 0:
            _nothing = os.open("/", os.O_PATH | os.O_CLOEXEC)
        os.dup2(_nothing, self.number, inheritable=False)
