from pybpf import XDP, XdpContext, xdp
from pybpf.net import ETH_P_IP, ethhdr, iphdr


@xdp
def firewall(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth.h_proto == ETH_P_IP:
        ip = pkt.parse(iphdr)
        if ip.ttl < 2:
            return XDP.DROP
    return XDP.PASS
