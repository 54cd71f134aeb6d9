from pybpf import XDP, ArrayMap, XdpContext, helpers, subprog, u64, xdp
from pybpf.net import ethhdr, iphdr

seen = ArrayMap[u64](4)


@subprog
def grow(pkt: XdpContext) -> bool:
    return helpers.bpf_xdp_adjust_head(pkt, -14) == 0


def shrink(pkt: XdpContext) -> None:
    helpers.bpf_xdp_adjust_tail(pkt, -4)


@xdp
def encapsulate(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    seen[0] = eth.h_proto
    if helpers.bpf_xdp_adjust_head(pkt, -4):
        return XDP.DROP
    seen[1] = eth.h_proto
    ip = pkt.parse(iphdr)
    grow(pkt)
    seen[2] = ip.protocol if ip is not None else 0
    last = pkt.parse(ethhdr)
    shrink(pkt)
    if last is not None:
        seen[3] = last.h_proto
    return XDP.TX
