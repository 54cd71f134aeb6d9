from __future__ import annotations

from pybpf import XDP, XdpContext, xdp


@xdp
def probe(pkt: XdpContxt) -> XDP:
    return XDP.PASS
