from pybpf import XDP, XdpContext, xdp
from pybpf.net import iphdr


@xdp
def probe(pkt: XdpContext) -> XDP:
    ip = pkt.parse(iphdr)
    if ip is not None and ip.saddr == "10.0.0.1":
        return XDP.DROP
    return XDP.PASS
