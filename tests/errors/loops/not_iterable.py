from pybpf import XDP, Struct, TracepointContext, XdpContext, comm, pid, printk, tracepoint, u32, xdp
from pybpf.net import ethhdr


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    for n in pid():
        printk("number")
    for c in comm():
        printk("text")
    for n in ctx:
        printk("context")


@xdp
def probe(pkt: XdpContext) -> XDP:
    for byte in pkt.parse(ethhdr):
        printk("bytes")
    return XDP.PASS
