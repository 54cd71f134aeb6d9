from pybpf import XDP, PtRegs, XdpContext, kprobe, xdp
from pybpf.net import ethhdr


@xdp
def probe(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return
    return XDP.PASS


@kprobe("do_unlinkat")
def unlink(ctx: PtRegs) -> int:
    return
