from pybpf import XDP, HashMap, XdpContext, u32, u64, xdp

seen = HashMap[u32, u64](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    seen[0] = pkt
    seen[1] = pkt.data
    seen[2] = u64(pkt)
    return XDP.PASS
