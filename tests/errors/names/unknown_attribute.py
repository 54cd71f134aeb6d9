import socket

from pybpf import XDP, XdpContext, xdp
from pybpf.net import ethhdr


@xdp
def probe(pkt: XdpContext) -> XDP:
    if pkt.rx_queue_index == socket.IPPROTO_TPC:
        return XDP.DORP
    eth = pkt.parse(ethhdr)
    return XDP.ACCEPT
