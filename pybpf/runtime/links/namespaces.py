"""Network namespaces and the interfaces in them.

`where(netns)` opens a namespace; `inside(fd, work)` runs a function in it, in a thread of its own, which enters the
namespace and ends, so that no other thread ever leaves its own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError

if TYPE_CHECKING:
    from collections.abc import Callable

    T = TypeVar("T")

__all__ = ["in_network", "inside", "interface_index", "open_network", "spelled"]


def spelled(what: str, netns: Any) -> str:
    """`what`, with the namespace that it is in."""
    return what + (f" of network namespace {netns}" if netns else "")


def open_network(netns: Any = None) -> int:
    """A descriptor of a namespace: a name of `ip netns`, a path, a descriptor (copied); None: the thread's."""
    if isinstance(netns, int) and not isinstance(netns, bool):
        return os.dup(netns)
    name = str(netns or "/proc/thread-self/ns/net")
    try:
        return os.open(name if "/" in name else f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise AttachError(
            f"network namespace {netns!r}: {error.strerror}", "`ip netns list` shows those with a name"
        ) from None


def inside(space: int, work: Callable[[], T]) -> T:
    """Run `work` in the namespace behind a descriptor, and give what it gives or raises."""
    import threading

    done: list[Any] = []

    def run() -> None:
        try:
            syscall.setns_network(space)
            done.append((work(), None))
        except BaseException as error:
            done.append((None, error))

    thread = threading.Thread(target=run, name="pybpf-netns")
    thread.start()
    thread.join()
    result, error = done[0]
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def in_network(netns: Any, work: Callable[[], T]) -> T:
    """Run `work` in a namespace; None is the caller's, in which it is just called."""
    if netns is None or netns == "":
        return work()
    space = open_network(netns)
    try:
        return inside(space, work)
    finally:
        os.close(space)


def interface_index(target: Any, netns: Any = None) -> int:
    """The number of an interface, by name or number, in the calling thread's namespace; `netns` is for messages."""
    import socket

    if isinstance(target, int):
        return target
    try:
        return socket.if_nametoindex(str(target))
    except OSError:
        names = ", ".join(name for _, name in socket.if_nameindex())
        raise AttachError(f"there is no {spelled(f'interface {target}', netns)}", f"there are: {names}") from None
