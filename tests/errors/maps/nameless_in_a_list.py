"""Maps in a list: no variable names them."""

from pybpf import XDP, HashMap, XdpContext, u32, u64, xdp

counters = [HashMap[u32, u64](max_entries=64) for _ in range(2)]


@xdp
def count(pkt: XdpContext) -> XDP:
    counters[0][1] = 2
    return XDP.PASS
