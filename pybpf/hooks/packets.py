"""Hooks that see packets, from the driver to the socket: XDP, traffic control, TCX, netkit, netfilter, routes, ...

Decorators that stand alone or are called: `@xdp`, `@xdp()`, `@xdp(frags=True)`. Where a program is attached is said
when it is attached: see `pybpf.runtime.links`.
"""

from __future__ import annotations

from pybpf.hooks.base import ContextHook, Family, Simple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeVar, overload

    from pybpf.hooks.typed import Bare, Called
    from pybpf.program import Program
    from pybpf.stdlib.actions import XDP
    from pybpf.stdlib.contexts.lirc import LircContext
    from pybpf.stdlib.contexts.netfilter import NetfilterContext
    from pybpf.stdlib.contexts.packets import XdpContext, XdpDevmapContext
    from pybpf.stdlib.contexts.skb import (
        FlowDissectorContext,
        LwtContext,
        LwtXmitContext,
        SocketFilterContext,
        TcContext,
    )
    from pybpf.stdlib.routeactions import FLOW, LWT, LWT_SEG6LOCAL, LWT_XMIT, NETFILTER
    from pybpf.stdlib.tcactions import NETKIT, TC, TCX

    C = TypeVar("C")
    R = TypeVar("R")

    class _Frags(Protocol[C, R]):
        @overload
        def __call__(self, function: Callable[[C], R], /) -> Program[[C], R]: ...
        @overload
        def __call__(self, *, frags: bool = False) -> Bare[C, R]: ...

    class _Xdp(_Frags[XdpContext, XDP], Protocol):
        @property
        def devmap(self) -> _Frags[XdpDevmapContext, XDP]:
            """Frames that a device map sends out of an interface: the program of a `DevMap` entry. Linux 5.8."""
            ...

        @property
        def cpumap(self) -> _Frags[XdpContext, XDP]:
            """Frames that a CPU map moved to another CPU, there: the program of a `CpuMap` entry. Linux 5.9."""
            ...

    class _Tc(Called[TcContext, TC], Protocol):
        @property
        def ingress(self) -> Called[TcContext, TC]:
            """Packets that come in. Attached by a TCX link where the kernel has those (6.6)."""
            ...

        @property
        def egress(self) -> Called[TcContext, TC]:
            """Packets that go out. Attached by a TCX link where the kernel has those (6.6)."""
            ...

    class _Tcx(Protocol):
        @property
        def ingress(self) -> Called[TcContext, TCX]:
            """Packets that come in by an interface."""
            ...

        @property
        def egress(self) -> Called[TcContext, TCX]:
            """Packets that go out by an interface."""
            ...

    class _Netkit(Protocol):
        @property
        def primary(self) -> Called[TcContext, NETKIT]:
            """Packets that the primary device of the pair sends."""
            ...

        @property
        def peer(self) -> Called[TcContext, NETKIT]:
            """Packets that the peer device sends."""
            ...

    class _Lwt(Protocol):
        @property
        def in_(self) -> Called[LwtContext, LWT]:
            """Packets that come in for a route. Linux 4.10."""
            ...

        @property
        def out(self) -> Called[LwtContext, LWT]:
            """Packets of this machine that go out by a route. Linux 4.10."""
            ...

        @property
        def xmit(self) -> Called[LwtXmitContext, LWT_XMIT]:
            """All packets that leave by a route, which may be changed and redirected. Linux 4.10."""
            ...

        @property
        def seg6local(self) -> Called[LwtContext, LWT_SEG6LOCAL]:
            """Packets whose segment routing header names a segment of this machine (End.BPF). Linux 4.18."""
            ...

    xdp: _Xdp
    tc: _Tc
    tcx: _Tcx
    netkit: _Netkit
    lwt: _Lwt
    classifier: Called[TcContext, TC]
    action: Called[TcContext, TC]
    socket_filter: Called[SocketFilterContext, int | None]
    flow_dissector: Called[FlowDissectorContext, FLOW]
    netfilter: Called[NetfilterContext, NETFILTER]
    lirc_mode2: Called[LircContext, int | None]


__all__ = [
    "action", "classifier", "flow_dissector", "lirc_mode2", "lwt", "netfilter", "netkit", "socket_filter", "tc",
    "tcx", "xdp",
]  # fmt: skip


