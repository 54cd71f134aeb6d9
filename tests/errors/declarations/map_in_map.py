from pybpf import XDP, HashMap, XdpContext, u32, u64, xdp

flows = HashMap[u32, HashMap[u32, u64]](max_entries=64)
marks = HashMap["u32", u64](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    if 1 in flows:
        return XDP.DROP
    if 1 in marks:
        return XDP.DROP
    return XDP.PASS
