"""A load balancer for one virtual address: a backend by hash of the flow, headers rewritten, sent back out.

After xdp_lb of the kernel's selftests and Katran: Jenkins' hash, a table of connections, checksums kept right.
"""

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    L,
    LruHash,
    Struct,
    XdpContext,
    be16,
    be32,
    const,
    u8,
    u16,
    u32,
    u64,
    xdp,
)
from pybpf.net import ETH_P_IP, ethhdr, iphdr, tcphdr

IPPROTO_TCP = 6


class Flow(Struct):
    saddr: be32
    daddr: be32
    sport: be16
    dport: be16
    protocol: u8


class Backend(Struct):
    addr: be32
    mac: Array[u8, L[6]]
    used: u16
    packets: u64


vip = const(be32, 0)
vport = const(u16, 80)
count = const(u32, 0)  # of backends
backends = ArrayMap[Backend](16)
flows = LruHash[Flow, u32](max_entries=65_536)


def rol32(word: u32, shift: u32) -> u32:
    return u32((word << shift) | (word >> (32 - shift)))


def jhash_3words(a: u32, b: u32, c: u32, seed: u32) -> u32:
    """jhash_3words() of include/linux/jhash.h."""
    init: u32 = seed + 0xDEADBEEF + 12
    a += init
    b += init
    c += init
    c ^= b
    c -= rol32(b, 14)
    a ^= c
    a -= rol32(c, 11)
    b ^= a
    b -= rol32(a, 25)
    c ^= b
    c -= rol32(b, 16)
    a ^= c
    a -= rol32(c, 4)
    b ^= a
    b -= rol32(a, 14)
    c ^= b
    c -= rol32(b, 24)
    return c


def fold(total: u64) -> u16:
    """The one's complement sum in 16 bits."""
    for _ in range(4):
        total = (total & 0xFFFF) + (total >> 16)
    return u16(~total)


def replaced(check: u16, old: u32, new: u32) -> u16:
    """A checksum after 32 bits that it covers have changed (RFC 1624)."""
    total: u64 = ~check & 0xFFFF
    total += (~old & 0xFFFF) + (~(old >> 16) & 0xFFFF)
    total += (new & 0xFFFF) + (new >> 16)
    return fold(total)


@xdp
def balance(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XDP.PASS
    ip = pkt.parse(iphdr)
    if ip is None or ip.protocol != IPPROTO_TCP or ip.ihl != 5 or ip.daddr != vip:
        return XDP.PASS
    tcp = pkt.parse(tcphdr)
    if tcp is None:
        return XDP.DROP
    if tcp.dest != vport or count == 0:
        return XDP.PASS
    flow = Flow(saddr=ip.saddr, daddr=ip.daddr, sport=tcp.source, dport=tcp.dest, protocol=ip.protocol)
    chosen = flows.get(flow)
    if chosen is None:
        ports: u32 = tcp.source << 16 | tcp.dest
        chosen = jhash_3words(ip.saddr, ip.daddr, ports, 0) % count
        flows[flow] = chosen
    backend = backends.get(chosen)
    if backend is None or not backend.used:
        return XDP.DROP
    ip.check = replaced(ip.check, ip.daddr, backend.addr)
    tcp.check = replaced(tcp.check, ip.daddr, backend.addr)
    ip.daddr = backend.addr
    eth.h_source = eth.h_dest
    eth.h_dest = backend.mac
    backend.packets += 1
    return XDP.TX
