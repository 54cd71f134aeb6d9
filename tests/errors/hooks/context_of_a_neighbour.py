from pybpf import TC, XDP, SkbContext, XdpDevmapContext, tc, xdp


@xdp
def frames(pkt: XdpDevmapContext) -> XDP:
    return XDP.PASS


@tc
def packets(skb: SkbContext) -> TC:
    return TC.OK
