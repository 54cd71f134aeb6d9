from pybpf import XDP, HashMap, XdpContext, u32, u64, xdp
from pybpf.net import ethhdr

counts = HashMap[u32, u64](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth == NULL:
        return XDP.PASS
    if eth is not None and eth.h_proto == htons(0x0800):
        counts[0] = nsecs
    bpf_printk("seen")
    return XDP.PASS
