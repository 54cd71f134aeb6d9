# python >= 3.11
"""Hooks that Linux 6.1, which objects are built for unless told, does not have yet."""

from pybpf import (
    NETFILTER,
    NETKIT,
    TCX,
    NetfilterContext,
    RawTracepointContext,
    TcContext,
    fsession,
    netfilter,
    netkit,
    raw_tp,
    tcx,
)


@tcx.ingress
def first(pkt: TcContext) -> TCX:
    return TCX.NEXT


@netkit.peer
def second(pkt: TcContext) -> NETKIT:
    return NETKIT.PASS


@netfilter
def third(ctx: NetfilterContext) -> NETFILTER:
    return NETFILTER.ACCEPT


@raw_tp("sys_enter", sleepable=True)
def fourth(ctx: RawTracepointContext) -> None:
    pass


@fsession("tcp_connect")
def fifth() -> None:
    pass
