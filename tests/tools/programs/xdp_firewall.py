"""Drop packets by source prefix, by destination port, and fragments; count verdicts by rule."""

from enum import IntEnum

from pybpf import XDP, HashMap, PerCpuArray, Struct, XdpContext, be32, const, u16, u32, u64, xdp
from pybpf.net import ETH_P_IP, ethhdr, iphdr, tcphdr, udphdr

IPPROTO_TCP, IPPROTO_UDP = 6, 17
IP_OFFSET, IP_MF = 0x1FFF, 0x2000


class Verdict(IntEnum):
    PASS = 0
    ADDRESS = 1
    PORT = 2
    FRAGMENT = 3
    SHORT = 4


class Counter(Struct):
    packets: u64
    bytes: u64


class Prefix(Struct):
    length: u32
    addr: be32


blocked = HashMap[Prefix, u64](max_entries=1024)  # -> hits
ports = HashMap[u16, u64](max_entries=1024)
verdicts = PerCpuArray[Counter](5)
drop_fragments = const(bool, True)


def verdict_of(pkt: XdpContext) -> Verdict:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return Verdict.SHORT
    if eth.h_proto != ETH_P_IP:
        return Verdict.PASS
    ip = pkt.parse(iphdr)
    if ip is None or ip.ihl < 5:
        return Verdict.SHORT
    for length in (32, 24, 16, 8):
        mask = 0xFFFF_FFFF << (32 - length)
        hits = blocked.get(Prefix(length=length, addr=ip.saddr & mask))
        if hits is not None:
            blocked[Prefix(length=length, addr=ip.saddr & mask)] += 1
            return Verdict.ADDRESS
    if drop_fragments and ip.frag_off & (IP_MF | IP_OFFSET):
        return Verdict.FRAGMENT
    if not pkt.skip(ip.ihl * 4 - 20):
        return Verdict.SHORT
    port: u16 = 0
    if ip.protocol == IPPROTO_TCP:
        tcp = pkt.parse(tcphdr)
        if tcp is None:
            return Verdict.SHORT
        port = tcp.dest
    elif ip.protocol == IPPROTO_UDP:
        udp = pkt.parse(udphdr)
        if udp is None:
            return Verdict.SHORT
        port = udp.dest
    if port in ports:
        ports[port] += 1
        return Verdict.PORT
    return Verdict.PASS


@xdp
def firewall(pkt: XdpContext) -> XDP:
    verdict = verdict_of(pkt)
    verdicts[verdict].packets += 1
    verdicts[verdict].bytes += pkt.data_end - pkt.data
    return XDP.PASS if verdict == Verdict.PASS else XDP.DROP
