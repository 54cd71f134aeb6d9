"""A link, and what the ways of attaching share.

    link = obj.programs["firewall"].attach("eth0")
    link.update(obj.programs["stricter"])         another program in its place, in one step
    link.pin("/sys/fs/bpf/firewall")              it outlives this process from now on
    link.info()                                   what the kernel says: links/info.py
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from pybpf.runtime.errors import AttachError, NotPermitted, ObjectClosed, PybpfError, errno_name, not_permitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from pybpf.runtime.links.info import LinkInfo
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
        self._pinned = ""

    @property
    def pinned(self) -> str:
        """The path that it is pinned at; "" where it is not."""
        return self._pinned

    @property
    def attached(self) -> bool:
        return self._close is not None

    @property
    def fd(self) -> int:
        """The link's file descriptor (a perf event's on kernels before 5.15); -1 once detached."""
        return self._fd if self._close is not None else -1

    def _open(self) -> int:
        """The descriptor, for an operation on the link."""
        if self._close is None:
            raise ObjectClosed(f"link {self.program.name!r} -> {self.kind} {self.target}")
        if self._fd < 0:
            raise PybpfError(
                f"{self.program.name!r} is attached to {self.kind} without a BPF link, which this needs",
                "detach it, and attach another program",
            )
        return self._fd

    def info(self) -> LinkInfo:
        """What the kernel says of the link, in a class for its type (pybpf.runtime.links.info). Linux 5.8."""
        from pybpf.runtime.links.info import link_info

        return link_info(self._open())

    def update(self, program: LoadedProgram) -> None:
        """Let another program, of the same type, run in this one's place: no event is missed between them.

        Links to cgroups, network namespaces, interfaces (XDP, TCX, netkit) and struct_ops can (BPF_LINK_UPDATE,
        Linux 5.7); others raise PybpfError.
        """
        from pybpf.runtime.links.opened import update_link

        update_link(self._open(), program.fd, f"link {self.program.name!r} -> {self.kind} {self.target}", program.name)
        self.program.owner._drop_link(self)
        self.program = program
        program.owner._add_link(self)

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Give it a name in a bpf file system. It then stays attached after its object is closed and the process ends,
        until `unpin` or `detach`; `open_link(path)` finds it. Directories are made.
        """
        from pybpf.runtime.maps.pinning import pin

        pin(self._open(), os.fspath(path), f"the link of {self.program.name!r}")
        self._pinned = os.path.abspath(os.fspath(path))

    def unpin(self) -> None:
        """Take its name away; it is then detached with its object, as others. Nothing happens where it has none."""
        path, self._pinned = self._pinned, ""
        if path:
            with suppress(FileNotFoundError):
                os.unlink(path)

    def _leave(self) -> None:
        """At the end of a `with` block, or of its object: detach, unless it is pinned."""
        self._end(keep=bool(self._pinned))

    def detach(self) -> None:
        """Stop running the program there, also where the link is pinned. May be called twice."""
        self._end(keep=False)

    def _end(self, keep: bool) -> None:
        if not keep:
            self.unpin()
        close, self._close = self._close, None
        try:
            if close is not None:
                close()
        finally:
            self.program.owner._drop_link(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def __repr__(self) -> str:
        return f"<link {self.program.name!r} -> {self.kind} {self.target}{'' if self.attached else ' (detached)'}>"


def descriptor_link(program: LoadedProgram, kind: str, target: str, fd: int) -> Link:
    return Link(program, kind, target, fd, partial(os.close, fd))


def refused(program: LoadedProgram, where: str, error: OSError, help: str = "") -> NoReturn:
    if isinstance(error, NotPermitted):
        raise error
    what = f"attaching {program.name!r} to {where}"
    if error.errno in (errno.EPERM, errno.EACCES):
        raise not_permitted(what, help) from None
    raise AttachError(f"{what}: {errno_name(error.errno or 0)}", help) from None
