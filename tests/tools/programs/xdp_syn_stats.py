"""Kinds of TCP segments by destination port: SYN, FIN, RST, and scans of ports."""

from pybpf import XDP, LruHash, PerCpuHash, RingBuffer, Struct, XdpContext, be32, const, ktime, u16, u32, u64, xdp
from pybpf.net import ETH_P_IP, ethhdr, iphdr, tcphdr

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


class Flags(Struct):
    syn: u64
    syn_ack: u64
    fin: u64
    rst: u64
    odd: u64


class Scan(Struct):
    addr: be32
    ports: u32
    time: u64


class Seen(Struct):
    first: u64
    ports: u32
    last_port: u16


threshold = const(u32, 16)
by_port = PerCpuHash[u16, Flags](max_entries=8192)
sources = LruHash[be32, Seen](max_entries=8192)
scans = RingBuffer[Scan](4096)


def notice(addr: be32, port: u16) -> None:
    seen = sources.setdefault(addr, Seen(first=ktime(), ports=0, last_port=0))
    if seen is None or seen.last_port == port:
        return
    seen.last_port = port
    seen.ports += 1
    if seen.ports == threshold:
        scans.emit(Scan(addr=addr, ports=seen.ports, time=ktime() - seen.first))


@xdp
def flags(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XDP.PASS
    ip = pkt.parse(iphdr)
    if ip is None or ip.protocol != 6 or not pkt.skip(max(ip.ihl, 5) * 4 - 20):
        return XDP.PASS
    tcp = pkt.parse(tcphdr)
    if tcp is None:
        return XDP.PASS
    counts = by_port.setdefault(tcp.dest, Flags(syn=0, syn_ack=0, fin=0, rst=0, odd=0))
    if counts is None:
        return XDP.PASS
    match tcp.flags() & (SYN | ACK | FIN | RST | PSH | URG):
        case 2:
            counts.syn += 1
            notice(ip.saddr, tcp.dest)
        case 18:
            counts.syn_ack += 1
        case f if f & RST:
            counts.rst += 1
        case f if f & (SYN | FIN) == SYN | FIN or f == 0 or f == FIN | PSH | URG:
            counts.odd += 1
        case f if f & FIN:
            counts.fin += 1
    return XDP.PASS
