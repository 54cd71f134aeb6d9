from pybpf import XDP, XdpContext, kconfig, u32, xdp

hz = kconfig(u32, "CONFIG_HZ")


@xdp
def probe(pkt: XdpContext) -> XDP:
    global hz
    hz = 250
    return XDP.PASS
