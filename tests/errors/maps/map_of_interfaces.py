from pybpf import TC, XDP, DevMap, TcContext, XdpContext, tc, xdp

ports = DevMap(4)


@xdp
def set_by_the_program(pkt: XdpContext) -> XDP:
    ports[0] = 4
    return XDP.PASS


@xdp
def read_by_the_program(pkt: XdpContext) -> XDP:
    port = ports.get(pkt.rx_queue_index)
    return XDP.PASS if port is None else XDP.DROP


@xdp
def sent(pkt: XdpContext) -> XDP:
    return ports.send(1)


@tc
def packets(skb: TcContext) -> TC:
    return ports.redirect(1)
