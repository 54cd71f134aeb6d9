from pybpf import XDP, HashMap, Struct, XdpContext, u32, xdp


class Flow(Struct):
    packets: int
    source: str


flows = HashMap[u32, Flow](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    flow = flows.get(0)
    return XDP.PASS
