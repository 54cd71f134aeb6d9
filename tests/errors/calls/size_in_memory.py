"""A size that lies in memory may be another by the time of the call; what is checked is a variable."""

from pybpf import XDP, ArrayMap, Bytes, L, Struct, XdpContext, helpers, u32, xdp


class Cut(Struct):
    length: u32
    data: Bytes[L[128]]


cuts = ArrayMap[Cut](1)


@xdp
def probe(pkt: XdpContext) -> XDP:
    cut = cuts[0]
    cut.length = min(pkt.length(), 128)
    if cut.length > 0:
        helpers.bpf_xdp_load_bytes(pkt, 0, cut.data, cut.length)
    return XDP.PASS
