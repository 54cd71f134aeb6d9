"""Counts packets and bytes of each TCP and UDP flow of IPv4."""

from pybpf import XDP, HashMap, Struct, XdpContext, be16, be32, fetch_add, u8, u64, xdp
from pybpf.net import ETH_P_IP, IPPROTO_TCP, IPPROTO_UDP, ethhdr, iphdr


class Flow(Struct):
    saddr: be32
    daddr: be32
    sport: be16
    dport: be16
    proto: u8


class Counters(Struct):
    packets: u64
    bytes: u64


class Ports(Struct):
    source: be16
    dest: be16


flows = HashMap[Flow, Counters](max_entries=1024)


@xdp
def flow_hash(pkt: XdpContext) -> XDP:
    size = u64(pkt.data_end - pkt.data)
    eth, ip, ports = pkt.parse(ethhdr), pkt.parse(iphdr), pkt.parse(Ports)
    if eth is None or ip is None or ports is None:
        return XDP.PASS
    if eth.h_proto != ETH_P_IP or ip.ihl != 5 or ip.protocol not in (IPPROTO_TCP, IPPROTO_UDP):
        return XDP.PASS
    flow = Flow(saddr=ip.saddr, daddr=ip.daddr, sport=ports.source, dport=ports.dest, proto=ip.protocol)
    seen = flows.get(flow)
    if seen is not None:
        fetch_add(seen.packets, 1)
        fetch_add(seen.bytes, size)
    else:
        flows[flow] = Counters(packets=1, bytes=size)
    return XDP.PASS
