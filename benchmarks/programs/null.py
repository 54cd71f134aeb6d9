"""Nothing: what the test loop costs."""

from pybpf import XDP, XdpContext, xdp


@xdp
def null(pkt: XdpContext) -> XDP:
    return XDP.PASS
