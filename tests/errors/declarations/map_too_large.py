from pybpf import XDP, Bytes, HashMap, L, PerCpuArray, Struct, XdpContext, u32, xdp


class Page(Struct):
    data: Bytes[L[100_000]]


pages = PerCpuArray[Page](max_entries=1)
known = HashMap[Page, u32](max_entries=1)


@xdp
def probe(pkt: XdpContext) -> XDP:
    page = pages[0]
    if page in known:
        return XDP.DROP
    return XDP.PASS
