from pybpf import XDP, XdpContext, xdp


@xdp
def total(pkt: XdpContext) -> XDP:
    bits = [1 << i for i in range(8)]
    weight = sum(i * j for i in range(8) for j in range(2))
    return XDP.PASS
