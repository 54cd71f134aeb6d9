from pybpf import XDP, ArrayMap, HashMap, Struct, XdpContext, u8, u32, u64, xdp


class Flow(Struct, packed=True):
    protocol: u8
    packets: u64


class Total(Struct):
    packets: u64


class Host(Struct, packed=True):
    protocol: u8
    total: Total


flows = HashMap[u32, Flow](max_entries=64)
slots = ArrayMap[Flow](max_entries=4)
hosts = HashMap[u32, Host](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    flow = flows.get(pkt.ingress_ifindex)
    if flow is not None:
        flow.packets += 1
    slots[1].packets += 1
    host = hosts.get(pkt.ingress_ifindex)
    if host is not None:
        total = host.total
        total.packets += 1
    return XDP.PASS
