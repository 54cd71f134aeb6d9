from pybpf import XDP, XdpContext, xdp


@xdp
def probe(pkt: XdpContext) -> XDP:
    if pkt.mark == 3:
        return XDP.DROP
    if pkt.len > 1500:
        return XDP.DROP
    return XDP.PASS
