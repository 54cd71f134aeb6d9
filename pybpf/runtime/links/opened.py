"""Links and programs that somebody else made: pinned ones by their path, all by the kernel's id.

    with open_link("/sys/fs/bpf/firewall") as link:
        link.update(obj.programs["stricter"])
        print(link.info())

    with open_program(42) as program:                       # as `pybpf list programs` shows it
        print(program.info(), program.test(packet).retval)
"""

from __future__ import annotations

import errno
import os
import struct
import threading
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import ObjectClosed, PybpfError, errno_name, not_permitted
from pybpf.runtime.links.info import link_info
from pybpf.runtime.program import LoadedProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from pybpf.runtime.links.base import Link
    from pybpf.runtime.links.info import LinkInfo

__all__ = ["OpenedLink", "OpenedProgram", "fd_by_id", "ids", "open_link", "open_program", "update_link"]

_REPLACE = 1 << 2  # BPF_F_REPLACE: only in place of the program that we think is there
# enum bpf_cmd: descriptor by id, next id
_BY_ID = {"program": (13, 11), "map": (14, 12), "link": (30, 31), "btf": (19, 23)}
_LINK_UPDATE, _LINK_DETACH = 29, 34


def fd_by_id(what: str, number: int) -> int:
    """A descriptor of the program, map, link or BTF object of that id. Raises KeyError, NotPermitted."""
    try:
        return syscall.bpf(_BY_ID[what][0], struct.pack("<III", number, 0, 0))
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise KeyError(f"there is no {what} with id {number}") from None
        if error.errno in (errno.EPERM, errno.EACCES):
            raise not_permitted(f"opening {what} {number}", "ids are for CAP_SYS_ADMIN only") from None
        raise PybpfError(f"opening {what} {number}: {errno_name(error.errno or 0)}") from None


def _fd_by_path(what: str, path: str) -> int:
    from pybpf.runtime.maps.pinning import get_pinned

    fd = get_pinned(path, f"pinned {what}")
    shown = os.readlink(f"/proc/self/fd/{fd}").removeprefix("anon_inode:").strip("[]").replace("_", "-")
    if shown != {"program": "bpf-prog", "link": "bpf-link"}[what]:
        os.close(fd)
        shown = shown.removeprefix("bpf-").replace("prog", "program")
        raise PybpfError(f"{path} is no pinned {what}", f"it is a {shown}")
    return fd


def _fd_of(what: str, which: str | os.PathLike[str] | int) -> int:
    if isinstance(which, int):
        return fd_by_id(what, which)
    return _fd_by_path(what, os.fspath(which))


def ids(what: str) -> Iterator[int]:
    """The numbers of all programs, maps, links or BTF objects in the kernel: "program", "map", "link", "btf"."""
    number = 0
    while True:
        try:
            _, attr = syscall.bpf_result(_BY_ID[what][1], struct.pack("<III", number, 0, 0))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return
            if error.errno in (errno.EPERM, errno.EACCES):
                raise not_permitted(f"listing the kernel's {what}s") from None
            raise PybpfError(f"listing the kernel's {what}s: {errno_name(error.errno or 0)}") from None
        number = struct.unpack_from("<I", attr, 4)[0]
        yield number


def update_link(link: int, program: int, what: str, name: str) -> None:
    """BPF_LINK_UPDATE: let the program behind a descriptor run in the place of the link's own."""
    try:
        syscall.bpf(_LINK_UPDATE, struct.pack("<IIII", link, program, 0, 0))
    except OSError as error:
        message = f"updating {what} to {name!r}: {errno_name(error.errno or 0)}"
        if error.errno == errno.EINVAL:
            help = "the kernel can't update links of this type; or the program is of another type or attach type"
        elif error.errno in (errno.EPERM, errno.EACCES):
            raise not_permitted(f"updating {what}", "or the link was made so that it can't be changed") from None
        elif error.errno == errno.ENOLINK:
            help = "what it was attached to is gone"
        else:
            help = ""
        raise PybpfError(message, help) from None


