from pybpf import XDP, HashMap, Struct, XdpContext, u32, u64, xdp


class Flow(Struct):
    packets: u64
    bytes: u64


drops = HashMap[u32, u64](max_entries=64)
flows = HashMap[u32, Flow](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    seen = drops[pkt.ingress_ifindex]
    if seen > 100:
        return XDP.DROP
    flows[pkt.ingress_ifindex].packets += 1
    return XDP.PASS
