# python >= 3.11
from pybpf import XDP, HashMap, XdpContext, u32, u64, xdp

range = HashMap[u32, u64](max_entries=16)


@xdp
def probe(pkt: XdpContext) -> XDP:
    range[pkt.rx_queue_index] += 1
    return XDP.PASS
