"""Hooks of a cgroup: what its processes may do, and with which addresses. `@cgroup.connect4`, `@cgroup.skb.egress`.

    @cgroup.connect4
    def redirect(ctx: SockAddr4Context) -> bool:
        if ctx.user_port == 80:
            ctx.user_port = 8080
        return True

    with load(redirect) as obj, obj.attach(redirect="/sys/fs/cgroup/app"): ...

The answer is True to let the call go on and False to have it fail with EPERM. Programs at calls that only tell an
address (recvmsg, getpeername, getsockname) have no answer. What the kernel takes of each is in kernel/bpf/verifier.c,
check_return_code().
"""

from __future__ import annotations

from pybpf.hooks.base import ContextHook, Family, Simple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeVar, overload

    from pybpf.program import Program
    from pybpf.stdlib.contexts.cgroups import (
        CgroupSkbContext,
        DeviceContext,
        GetsockoptContext,
        PostBind4Context,
        PostBind6Context,
        SendMsg4Context,
        SendMsg6Context,
        SetsockoptContext,
        SockAddr4Context,
        SockAddr6Context,
        SockAddrUnixContext,
        SockContext,
        SysctlContext,
    )
    from pybpf.stdlib.sockactions import CgroupBind, CgroupEgress

    C = TypeVar("C")
    R = TypeVar("R")
    A = TypeVar("A")

    class _Bare(Protocol[C, R]):
        def __call__(self, function: Callable[[C], R], /) -> Program[[C], R]: ...

    class _Hook(Protocol[C, R]):
        @overload
        def __call__(self, function: Callable[[C], R], /) -> Program[[C], R]: ...
        @overload
        def __call__(self) -> _Bare[C, R]: ...

    class _Either(Protocol[C, R, A]):
        """Two kinds of answers."""

        @overload
        def __call__(self, function: Callable[[C], A], /) -> Program[[C], A]: ...
        @overload
        def __call__(self, function: Callable[[C], R], /) -> Program[[C], R]: ...

    class _Skb(_Hook[CgroupSkbContext, bool], Protocol):
        @property
        def ingress(self) -> _Hook[CgroupSkbContext, bool]:
            """Packets that the cgroup's sockets receive. Linux 4.10."""
            ...

        @property
        def egress(self) -> _Either[CgroupSkbContext, bool, CgroupEgress]:
            """Packets that the cgroup's sockets send. Linux 4.10."""
            ...

    class _Cgroup(Protocol):
        """The hooks of a cgroup, by libbpf's names; see the module's docstring."""

        @property
        def skb(self) -> _Skb:
            """Packets. Which way is said when it is attached, or here: `@cgroup.skb.ingress`. Linux 4.10."""
            ...

        @property
        def connect4(self) -> _Hook[SockAddr4Context, bool]:
            """connect(2) to an IPv4 address. Linux 4.17."""
            ...

        @property
        def connect6(self) -> _Hook[SockAddr6Context, bool]:
            """connect(2) to an IPv6 address. Linux 4.17."""
            ...

        @property
        def connect_unix(self) -> _Hook[SockAddrUnixContext, bool]:
            """connect(2) to a Unix socket's path. Linux 6.7."""
            ...

        @property
        def bind4(self) -> _Either[SockAddr4Context, bool, CgroupBind]:
            """bind(2) to an IPv4 address. Linux 4.17."""
            ...

        @property
        def bind6(self) -> _Either[SockAddr6Context, bool, CgroupBind]:
            """bind(2) to an IPv6 address. Linux 4.17."""
            ...

        @property
        def post_bind4(self) -> _Hook[PostBind4Context, bool]:
            """After a socket was bound to an IPv4 address. Linux 4.17."""
            ...

        @property
        def post_bind6(self) -> _Hook[PostBind6Context, bool]:
            """After a socket was bound to an IPv6 address. Linux 4.17."""
            ...

        @property
        def sendmsg4(self) -> _Hook[SendMsg4Context, bool]:
            """A datagram that a socket sends to an IPv4 address named in the call. Linux 4.18."""
            ...

        @property
        def sendmsg6(self) -> _Hook[SendMsg6Context, bool]:
            """A datagram that a socket sends to an IPv6 address named in the call. Linux 4.18."""
            ...

        @property
        def sendmsg_unix(self) -> _Hook[SockAddrUnixContext, bool]:
            """A datagram that a socket sends to a Unix socket's path. Linux 6.7."""
            ...

        @property
        def recvmsg4(self) -> _Hook[SockAddr4Context, None]:
            """What recvmsg(2) says of where a datagram came from, IPv4. Linux 5.2."""
            ...

        @property
        def recvmsg6(self) -> _Hook[SockAddr6Context, None]:
            """What recvmsg(2) says of where a datagram came from, IPv6. Linux 5.2."""
            ...

        @property
        def recvmsg_unix(self) -> _Hook[SockAddrUnixContext, None]:
            """What recvmsg(2) says of the Unix socket that a datagram came from. Linux 6.7."""
            ...

        @property
        def getpeername4(self) -> _Hook[SockAddr4Context, None]:
            """What getpeername(2) says of an IPv4 socket. Linux 5.8."""
            ...

        @property
        def getpeername6(self) -> _Hook[SockAddr6Context, None]:
            """What getpeername(2) says of an IPv6 socket. Linux 5.8."""
            ...

        @property
        def getpeername_unix(self) -> _Hook[SockAddrUnixContext, None]:
            """What getpeername(2) says of a Unix socket. Linux 6.7."""
            ...

        @property
        def getsockname4(self) -> _Hook[SockAddr4Context, None]:
            """What getsockname(2) says of an IPv4 socket. Linux 5.8."""
            ...

        @property
        def getsockname6(self) -> _Hook[SockAddr6Context, None]:
            """What getsockname(2) says of an IPv6 socket. Linux 5.8."""
            ...

        @property
        def getsockname_unix(self) -> _Hook[SockAddrUnixContext, None]:
            """What getsockname(2) says of a Unix socket. Linux 6.7."""
            ...

        @property
        def sock_create(self) -> _Hook[SockContext, bool]:
            """socket(2), of IPv4 and IPv6. Linux 4.10."""
            ...

        @property
        def sock_release(self) -> _Hook[SockContext, bool]:
            """The end of an IPv4 or IPv6 socket. The answer changes nothing. Linux 5.9."""
            ...

        @property
        def sock(self) -> _Hook[SockContext, bool]:
            """The same as sock_create, under its older name. Linux 4.10."""
            ...

        @property
        def sysctl(self) -> _Hook[SysctlContext, bool]:
            """Reads and writes of files in /proc/sys. Linux 5.2."""
            ...

        @property
        def getsockopt(self) -> _Hook[GetsockoptContext, bool]:
            """getsockopt(2), after the kernel has answered. Linux 5.3."""
            ...

        @property
        def setsockopt(self) -> _Hook[SetsockoptContext, bool]:
            """setsockopt(2), before the kernel does it. Linux 5.3."""
            ...

        @property
        def dev(self) -> _Hook[DeviceContext, bool]:
            """Device files: opened, or made. Linux 4.15."""
            ...


