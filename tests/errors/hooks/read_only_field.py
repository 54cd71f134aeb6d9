from pybpf import XDP, PtRegs, XdpContext, kretprobe, xdp


@xdp
def probe(pkt: XdpContext) -> XDP:
    pkt.data += 14
    pkt.rx_queue_index = 0
    return XDP.PASS


@kretprobe("do_unlinkat")
def unlinked(ctx: PtRegs) -> None:
    ctx.ax = 0
