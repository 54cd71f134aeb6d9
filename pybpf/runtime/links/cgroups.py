"""Attaching to a cgroup, by a BPF link. Descendants of the cgroup are subject to it too.

A link lets other programs of the kind be attached there and below (what BPF_PROG_ATTACH calls BPF_F_ALLOW_MULTI); they
run in the order of attaching unless `before` or `after` says otherwise (Linux 6.17).
"""

from __future__ import annotations

import errno
import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.links.base import Link, descriptor_link, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.runtime.program import LoadedProgram

__all__ = ["ATTACH_TYPES", "attach_cgroup", "cgroup_mounts", "no_cgroup", "opened_cgroup"]

# Section -> enum bpf_attach_type (include/uapi/linux/bpf.h).
ATTACH_TYPES = {
    "cgroup_skb/ingress": 0, "cgroup_skb/egress": 1, "cgroup/sock": 2, "cgroup/sock_create": 2, "sockops": 3,
    "cgroup/dev": 6, "cgroup/bind4": 8, "cgroup/bind6": 9, "cgroup/connect4": 10, "cgroup/connect6": 11,
    "cgroup/post_bind4": 12, "cgroup/post_bind6": 13, "cgroup/sendmsg4": 14, "cgroup/sendmsg6": 15,
    "cgroup/sysctl": 18, "cgroup/recvmsg4": 19, "cgroup/recvmsg6": 20, "cgroup/getsockopt": 21,
    "cgroup/setsockopt": 22, "cgroup/getpeername4": 29, "cgroup/getpeername6": 30, "cgroup/getsockname4": 31,
    "cgroup/getsockname6": 32, "cgroup/sock_release": 34, "cgroup/connect_unix": 49, "cgroup/sendmsg_unix": 50,
    "cgroup/recvmsg_unix": 51, "cgroup/getpeername_unix": 52, "cgroup/getsockname_unix": 53,
}  # fmt: skip
_DIRECTIONS = {"ingress": 0, "egress": 1}
_BEFORE, _AFTER, _LINK = 1 << 3, 1 << 4, 1 << 13  # BPF_F_BEFORE, BPF_F_AFTER, BPF_F_LINK


def attach_cgroup(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    target = options.get("target")
    kind = _attach_type(program, section, options.get("direction"))
    flags, rest = _order(program, options)
    with opened_cgroup(program, target) as (fd, where):
        try:
            made = syscall.link_create(program.fd, fd, kind, flags, rest)
        except OSError as error:
            refused(program, where, error, _help(error.errno or 0, bool(flags), bool(options.get("direction"))))
    return descriptor_link(program, section, str(target), made)


def _attach_type(program: LoadedProgram, section: str, direction: Any) -> int:
    if section != "cgroup/skb":
        if direction is not None:
            raise AttachError(
                f"attaching {program.name!r}: `direction` is for @cgroup.skb alone", f"{section} says it already"
            )
        return ATTACH_TYPES[section]
    if direction not in _DIRECTIONS:
        raise AttachError(
            f"attaching {program.name!r}: packets that come in, or go out?",
            f'say direction="ingress" or direction="egress", not {direction!r}; or decorate it with '
            f"@cgroup.skb.ingress",
        )
    return _DIRECTIONS[direction]


def _order(program: LoadedProgram, options: dict[str, Any]) -> tuple[int, bytes]:
    """Flags, and `cgroup.relative_fd` of union bpf_attr, for a place before or after another link."""
    before, after = options.get("before"), options.get("after")
    if before is None and after is None:
        return 0, b""
    other = before if before is not None else after
    if (before is not None and after is not None) or not isinstance(other, Link) or not other.attached:
        raise AttachError(
            f"attaching {program.name!r}: `before` and `after` take a link, and only one of them is given",
            "obj.links has the links, as `attach` of a program gives them",
        )
    flags = (_BEFORE if before is not None else _AFTER) | _LINK
    return flags, struct.pack("<IIQ", other.fd, 0, 0)


def _help(code: int, ordered: bool, named: bool) -> str:
    if code == errno.EBADF:
        return no_cgroup()
    if code == errno.EINVAL and ordered:
        return "the other link is of another kind or another cgroup, or this kernel has no order (Linux 6.17)"
    if code == errno.EINVAL and not named:
        return "this kernel has no such hook"
    if code == errno.EPERM:
        return (
            "a program there, or at a cgroup above, allows no others: it was attached without BPF_F_ALLOW_MULTI; "
            "`bpftool cgroup tree` shows it"
        )
    return ""


def cgroup_mounts() -> list[str]:
    """Where cgroup2 is mounted."""
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
        lines = [line.split() for line in mounts]
    return [place.replace("\\040", " ") for _, place, kind, *_ in lines if kind == "cgroup2"]


def no_cgroup() -> str:
    """What to do where a directory is no cgroup."""
    mounts = cgroup_mounts()
    if not mounts:
        return "cgroup2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup"
    return f"it is no cgroup of version 2; those are directories below {' and '.join(mounts)}"


@contextmanager
def opened_cgroup(program: LoadedProgram, target: Any) -> Iterator[tuple[int, str]]:
    """A descriptor of the cgroup, and what to call it. `target` is its directory, by path (below the mount of cgroup2
    where it does not begin with a slash), or an open descriptor of it.
    """
    if target is None or isinstance(target, bool) or not (isinstance(target, (int, str, os.PathLike)) and target != ""):
        raise AttachError(
            f"attaching {program.name!r}: to which cgroup?",
            f'name its directory: obj.attach({program.name}="/sys/fs/cgroup/..."), or None to leave it out',
        )
    if isinstance(target, int):
        yield target, f"the cgroup of file descriptor {target}"
        return
    path = os.fspath(target)
    if not path.startswith("/"):
        path = os.path.join((cgroup_mounts() or ["/sys/fs/cgroup"])[0], path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        help = "make it first: mkdir" if error.errno == errno.ENOENT else no_cgroup()
        if error.errno == errno.ENOENT and not os.path.exists(os.path.dirname(path.rstrip("/"))):
            help = no_cgroup()
        raise AttachError(f"attaching {program.name!r} to cgroup {path}: {error.strerror}", help) from None
    try:
        yield fd, f"cgroup {path}"
    finally:
        os.close(fd)
