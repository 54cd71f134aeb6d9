from pybpf import XDP, XdpContext, kconfig, u32, xdp

hz = kconfig(u32, "CONFIG_HZ")
again = kconfig(u32, "CONFIG_HZ")  # the same, which is fine
unlike = kconfig(u32, "CONFIG_HZ", weak=True)


@xdp
def declared_twice(pkt: XdpContext) -> XDP:
    return XDP.PASS if hz == again and hz == unlike else XDP.DROP
