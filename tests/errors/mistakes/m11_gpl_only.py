from pybpf import XDP, Target, XdpContext, printk, xdp

TARGET = Target(license="Proprietary")


@xdp
def prog(ctx: XdpContext) -> XDP:
    printk("seen")  # wrong
    return XDP.PASS
