"""Answers SYNs to open ports with SYN cookies, and drops ACKs that do not acknowledge theirs."""

from pybpf import XDP, ArrayMap, HashMap, PerCpuArray, Struct, XdpContext, u16, u32, u64, xdp
from pybpf.net import ETH_P_IP, IPPROTO_TCP, csum_fold, ethhdr, ip_checksum, iphdr, pseudo_sum, tcphdr


class Keys(Struct):
    k0: u64
    k1: u64


class Verdicts(Struct):
    cookies: u64
    valid: u64
    invalid: u64


secret = ArrayMap[Keys](1)
ports = HashMap[u16, u16](max_entries=64)
seen = PerCpuArray[Verdicts](1)


def rotl(value: u64, count: int) -> u64:
    return value << count | value >> (64 - count)


def sipround(v0: u64, v1: u64, v2: u64, v3: u64) -> tuple[u64, u64, u64, u64]:
    v0 += v1
    v1 = rotl(v1, 13) ^ v0
    v0 = rotl(v0, 32)
    v2 += v3
    v3 = rotl(v3, 16) ^ v2
    v0 += v3
    v3 = rotl(v3, 21) ^ v0
    v2 += v1
    v1 = rotl(v1, 17) ^ v2
    v2 = rotl(v2, 32)
    return v0, v1, v2, v3


def cookie(keys: Keys, message: u64) -> u32:
    v0, v1 = keys.k0 ^ 0x736F_6D65_7073_6575, keys.k1 ^ 0x646F_7261_6E64_6F6D
    v2, v3 = keys.k0 ^ 0x6C79_6765_6E65_7261, keys.k1 ^ 0x7465_6462_7974_6573
    v3 ^= message
    for _ in range(2):
        v0, v1, v2, v3 = sipround(v0, v1, v2, v3)
    v0 ^= message
    v2 ^= 0xFF
    for _ in range(4):
        v0, v1, v2, v3 = sipround(v0, v1, v2, v3)
    return u32(v0 ^ v1 ^ v2 ^ v3)


def tcp_sum(tcp: tcphdr) -> u64:
    """The sum of a header without options."""
    data = bytes(tcp)
    total: u64 = 0
    for i in range(5):
        total += int.from_bytes(data[4 * i : 4 * i + 4], "big")
    return total


@xdp
def syn_cookie(pkt: XdpContext) -> XDP:
    size = pkt.data_end - pkt.data
    eth, ip, tcp = pkt.parse(ethhdr), pkt.parse(iphdr), pkt.parse(tcphdr)
    if eth is None or ip is None or tcp is None:
        return XDP.PASS
    if eth.h_proto != ETH_P_IP or ip.ihl != 5 or ip.protocol != IPPROTO_TCP:
        return XDP.PASS
    if tcp.rst or tcp.fin or tcp.syn == tcp.ack or tcp.dest not in ports:
        return XDP.PASS
    count = seen[0]
    expected = cookie(secret[0], (ip.saddr << 32 | ip.daddr) ^ (tcp.source << 16 | tcp.dest))
    if tcp.ack:
        if tcp.ack_seq != u32(expected + 1):
            count.invalid += 1
            return XDP.DROP
        count.valid += 1
        return XDP.PASS

    eth.h_source, eth.h_dest = eth.h_dest, eth.h_source
    ip.saddr, ip.daddr = ip.daddr, ip.saddr
    ip.tot_len = 40
    ip.ttl = 64
    ip.check = ip_checksum(ip)
    tcp.source, tcp.dest = tcp.dest, tcp.source
    tcp.ack_seq = tcp.seq + 1
    tcp.seq = expected
    tcp.doff = 5
    tcp.ack = 1
    tcp.window = 0
    tcp.check = 0
    tcp.check = csum_fold(tcp_sum(tcp) + pseudo_sum(ip, IPPROTO_TCP, 20))
    count.cookies += 1
    if not pkt.adjust_tail(54 - size):
        return XDP.DROP
    return XDP.TX
