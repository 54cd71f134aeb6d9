from pybpf import XDP, HashMap, Struct, XdpContext, u32, u64, xdp
from pybpf.net import ETH_P_IP, ethhdr, iphdr


class Flow(Struct):
    packets: u64
    bytes: u64


flows = HashMap[u32, Flow](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None or eth.proto != ETH_P_IP:
        return XDP.PASS
    ip = pkt.parse(iphdr)
    if ip is None:
        return XDP.PASS
    flow = flows.get(ip.source)
    if flow is not None:
        flow.packtes += 1
        flow.drops = 1
    return XDP.PASS
