from pybpf import XDP, XdpContext, xdp


@xdp
def probe(pkt: XdpContext) -> XDP:
    if len(pkt) > 1500:
        return XDP.DROP
    return XDP.PASS
