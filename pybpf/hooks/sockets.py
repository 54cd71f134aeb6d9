"""Hooks at sockets: TCP's events, messages and data of sockets in a SockMap, the choice of a listening socket."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.hooks.base import ContextHook, Family, Simple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar, overload

    from pybpf.hooks.typed import Bare, Called
    from pybpf.program import Program
    from pybpf.stdlib.contexts.sockets import (
        SkLookupContext,
        SkMsgContext,
        SkReuseportContext,
        SkSkbContext,
        SockOpsContext,
    )
    from pybpf.stdlib.maps.sockets import SockHash, SockMap
    from pybpf.stdlib.sockactions import SK

    C = TypeVar("C")
    R = TypeVar("R")

    class _AtMap(Protocol[C, R]):
        """`map` is a SockMap or SockHash: where the program is attached, unless something else is said then."""

        @overload
        def __call__(self, function: Callable[[C], R], /) -> Program[[C], R]: ...
        @overload
        def __call__(self, *, map: SockMap | SockHash[Any]) -> Bare[C, R]: ...

    class _SockOps(Protocol):
        @overload
        def __call__(self, function: Callable[[SockOpsContext], bool], /) -> Program[[SockOpsContext], bool]: ...
        @overload
        def __call__(self, function: Callable[[SockOpsContext], None], /) -> Program[[SockOpsContext], None]: ...

    class _SkSkb(_AtMap[SkSkbContext, SK], Protocol):
        @property
        def stream_parser(self) -> _AtMap[SkSkbContext, int]:
            """How long the message is that begins here, in bytes; 0 where more data must come first. Linux 4.14."""
            ...

        @property
        def stream_verdict(self) -> _AtMap[SkSkbContext, SK]:
            """What becomes of a message, or of data where there is no parser. Linux 4.14."""
            ...

        @property
        def verdict(self) -> _AtMap[SkSkbContext, SK]:
            """What becomes of data of any kind of socket, UDP and Unix too; without a parser. Linux 5.13."""
            ...

    class _SkReuseport(Called[SkReuseportContext, SK], Protocol):
        @property
        def migrate(self) -> Called[SkReuseportContext, SK]:
            """The same, and where connections of a closed socket go (`ctx.migrating_sk`). Linux 5.14."""
            ...


__all__ = ["sk_lookup", "sk_msg", "sk_reuseport", "sk_skb", "sockops"]


def _simple(name: str, section: str, context: str, result: str, **more: Any) -> Simple:
    def make() -> ContextHook:
        from pybpf.stdlib.contexts import sockets
        from pybpf.stdlib.sockactions import SK

        kind = {"SK": SK, "bool": bool, "int": int}[result]
        return ContextHook(name, section, getattr(sockets, context), kind, **more)

    return Simple(name, make)


def _at_map(name: str, section: str, context: str, result: str) -> Simple:
    """A decorator that may be given the map of sockets, which then belongs to the object: `@sk_msg(map=socks)`."""

    def make(map: Any = None) -> ContextHook:
        from pybpf.stdlib.contexts import sockets
        from pybpf.stdlib.sockactions import SK

        if map is not None and getattr(getattr(map, "kind", None), "name", "") not in ("SOCKMAP", "SOCKHASH"):
            raise DeclarationTypeError(
                f"@{name}: `map` takes a SockMap or a SockHash, not {map!r}",
                help="declare one:",
                lines=("socks = SockMap(16)", f"@{name}(map=socks)"),
            )
        maps = () if map is None else (map,)
        kind = {"SK": SK, "int": int}[result]
        return ContextHook(
            name,
            section,
            getattr(sockets, context),
            kind,
            maps=maps,
            attach={"map": map} if maps else None,
        )

    return Simple(name, make, ("map",))


# TCP's events, of the connections of a cgroup. False, where an event asks for a reply, gives none. Linux 4.13.
sockops: _SockOps = _simple("sockops", "sockops", "SockOpsContext", "bool", also=(None,), default=1)

# What the sockets of a SockMap or SockHash send. Linux 4.17.
sk_msg: _AtMap[SkMsgContext, SK] = _at_map("sk_msg", "sk_msg", "SkMsgContext", "SK")

# What the sockets of a SockMap or SockHash receive; the bare name is attached as the kind that is said then.
sk_skb: _SkSkb = Family(  # type: ignore[assignment]
    "sk_skb",
    _at_map("sk_skb", "sk_skb", "SkSkbContext", "SK"),
    stream_parser=_at_map("sk_skb.stream_parser", "sk_skb/stream_parser", "SkSkbContext", "int"),
    stream_verdict=_at_map("sk_skb.stream_verdict", "sk_skb/stream_verdict", "SkSkbContext", "SK"),
    verdict=_at_map("sk_skb.verdict", "sk_skb/verdict", "SkSkbContext", "SK"),
)

# Which socket listens for a new connection or a datagram, in a network namespace. Linux 5.9.
sk_lookup: Called[SkLookupContext, SK] = _simple("sk_lookup", "sk_lookup", "SkLookupContext", "SK")

# Which of the sockets that share a port (SO_REUSEPORT) gets a packet. Linux 4.19.
sk_reuseport: _SkReuseport = Family(  # type: ignore[assignment]
    "sk_reuseport",
    _simple("sk_reuseport", "sk_reuseport", "SkReuseportContext", "SK"),
    migrate=_simple("sk_reuseport.migrate", "sk_reuseport/migrate", "SkReuseportContext", "SK"),
)
