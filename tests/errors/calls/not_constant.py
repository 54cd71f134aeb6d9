from pybpf import XDP, XdpContext, comm, const, u32, xdp
from pybpf.net import iphdr, ipv4


@xdp
def probe(pkt: XdpContext) -> XDP:
    ip = pkt.parse(iphdr)
    if ip is None:
        return XDP.PASS
    if ip.daddr == ipv4("10.0.0.1"):
        return XDP.PASS
    limit = pkt.rx_queue_index
    a = ipv4(limit)
    b = ipv4("10.0.0")
    return XDP.PASS
