"""Destination NAT of IPv4 TCP and UDP, with checksums mended by what changed, and counters for each rule."""

from pybpf import XDP, HashMap, Struct, XdpContext, be16, be32, u8, u64, xdp
from pybpf.net import ETH_P_IP, IPPROTO_TCP, IPPROTO_UDP, csum_replace2, csum_replace4, ethhdr, iphdr, tcphdr, udphdr


class Service(Struct):
    addr: be32
    port: be16
    proto: u8


class Target(Struct):
    addr: be32
    port: be16
    packets: u64
    bytes: u64


rules = HashMap[Service, Target](max_entries=256)
FRAGMENT = 0x3FFF


@xdp
def nat(pkt: XdpContext) -> XDP:
    eth, ip = pkt.parse(ethhdr), pkt.parse(iphdr)
    if eth is None or ip is None:
        return XDP.PASS
    if eth.h_proto != ETH_P_IP or ip.ihl != 5 or ip.frag_off & FRAGMENT:
        return XDP.PASS
    if ip.protocol == IPPROTO_TCP:
        tcp = pkt.parse(tcphdr)
        if tcp is None:
            return XDP.PASS
        to = rules.get(Service(addr=ip.daddr, port=tcp.dest, proto=IPPROTO_TCP))
        if to is None:
            return XDP.PASS
        tcp.check = csum_replace4(tcp.check, ip.daddr, to.addr)
        tcp.check = csum_replace2(tcp.check, tcp.dest, to.port)
        tcp.dest = to.port
    elif ip.protocol == IPPROTO_UDP:
        udp = pkt.parse(udphdr)
        if udp is None:
            return XDP.PASS
        to = rules.get(Service(addr=ip.daddr, port=udp.dest, proto=IPPROTO_UDP))
        if to is None:
            return XDP.PASS
        if udp.check:
            check = csum_replace4(udp.check, ip.daddr, to.addr)
            udp.check = csum_replace2(check, udp.dest, to.port) or 0xFFFF
        udp.dest = to.port
    else:
        return XDP.PASS
    ip.check = csum_replace4(ip.check, ip.daddr, to.addr)
    ip.daddr = to.addr
    to.packets += 1
    to.bytes += pkt.data_end - pkt.data
    return XDP.TX
