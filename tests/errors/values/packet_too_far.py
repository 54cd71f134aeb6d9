"""The verifier adds up how far an address may have been moved into the packet."""

from pybpf import XDP, XdpContext, u16, xdp
from pybpf.net import ethhdr


@xdp
def steps(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    length: u16 = eth.h_proto
    pkt.skip(length)
    pkt.skip(length)
    pkt.skip(length)
    pkt.skip(length)
    inner = pkt.parse(ethhdr)
    if inner is None:
        return XDP.PASS
    return XDP.DROP


@xdp
def addresses(pkt: XdpContext) -> XDP:
    at = pkt.data + 60000
    if at + 6000 > pkt.data_end:
        return XDP.PASS
    return XDP.DROP
