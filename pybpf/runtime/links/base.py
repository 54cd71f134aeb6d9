"""A link, and what the ways of attaching share."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NoReturn

from pybpf.runtime.errors import AttachError, NotPermitted, errno_name, not_permitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from pybpf.runtime.program import LoadedProgram

__all__ = ["Link", "descriptor_link", "refused"]


class Link:
    """An attachment: a context manager that detaches at its end. Its object detaches it too when it closes."""

    def __init__(self, program: LoadedProgram, kind: str, target: str, fd: int, close: Callable[[], None]) -> None:
        self.program = program
        self.kind = kind
        self.target = target
        self._fd = fd
        self._close: Callable[[], None] | None = close

    @property
    def attached(self) -> bool:
        return self._close is not None

    @property
    def fd(self) -> int:
        """The link's file descriptor (a perf event's on kernels before 5.15); -1 once detached."""
        return self._fd if self._close is not None else -1

    def detach(self) -> None:
        """Stop running the program there. May be called twice."""
        close, self._close = self._close, None
        if close is not None:
            self.program.owner._drop_link(self)
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def __repr__(self) -> str:
        return f"<link {self.program.name!r} -> {self.kind} {self.target}{'' if self.attached else ' (detached)'}>"


def descriptor_link(program: LoadedProgram, kind: str, target: str, fd: int) -> Link:
    return Link(program, kind, target, fd, lambda: os.close(fd))


def refused(program: LoadedProgram, where: str, error: OSError, help: str = "") -> NoReturn:
    if isinstance(error, NotPermitted):
        raise error
    what = f"attaching {program.name!r} to {where}"
    if error.errno in (errno.EPERM, errno.EACCES):
        raise not_permitted(what, help) from None
    raise AttachError(f"{what}: {errno_name(error.errno or 0)}", help) from None
