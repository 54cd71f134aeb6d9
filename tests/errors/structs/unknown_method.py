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
    length = pkt.count()
    flow = flows.get(pkt.ingress_ifindex)
    if flow is not None:
        average = flow.avrage()
        flow.reset()
        flow.packets.increment()
    return XDP.PASS
