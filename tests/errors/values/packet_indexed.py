from pybpf import XDP, XdpContext, xdp


@xdp
def probe(pkt: XdpContext) -> XDP:
    if pkt.data[12] == 8:
        return XDP.DROP
    return XDP.PASS