__all__ = ["cgroup"]

# By context: the hooks, the names of the answers, what the kernel takes where those do not say it.
_YES_OR_NO, _BIND, _NONE = ("bool",), ("bool", "CgroupBind"), ()
_ROWS: tuple[tuple[str, str, tuple[str, ...], tuple[int, int] | None], ...] = (
    ("SockAddr4Context", "connect4", _YES_OR_NO, None),
    ("SockAddr6Context", "connect6", _YES_OR_NO, None),
    ("SockAddrUnixContext", "connect_unix sendmsg_unix", _YES_OR_NO, None),
    ("SockAddr4Context", "bind4", _BIND, (0, 3)),
    ("SockAddr6Context", "bind6", _BIND, (0, 3)),
    ("SendMsg4Context", "sendmsg4", _YES_OR_NO, None),
    ("SendMsg6Context", "sendmsg6", _YES_OR_NO, None),
    ("SockAddr4Context", "recvmsg4", _NONE, None),
    ("SockAddr4Context", "getpeername4 getsockname4", _NONE, None),
    ("SockAddr6Context", "recvmsg6", _NONE, None),
    ("SockAddr6Context", "getpeername6 getsockname6", _NONE, None),
    ("SockAddrUnixContext", "recvmsg_unix getpeername_unix getsockname_unix", _NONE, None),
    ("PostBind4Context", "post_bind4", _YES_OR_NO, None),
    ("PostBind6Context", "post_bind6", _YES_OR_NO, None),
    ("SockContext", "sock_create sock", _YES_OR_NO, None),
    ("SockContext", "sock_release", _YES_OR_NO, None),
    ("SysctlContext", "sysctl", _YES_OR_NO, None),
    ("GetsockoptContext", "getsockopt", _YES_OR_NO, None),
    ("SetsockoptContext", "setsockopt", _YES_OR_NO, None),
    ("DeviceContext", "dev", _YES_OR_NO, None),
)


def _simple(name: str, section: str, context: str, answers: tuple[str, ...], allowed: tuple[int, int] | None) -> Simple:
    def make() -> ContextHook:
        from pybpf.stdlib import sockactions
        from pybpf.stdlib.contexts import cgroups

        kinds = [bool if answer == "bool" else getattr(sockactions, answer) for answer in answers]
        first, others = (kinds[0], tuple(kinds[1:])) if kinds else (None, ())
        default = 0 if kinds else 1  # where there is no answer, 1 is the only one that is allowed
        return ContextHook(
            name, section, getattr(cgroups, context), first, also=others, allowed=allowed, default=default
        )

    return Simple(name, make)


def _all() -> dict[str, Simple | Family]:
    made: dict[str, Simple | Family] = {}
    for context, names, answers, allowed in _ROWS:
        for name in names.split():
            made[name] = _simple(f"cgroup.{name}", f"cgroup/{name}", context, answers, allowed)
    packet = "CgroupSkbContext"
    made["skb"] = Family(
        "cgroup.skb",
        _simple("cgroup.skb", "cgroup/skb", packet, _YES_OR_NO, None),
        ingress=_simple("cgroup.skb.ingress", "cgroup_skb/ingress", packet, _YES_OR_NO, None),
        egress=_simple("cgroup.skb.egress", "cgroup_skb/egress", packet, ("bool", "CgroupEgress"), (0, 3)),
    )
    return made


cgroup: _Cgroup = Family("cgroup", **_all())  # type: ignore[assignment, arg-type]
