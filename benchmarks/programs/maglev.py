"""A load balancer by consistent hashing: the hash of a flow picks a slot of a table, the slot a backend."""

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    HashMap,
    L,
    PerCpuArray,
    Struct,
    XdpContext,
    be16,
    be32,
    jhash_3words,
    u8,
    u16,
    u32,
    u64,
    xdp,
)
from pybpf.net import ETH_P_IP, IPPROTO_TCP, IPPROTO_UDP, ethhdr, iphdr

SLOTS = 251
BACKENDS = 16
FRAGMENT = 0x3FFF


class Backend(Struct):
    mac: Array[u8, L[6]]
    up: u16


class Stat(Struct):
    packets: u64
    bytes: u64


class Ports(Struct):
    source: be16
    dest: be16


vips = HashMap[be32, u32](max_entries=64)  # a service's address -> the seed of its hash
ring = ArrayMap[u32](SLOTS)
backends = ArrayMap[Backend](BACKENDS)
stats = PerCpuArray[Stat](BACKENDS)


@xdp
def maglev(pkt: XdpContext) -> XDP:
    eth, ip, ports = pkt.parse(ethhdr), pkt.parse(iphdr), pkt.parse(Ports)
    if eth is None or ip is None or ports is None:
        return XDP.PASS
    if eth.h_proto != ETH_P_IP or ip.ihl != 5 or ip.frag_off & FRAGMENT:
        return XDP.PASS
    if ip.protocol not in (IPPROTO_TCP, IPPROTO_UDP):
        return XDP.PASS
    seed = vips.get(ip.daddr)
    if seed is None:
        return XDP.PASS
    slot = jhash_3words(ip.saddr, ip.daddr, ports.source << 16 | ports.dest, seed + ip.protocol) % SLOTS
    index = ring[slot]
    if index >= BACKENDS:
        return XDP.DROP
    to = backends[index]
    if not to.up:
        return XDP.DROP
    eth.h_source = eth.h_dest
    eth.h_dest = to.mac
    stat = stats[index]
    stat.packets += 1
    stat.bytes += pkt.data_end - pkt.data
    return XDP.TX
