from pybpf import XDP, XdpContext, Array, L, Struct, HashMap, u8, u32, xdp
from pybpf.net import ethhdr


class Seen(Struct):
    oui: Array[u8, L[3]]


seen = HashMap[u32, Seen](max_entries=8)


@xdp
def vendor(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    entry = seen.get(0)
    if entry is not None:
        entry.oui = eth.h_source[:3]
        entry.oui[0:2] = eth.h_source[3:5]
    return XDP.PASS
