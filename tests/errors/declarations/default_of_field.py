from pybpf import XDP, HashMap, Struct, XdpContext, u8, u32, xdp


class Flow(Struct):
    packets: u32
    kind: u8 = 256


flows = HashMap[u32, Flow](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    flows[0] = Flow(packets=1)
    return XDP.PASS
