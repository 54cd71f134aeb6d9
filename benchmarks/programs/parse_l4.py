"""Counts packets and bytes by class of protocol, through VLAN tags and IP options, and drops telnet."""

from enum import IntEnum

from pybpf import XDP, ArrayMap, Struct, XdpContext, be16, u64, xdp
from pybpf.net import (
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    ethhdr,
    iphdr,
    ipv6hdr,
    vlan_hdr,
)


class Class(IntEnum):
    OTHER = 0
    TCP4 = 1
    UDP4 = 2
    TCP6 = 3
    UDP6 = 4
    BAD = 5


class Stat(Struct):
    packets: u64
    bytes: u64


class Ports(Struct):
    source: be16
    dest: be16


stats = ArrayMap[Stat](len(Class))
TELNET = 23


def account(kind: Class, size: u64, action: XDP) -> XDP:
    stat = stats[kind]
    stat.packets += 1
    stat.bytes += size
    return action


@xdp
def parse_l4(pkt: XdpContext) -> XDP:
    size = u64(pkt.data_end - pkt.data)
    eth = pkt.parse(ethhdr)
    if eth is None:
        return account(Class.BAD, size, XDP.DROP)
    proto = eth.h_proto
    for _ in range(2):
        if proto not in (ETH_P_8021Q, ETH_P_8021AD):
            break
        tag = pkt.parse(vlan_hdr)
        if tag is None:
            return account(Class.BAD, size, XDP.DROP)
        proto = tag.h_vlan_encapsulated_proto

    kind = Class.OTHER
    if proto == ETH_P_IP:
        ip = pkt.parse(iphdr)
        if ip is None or ip.version != 4 or ip.ihl < 5 or not pkt.skip(ip.header_len() - 20):
            return account(Class.BAD, size, XDP.DROP)
        if ip.protocol == IPPROTO_TCP:
            kind = Class.TCP4
        elif ip.protocol == IPPROTO_UDP:
            kind = Class.UDP4
    elif proto == ETH_P_IPV6:
        ip6 = pkt.parse(ipv6hdr)
        if ip6 is None:
            return account(Class.BAD, size, XDP.DROP)
        if ip6.nexthdr == IPPROTO_TCP:
            kind = Class.TCP6
        elif ip6.nexthdr == IPPROTO_UDP:
            kind = Class.UDP6

    if kind != Class.OTHER:
        ports = pkt.parse(Ports)
        if ports is None:
            return account(Class.BAD, size, XDP.DROP)
        if ports.dest == TELNET:
            return account(kind, size, XDP.DROP)
    return account(kind, size, XDP.PASS)
