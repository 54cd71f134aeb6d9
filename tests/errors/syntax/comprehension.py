from pybpf import XDP, XdpContext, xdp


@xdp
def total(pkt: XdpContext) -> XDP:
    bits = [1 << i for i in range(8)]
    weight = sum(i * i for i in range(8))
    return XDP.PASS
