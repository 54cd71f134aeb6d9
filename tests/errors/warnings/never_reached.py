from pybpf import XDP, XdpContext, printk, xdp


@xdp
def probe(pkt: XdpContext) -> XDP:
    return XDP.PASS
    printk("passed")


@xdp
def first_two(pkt: XdpContext) -> XDP:
    for i in range(4):
        if i == 2:
            continue
            printk("two")
        break
        printk("once")
    return XDP.PASS
