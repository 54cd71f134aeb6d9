from pybpf import XDP, HashMap, XdpContext, u32, xdp
from pybpf.net import ethhdr

last = HashMap[u32, ethhdr](max_entries=4)


@xdp
def probe(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    if eth.h_proto == 0x0800:
        eth = last.get(0)
    chosen = eth if pkt.rx_queue_index else last.get(1)
    return XDP.PASS
