"""The guardian: a small process that takes away what another one attached, when that one ends without having done so.

    python -I -S guard.py SOCKET PARENT

It is started by guardian.py, and needs nothing but Python. Messages come on the socket (SOCK_SEQPACKET) as JSON: an
entry to keep, with descriptors that it needs, or the key of one to forget. Where the parent ends, or closes its end of
the socket, the entries that are left are undone, the last one first, and the process ends.

Entries are dicts; bytes in them are written as hexadecimal digits. Each says exactly what is to go, and how to know
that it is there still, so that nothing of anybody else's is ever taken away:

    {"kind": "filter", "query": ..., "path": [2, 11], "value": ..., "undo": ...}
        one descriptor: the network namespace. `query` asks netlink for one thing, or a list. If there is an answer
        whose attribute at `path` has `value`, `undo` is sent. Its fixed part must begin with "head", and the attribute
        at one more path have one more value, "and", where these are given.
    {"kind": "empty", "queries": [...], "undo": ...}    `undo` is sent if the lists that are asked for are empty
    {"kind": "bpf", "call": n, "command": n, "type": n}     two descriptors, of what has the program attached, and of
        the program: bpf(command, {target_fd, attach_bpf_fd, attach_type})
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["ask", "attribute", "undo"]

_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_FIXED = {44: 20, 24: 12, 36: 20}  # bytes before the attributes: RTM_NEWTFILTER, RTM_NEWROUTE, RTM_NEWQDISC


def ask(request: bytes) -> list[tuple[bytes, bytes]]:
    """The fixed part and the attributes of each answer of rtnetlink, in the network namespace of the thread. Raises
    OSError.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as link:
        link.setsockopt(270, 12, 1)  # SOL_NETLINK, NETLINK_GET_STRICT_CHK: lists are of what the request says
        link.settimeout(5)
        link.bind((0, 0))
        link.send(request)
        listed = struct.unpack_from("<H", request, 6)[0] & 0x300  # NLM_F_DUMP
        found: list[tuple[bytes, bytes]] = []
        while True:
            data = link.recv(1 << 17)
            at = 0
            while at + 16 <= len(data):
                size, kind = struct.unpack_from("<IH", data, at)
                if kind == _ERROR:
                    code = -struct.unpack_from("<i", data, at + 16)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return found
                if kind == _DONE:
                    return found
                start = at + 16 + _FIXED.get(kind, 0)
                found.append((data[at + 16 : start], data[start : at + size]))
                at += size + 3 & ~3
            if not listed and found:
                return found


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("<HH", data, at)
        yield kind & 0x3FFF, data[at + 4 : at + max(size, 4)]  # without NLA_F_NESTED
        at += max(size, 4) + 3 & ~3


def attribute(data: bytes, path: list[int]) -> bytes | None:
    """What lies at the end of a path of nested attributes."""
    for step in path:
        for kind, inner in _attributes(data):
            if kind == step:
                data = inner
                break
        else:
            return None
    return data


def _is(entry: dict[str, Any], head: bytes, data: bytes) -> bool:
    wanted = [(entry["path"], entry["value"]), *([entry["and"]] if entry.get("and") else [])]
    return head.startswith(bytes.fromhex(entry.get("head", ""))) and all(
        attribute(data, path) == bytes.fromhex(value) for path, value in wanted
    )


def undo(entry: dict[str, Any]) -> bool:
    """Take away what an entry of netlink stands for, in the thread's namespace; False where it is gone already."""
    if entry["kind"] == "empty":
        there = not any(ask(bytes.fromhex(query)) for query in entry["queries"])
    else:
        there = any(_is(entry, head, data) for head, data in ask(bytes.fromhex(entry["query"])))
    if there:
        ask(bytes.fromhex(entry["undo"]))
    return there


def _undo_all(entries: dict[int, tuple[dict[str, Any], list[int]]]) -> None:
    import ctypes

    c = ctypes.CDLL(None, use_errno=True)
    for entry, descriptors in reversed(list(entries.values())):
        try:
            if entry["kind"] == "bpf":
                attr = struct.pack("<IIII", descriptors[0], descriptors[1], entry["type"], 0)
                c.syscall(entry["call"], entry["command"], attr, len(attr))
            elif c.setns(descriptors[0], 0x40000000) == 0:  # CLONE_NEWNET
                undo(entry)
        except OSError as error:
            # what is gone already: the filter or route, the interface, the namespace's last interface
            if error.errno not in (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EINVAL):
                continue


def _receive(end: socket.socket, entries: dict[int, tuple[dict[str, Any], list[int]]]) -> bool:
    """Take a message; False where there will be no more."""
    data, descriptors, _, _ = socket.recv_fds(end, 1 << 16, 4)
    if not data:
        return False
    said = json.loads(data)
    if "forget" in said:
        for descriptor in entries.pop(said["forget"], ({}, []))[1]:
            os.close(descriptor)
    else:
        entries[said["key"]] = said, descriptors
    return True


def _main() -> None:
    number, parent = map(int, sys.argv[1:3])
    end = socket.socket(fileno=number)
    waits = [end.fileno()]
    try:
        if os.getppid() == parent:
            waits.append(os.pidfd_open(parent))  # a child of the parent may hold the socket
    except OSError:  # before Linux 5.3
        pass
    if os.fork():  # the parent has nobody to wait for any more
        os._exit(0)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    entries: dict[int, tuple[dict[str, Any], list[int]]] = {}
    polled = select.poll()
    for descriptor in waits:
        polled.register(descriptor, select.POLLIN)
    more = True
    while more:
        ready = {descriptor for descriptor, _ in polled.poll()}
        if end.fileno() in ready:
            more = _receive(end, entries)
        elif len(waits) > 1 and waits[1] in ready:
            more = False  # every message was taken
    _undo_all(entries)


if __name__ == "__main__":
    _main()
