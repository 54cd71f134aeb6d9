from pybpf import XDP, XdpContext, u32, xdp
from pybpf.net import ethhdr


@xdp
def probe(pkt: XdpContext) -> XDP:
    last = pkt.data_end - 1
    start = pkt.data * 2
    late = pkt.data + pkt.rx_queue_index
    if pkt.data > 5:
        return XDP.DROP
    eth = ethhdr.at(pkt.rx_queue_index)
    return XDP.PASS