class OpenedLink:
    """A link that is held open here. Closing it does not detach it, if somebody else holds it or it is pinned."""

    def __init__(self, fd: int, path: str = "") -> None:
        """Takes over `fd`."""
        self.path = path
        self._fd = fd

    @property
    def fd(self) -> int:
        """The link's file descriptor."""
        if self._fd < 0:
            raise ObjectClosed("the link")
        return self._fd

    def info(self) -> LinkInfo:
        """What the kernel says of it, in a class for its type."""
        return link_info(self.fd)

    def update(self, program: LoadedProgram) -> None:
        """Let another program run in its program's place; as Link.update."""
        update_link(self.fd, program.fd, f"link {self.info().id}", program.name)

    def detach(self) -> None:
        """Stop running the program there, whoever holds the link (BPF_LINK_DETACH, Linux 5.9).

        Links to cgroups, network namespaces, interfaces and struct_ops can; others raise PybpfError: they end when
        nobody holds them any more.
        """
        try:
            syscall.bpf(_LINK_DETACH, struct.pack("<I", self.fd))
        except OSError as error:
            help = ""
            if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, 524):
                help = "the kernel can't detach links of this type: unpin it, and close it wherever it is open"
            raise PybpfError(f"detaching link {self.info().id}: {errno_name(error.errno or 0)}", help) from None

    def unpin(self) -> None:
        """Remove the path that it was opened by."""
        if not self.path:
            raise PybpfError("the link was opened by its id, not by a path")
        os.unlink(self.path)

    def close(self) -> None:
        """Let go of it. May be called twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()

    def __repr__(self) -> str:
        return f"<link {self.info()}>" if self._fd >= 0 else "<link (closed)>"


class _Alone:
    """What a program of nobody's object belongs to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.maps: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._links: list[Link] = []
        self._closed = False

    def _check(self) -> None:
        if self._closed:
            raise ObjectClosed(f"program {self.name!r}")

    def _add_link(self, link: Link) -> None:
        self._links.append(link)

    def _drop_link(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)

    def close(self) -> None:
        self._closed = True
        for link in reversed(list(self._links)):
            link._leave()


class OpenedProgram(LoadedProgram):
    """A program that is held open here: it can be asked about, run on given input, and attached.

    `section` is what libbpf would call its hook, "" where its type does not say. What is attached through it is
    detached when it is closed, unless it is pinned.
    """

    def __init__(self, fd: int, path: str = "") -> None:
        """Takes over `fd`."""
        raw = syscall.obj_info(fd, 80)
        number = struct.unpack_from("<I", raw)[0]
        name = raw[64:80].partition(b"\0")[0].decode(errors="replace")
        super().__init__(_Alone(name), 0, name, fd, number, _SECTIONS.get(number, ""), None, "")  # type: ignore[arg-type]
        self.path = path

    @property
    def handle(self) -> int:
        """There is none: nobody's object holds it."""
        raise PybpfError(
            f"program {self.name!r} was opened, not loaded here: it can't be attached this way",
            'say how: attach(target, section="tcx/ingress")',
        )

    def attach(self, target: Any = None, *, section: str = "", **options: Any) -> Link:
        """Attach it; `section` says where, as a section's name does: "tcx/ingress", "tracepoint/sched/sched_switch"."""
        from pybpf.runtime import links

        if section:
            self.section = section
        if not self.section:
            raise PybpfError(
                f"program {self.name!r} (type {self.type}): attach it to what?",
                'say it as a section name does: attach(section="tracepoint/sched/sched_switch")',
            )
        if target is not None:
            options["target"] = target
        self.owner._check()
        link = links.attach(self, options)
        self.owner._add_link(link)
        return link

    def unpin(self, path: str | os.PathLike[str] = "") -> None:
        """Remove a path that it is pinned at; without one, that which it was opened by."""
        if not path and not self.path:
            raise PybpfError(f"program {self.name!r} was opened by its id, not by a path")
        os.unlink(os.fspath(path) or self.path)

    def close(self) -> None:
        """Let go of it. May be called twice."""
        if not self.owner._closed:
            self.owner.close()
            os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()


# Sections of program types that can be attached to one kind of place only.
_SECTIONS = {6: "xdp", 7: "perf_event", 13: "sockops", 15: "cgroup/dev", 21: "sk_reuseport", 22: "flow_dissector",
             23: "cgroup/sysctl", 30: "sk_lookup", 31: "syscall", 32: "netfilter"}  # fmt: skip


def open_link(which: str | os.PathLike[str] | int) -> OpenedLink:
    """A link by the path that it is pinned at, or by its id. Raises KeyError where there is none."""
    return OpenedLink(_fd_of("link", which), "" if isinstance(which, int) else os.path.abspath(os.fspath(which)))


def open_program(which: str | os.PathLike[str] | int) -> OpenedProgram:
    """A program by the path that it is pinned at, or by its id. Raises KeyError where there is none."""
    return OpenedProgram(_fd_of("program", which), "" if isinstance(which, int) else os.path.abspath(os.fspath(which)))
