# python >= 3.11
from pybpf import XDP, XdpContext, xdp


@xdp("eth0")
def probe(pkt: XdpContext) -> XDP:
    return XDP.PASS
