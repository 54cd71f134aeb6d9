from pybpf import XDP, XdpContext, xdp
from pybpf.net import ethhdr


@xdp
def shift(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None or not pkt.adjust_head(-4):
        return XDP.PASS
    return XDP.DROP if eth.h_proto == 0x800 else XDP.PASS
