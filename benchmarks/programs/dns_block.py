"""Drops DNS queries for blocked names, whatever case they are asked in, and counts queries by type."""

from pybpf import XDP, ArrayMap, HashMap, Struct, XdpContext, be16, u8, u64, xdp
from pybpf.net import ETH_P_IP, IPPROTO_UDP, ethhdr, iphdr, udphdr

MAX_NAME = 64
FNV_OFFSET = 0xCBF2_9CE4_8422_2325
FNV_PRIME = 0x100_0000_01B3
RESPONSE = 0x8000


class dnshdr(Struct):
    id: be16
    flags: be16
    qdcount: be16
    ancount: be16
    nscount: be16
    arcount: be16


class Byte(Struct):
    value: u8


class Question(Struct):
    """What follows the name."""

    qtype: be16
    qclass: be16


blocked = HashMap[u64, u64](max_entries=1024)
types = ArrayMap[u64](256)


@xdp
def dns_block(pkt: XdpContext) -> XDP:
    eth, ip, udp, dns = pkt.parse(ethhdr), pkt.parse(iphdr), pkt.parse(udphdr), pkt.parse(dnshdr)
    if eth is None or ip is None or udp is None or dns is None:
        return XDP.PASS
    if eth.h_proto != ETH_P_IP or ip.ihl != 5 or ip.protocol != IPPROTO_UDP:
        return XDP.PASS
    if udp.dest != 53 or dns.flags & RESPONSE or dns.qdcount != 1:
        return XDP.PASS
    name: u64 = FNV_OFFSET
    left = 0
    for _ in range(MAX_NAME):
        byte = pkt.parse(Byte)
        if byte is None:
            return XDP.DROP
        letter = byte.value
        if left == 0:
            if letter == 0:
                break
            if letter > 63:
                return XDP.DROP
            left = letter
        else:
            if ord("A") <= letter <= ord("Z"):
                letter |= 0x20
            left -= 1
        name = (name ^ letter) * FNV_PRIME
    else:
        return XDP.DROP
    question = pkt.parse(Question)
    if question is None:
        return XDP.DROP
    kind = question.qtype
    if kind < 256:
        types[kind] += 1
    if name not in blocked:
        return XDP.PASS
    blocked[name] += 1
    return XDP.DROP
