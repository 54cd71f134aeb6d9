from pybpf import XDP, Array, HashMap, L, Struct, Text, XdpContext, u8, u32, xdp
from pybpf.net import ethhdr


class Seen(Struct):
    oui: Array[u8, L[3]]
    name: Text[L[16]]


seen = HashMap[u32, Seen](max_entries=8)


@xdp
def vendor(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    entry = seen.get(0)
    if entry is not None:
        entry.oui = eth.h_source[: eth.h_proto]
        entry.oui[0 : eth.h_proto] = eth.h_source[3:5]
        if entry.name[::2] == "a" or entry.name[-3:] == "abc":
            return XDP.DROP
    return XDP.PASS