def _hook(
    name: str,
    section: str,
    context: str,
    answer: str,
    doc: str = "",
    allowed: tuple[int, int] | None = None,
    default: int = 0,
) -> Simple:
    """The decorator of a section, by the names of its context's class and of its answers (none: a number)."""

    def make(frags: bool = False) -> ContextHook:
        module, _, owner = context.rpartition(".")
        wanted = getattr(__import__(f"pybpf.stdlib.contexts.{module}", fromlist=(owner,)), owner)
        home, _, said = answer.rpartition(".")
        result = getattr(__import__(f"pybpf.stdlib.{home}", fromlist=(said,)), said) if answer else int
        pattern = section.replace("xdp", "xdp.frags", 1) if frags else section
        return ContextHook(name, pattern, wanted, result, allowed=allowed, default=default)

    return Simple(name, make, ("frags",) if name.startswith("xdp") else (), doc)


if not TYPE_CHECKING:
    _TC, _XDP = ("skb.TcContext", "tcactions.TC"), ("packets.XdpContext", "actions.XDP")
    xdp = Family(
        "xdp",
        _hook("xdp", "xdp", *_XDP),
        devmap=_hook("xdp.devmap", "xdp/devmap", "packets.XdpDevmapContext", "actions.XDP"),
        cpumap=_hook("xdp.cpumap", "xdp/cpumap", *_XDP),
        doc="Frames as the driver receives them, before the network stack. `frags=True`: those in several buffers too.",
    )
    tc = Family(
        "tc",
        _hook("tc", "tc", *_TC),
        ingress=_hook("tc.ingress", "tc/ingress", *_TC),
        egress=_hook("tc.egress", "tc/egress", *_TC),
        doc="Packets at a network interface: a filter of its clsact queueing discipline, which decides by itself.",
    )
    classifier = _hook("classifier", "classifier", *_TC, "The same as `@tc`, by its older section name.")
    action = _hook("action", "action", *_TC, "An action that filters of traffic control name.")
    tcx = Family(
        "tcx",
        ingress=_hook("tcx.ingress", "tcx/ingress", "skb.TcContext", "tcactions.TCX"),
        egress=_hook("tcx.egress", "tcx/egress", "skb.TcContext", "tcactions.TCX"),
        doc="Packets at a network interface, by a link: several programs, one after the other. Linux 6.6.",
    )
    netkit = Family(
        "netkit",
        primary=_hook("netkit.primary", "netkit/primary", "skb.TcContext", "tcactions.NETKIT"),
        peer=_hook("netkit.peer", "netkit/peer", "skb.TcContext", "tcactions.NETKIT"),
        doc="Packets that a netkit device sends. Linux 6.7.",
    )
    lwt = Family(
        "lwt",
        in_=_hook("lwt.in_", "lwt_in", "skb.LwtContext", "routeactions.LWT"),
        out=_hook("lwt.out", "lwt_out", "skb.LwtContext", "routeactions.LWT"),
        xmit=_hook("lwt.xmit", "lwt_xmit", "skb.LwtXmitContext", "routeactions.LWT_XMIT"),
        seg6local=_hook("lwt.seg6local", "lwt_seg6local", "skb.LwtContext", "routeactions.LWT_SEG6LOCAL"),
        doc="Packets that take a route.",
    )
    socket_filter = _hook(
        "socket_filter",
        "socket",
        "skb.SocketFilterContext",
        "",
        "Packets on their way to a socket. Returns how many bytes the socket gets, 0 for none.",
        default=-1,
    )
    flow_dissector = _hook(
        "flow_dissector",
        "flow_dissector",
        "skb.FlowDissectorContext",
        "routeactions.FLOW",
        "Tells the flow of each packet in a network namespace. Linux 4.20.",
    )
    netfilter = _hook(
        "netfilter",
        "netfilter",
        "netfilter.NetfilterContext",
        "routeactions.NETFILTER",
        "Packets at a hook of netfilter. Linux 6.4.",
        (0, 1),
        1,
    )
    lirc_mode2 = _hook(
        "lirc_mode2", "lirc_mode2", "lirc.LircContext", "", "Samples of an infrared receiver. Linux 4.18."
    )
