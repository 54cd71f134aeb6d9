from pybpf import XDP, HashMap, Struct, XdpContext, printk, u32, u64, xdp
from pybpf.net import ethhdr


class Flow(Struct):
    packets: u64
    bytes: u64


flows = HashMap[u32, Flow](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    printk(f"from {eth.h_source}")
    flow = flows.get(pkt.ingress_ifindex)
    if flow is not None:
        printk(f"{flow}")
    printk(f"{pkt.data}")
    printk(f"{flows}")
    return XDP.PASS
