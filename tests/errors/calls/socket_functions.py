from socket import htons

from pybpf import XDP, XdpContext, xdp
from pybpf.net import ethhdr


@xdp
def probe(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is not None and eth.h_proto == htons(0x0800):
        return XDP.DROP
    return XDP.PASS
