from pybpf import XDP, HashMap, Struct, XdpContext, u32, u64, xdp


class Flow(Struct):
    packets: u64
    bytes: u64

    def average(self) -> u64:
        if self.packets == 0:
            return 0
        return self.bytes // self.packets


flows = HashMap[u32, Flow](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    flow = flows.get(pkt.ingress_ifindex)
    if flow is not None and flow.average > 1000:
        return XDP.DROP
    if flows.get is None:
        return XDP.DROP
    if pkt.parse is None:
        return XDP.DROP
    return XDP.PASS
