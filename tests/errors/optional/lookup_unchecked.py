from pybpf import XDP, HashMap, LruHash, Struct, XdpContext, u32, u64, xdp


class Rule(Struct):
    id: u32
    hits: u64


rules = HashMap[u32, Rule](max_entries=64)
dropped = LruHash[u32, u64](max_entries=64)


@xdp
def firewall(pkt: XdpContext) -> XDP:
    rule = rules.get(pkt.rx_queue_index)
    dropped[rule.id] += 1
    rules.get(0).hits += 1
    return XDP.DROP
