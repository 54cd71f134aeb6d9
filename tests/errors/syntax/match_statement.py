from pybpf import XDP, XdpContext, xdp
from pybpf.net import ETH_P_IP, ETH_P_IPV6, ethhdr


@xdp
def sort(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    match eth.h_proto:
        case 0x0800:
            return XDP.DROP
        case _:
            return XDP.PASS
