"""Attaching to maps of sockets, to network namespaces' socket lookup, and to groups of sockets that share a port."""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.links import guardian
from pybpf.runtime.links.base import Link, descriptor_link, refused

if TYPE_CHECKING:
    from pybpf.runtime.program import LoadedProgram

__all__ = ["attach_reuseport", "attach_sk_lookup", "attach_sockmap"]

_PROG_ATTACH, _PROG_DETACH, _PROG_QUERY = 8, 9, 16
_SK_LOOKUP = 36
_SOCKMAP_TYPES = {
    "sk_msg": 7, "sk_skb/stream_parser": 4, "sk_skb/stream_verdict": 5, "sk_skb/verdict": 38,
}  # fmt: skip
_SO_ATTACH_REUSEPORT_EBPF, _SO_DETACH_REUSEPORT_BPF = 52, 68  # include/uapi/asm-generic/socket.h


def attach_sockmap(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """To a SockMap or SockHash: all sockets that are put there from now on. A map has one program of a kind."""
    name, map_fd = _map_of(program, options.get("target"))
    kind = _kind(program, section, options.get("kind"))
    where = f"map {name!r}"
    try:
        fd = syscall.link_create(program.fd, map_fd, kind)
        return descriptor_link(program, section, name, fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # EINVAL: no such links, which are there since Linux 6.10
            refused(program, where, error, _sockmap_help(error.errno or 0))
    if _attached(map_fd, kind):  # which this way of attaching would take away
        raise AttachError(f"attaching {program.name!r} to {where}: EBUSY", _sockmap_help(errno.EBUSY))
    # A map that is pinned keeps the program when this process is killed.
    prog_fd, kept, maker = os.dup(program.fd), os.dup(map_fd), os.getpid()
    forget = guardian.watch(syscall.detach_entry(kind), kept, prog_fd)
    try:
        syscall.bpf(_PROG_ATTACH, struct.pack("<IIII", map_fd, program.fd, kind, 0))
    except OSError as error:
        forget()
        os.close(prog_fd)
        os.close(kept)
        refused(program, where, error, _sockmap_help(error.errno or 0))

    def close() -> None:
        with suppress(OSError):  # somebody else's program has taken its place
            if os.getpid() == maker:
                syscall.bpf(_PROG_DETACH, struct.pack("<IIII", kept, prog_fd, kind, 0))
        forget()
        os.close(prog_fd)
        os.close(kept)

    return Link(program, section, name, kept, close)


def _attached(map_fd: int, kind: int) -> bool:
    """Whether the map has a program of that kind. Kernels before 5.17 can't be asked, and count as having none."""
    try:
        answer = syscall.bpf_result(_PROG_QUERY, struct.pack("<IIIIQII", map_fd, kind, 0, 0, 0, 0, 0))[1]
    except OSError as error:
        return error.errno == errno.ENOSPC
    return bool(struct.unpack_from("<I", answer, 24)[0])


def _kind(program: LoadedProgram, section: str, said: Any) -> int:
    """The attach type: of the section, or for a bare `sk_skb` what was said."""
    if section in _SOCKMAP_TYPES:
        if said is not None:
            raise AttachError(f"attaching {program.name!r}: `kind` is for a bare @sk_skb", f"{section} says it already")
        return _SOCKMAP_TYPES[section]
    kind = _SOCKMAP_TYPES.get(f"sk_skb/{said}")
    if kind is None:
        raise AttachError(
            f"attaching {program.name!r}: as what?",
            f'say kind="stream_verdict" or kind="verdict", not {said!r}; or decorate it with @sk_skb.stream_verdict',
        )
    return kind


def _sockmap_help(code: int) -> str:
    if code == errno.EBUSY:
        return "the map has a program of this kind, or one that excludes it: stream_verdict and verdict do"
    return ""


def _map_of(program: LoadedProgram, target: Any) -> tuple[str, int]:
    """Name and descriptor of the map: of the object, by declaration or name; its only one, where nothing is said."""
    if isinstance(target, int) and not isinstance(target, bool):
        return f"of file descriptor {target}", target
    maps = {name: made for name, made in program.owner.maps.items() if made.spec.kind.name in ("SOCKMAP", "SOCKHASH")}
    if target is None and len(maps) == 1:
        name, made = next(iter(maps.items()))
        return name, made.fd
    if target is None:
        has = f"the object has {', '.join(maps)}" if maps else "the object has none: none of its programs uses one"
        raise AttachError(
            f"attaching {program.name!r}: to which SockMap or SockHash?",
            f"{has}; name one: obj.attach({program.name}=socks)",
        )
    found = getattr(target, "fd", None)
    if isinstance(found, int):
        return str(getattr(target, "name", target)), found
    made = program.owner[target]
    return made.name, made.fd


def attach_sk_lookup(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """To a network namespace: a name of `ip netns`, a path, or an open descriptor; without any, this process's."""
    target = options.get("target", options.get("netns"))
    path: Any = "/proc/thread-self/ns/net" if target is None else target
    if type(path) is int:
        space, shut = path, -1
    else:
        text = str(os.fspath(path))
        try:
            space = shut = os.open(text if "/" in text else f"/run/netns/{text}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise AttachError(
                f"network namespace {text!r}: {error.strerror}", "`ip netns list` shows those with a name"
            ) from None
    where = "this network namespace" if target is None else f"network namespace {target}"
    try:
        fd = syscall.link_create(program.fd, space, _SK_LOOKUP)
    except OSError as error:
        helps = {errno.EINVAL: "it is no network namespace", errno.E2BIG: "64 programs are attached there already"}
        refused(program, where, error, helps.get(error.errno or 0, ""))
    finally:
        if shut >= 0:
            os.close(shut)
    return descriptor_link(program, section, "" if target is None else str(target), fd)


def attach_reuseport(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """To the group of a socket with SO_REUSEPORT, by setsockopt(2). Given before the socket is bound."""
    target = options.get("target")
    if target is None or isinstance(target, (bool, str)) or not (isinstance(target, int) or hasattr(target, "fileno")):
        raise AttachError(
            f"attaching {program.name!r}: to which group of sockets?",
            f"give a socket of it, with SO_REUSEPORT set: obj.attach({program.name}=sock)",
        )
    number = target if isinstance(target, int) else target.fileno()
    try:
        kept = socket.socket(fileno=os.dup(number))
    except OSError as error:
        raise AttachError(f"attaching {program.name!r}: file descriptor {number} is no open socket", "") from error
    try:
        kept.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_EBPF, program.fd)
    except OSError as error:
        kept.close()
        helps = {
            errno.EINVAL: "set SO_REUSEPORT on it first, and before it is bound: "
            "sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)"
        }
        refused(program, f"the sockets of file descriptor {number}", error, helps.get(error.errno or 0, ""))

    def close() -> None:
        with suppress(OSError):  # the last socket of the group is gone, and the program with it
            kept.setsockopt(socket.SOL_SOCKET, _SO_DETACH_REUSEPORT_BPF, 0)
        kept.close()

    return Link(program, section, f"socket {number}", -1, close)
