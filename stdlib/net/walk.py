"""From a frame's start to its transport header in a call: what most programs on packets begin with.

    protocol = transport(pkt)                 # Ethernet, VLANs, IPv4 or IPv6 with all that lies between
    if protocol == IPPROTO_TCP:
        tcp = pkt.parse(tcphdr)               # the cursor is there

    flow = parse_flow(pkt)                    # addresses and ports too, as a struct: a map's key
    if flow is not None and flow.dport == 443: ...

The `ip_` variants begin at the IP header, where the cursor of programs without a link layer is (@cgroup_skb, tunnels).
"""

from __future__ import annotations

from pybpf.stdlib.net.extensions import parse_ipv6, skip_extensions
from pybpf.stdlib.net.headers import arp_ipv4, ethhdr, iphdr, vlan_hdr
from pybpf.stdlib.net.numbers import (
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_FRAGMENT,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    IPPROTO_UDP,
)
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import Bytes, L, be16, be32, u8
from pybpf.stdlib.union import Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.stdlib.contexts.base import Packet

__all__ = [
    "Flow", "ip_transport", "network", "parse_arp", "parse_flow", "parse_ip_flow", "parse_ipv4", "transport",
]  # fmt: skip

MAX_VLANS = 2  # stacked tags that are walked: QinQ


class _nibbles(Struct):
    """The first byte of an IP header: the version in its high half."""

    first: u8


class ports(Struct):
    """What TCP, UDP and SCTP begin with."""

    source: be16
    dest: be16


class Flow(Struct):
    """Who talks to whom: a key for maps, 38 bytes without padding.

    IPv4 addresses are as IPv6 has them, ::ffff:10.0.0.1 (RFC 4291 §2.5.5.2). `sport` and `dport` are 0 where the
    protocol has no ports, and of fragments but the first, whose `protocol` is IPPROTO_FRAGMENT.
    """

    saddr: Bytes[L[16]]
    daddr: Bytes[L[16]]
    sport: be16
    dport: be16
    protocol: u8
    version: u8


class mapped(Struct):
    """An IPv4 address as an IPv6 one, from its start."""

    zeroes: Bytes[L[10]]
    ones: be16
    address: be32


class either(Union):
    """The 16 bytes of an address, as they are and as those of an IPv4 one."""

    six: Bytes[L[16]]
    four: mapped


def network(pkt: Packet) -> int:
    """Parse Ethernet and up to two VLAN tags; the EtherType of what is at the cursor then. 0 where there is none."""
    eth = pkt.parse(ethhdr)
    if eth is None:
        return 0
    kind = eth.h_proto
    for _ in range(MAX_VLANS):
        if kind != ETH_P_8021Q and kind != ETH_P_8021AD:
            break
        tag = pkt.parse(vlan_hdr)
        if tag is None:
            return 0
        kind = tag.h_vlan_encapsulated_proto
    return kind


def parse_ipv4(pkt: Packet) -> iphdr | None:
    """The IPv4 header at the cursor, which moves past it and its options; None where there is none."""
    ip = pkt.parse(iphdr)
    if ip is None or ip.version != 4 or ip.ihl < 5:
        return None
    if not pkt.skip(ip.ihl * 4 - 20):
        return None
    return ip


def parse_arp(pkt: Packet) -> arp_ipv4 | None:
    """The ARP message at the cursor, which moves past it; None where it is not about IPv4 on Ethernet."""
    arp = pkt.parse(arp_ipv4)
    if arp is None or arp.ar_hln != 6 or arp.ar_pln != 4 or arp.ar_pro != ETH_P_IP:
        return None
    return arp


def transport(pkt: Packet) -> int:
    """Move the cursor to the transport header; its protocol, as IPPROTO_TCP. -1 where there is none.

    IPPROTO_FRAGMENT for a fragment that is not the first, which has no transport header.
    """
    kind = network(pkt)
    if kind != ETH_P_IP and kind != ETH_P_IPV6:
        return -1
    return ip_transport(pkt)


def ip_transport(pkt: Packet) -> int:
    """As transport(), from an IPv4 or IPv6 header on."""
    start = pkt.cursor
    if start + 1 > pkt.data_end:
        return -1
    version = _nibbles.at(start).first >> 4
    if version == 4:
        ip = parse_ipv4(pkt)
        if ip is None:
            return -1
        if ip.frag_off & 0x1FFF:
            return IPPROTO_FRAGMENT
        return ip.protocol
    if version == 6:
        ip6 = parse_ipv6(pkt)
        if ip6 is None:
            return -1
        return skip_extensions(pkt, ip6.nexthdr)
    return -1


def parse_flow(pkt: Packet) -> Flow | None:
    """Addresses, ports and protocol of the packet in a frame, from its start; None where it is not IP, or too short.

    The cursor is left at the transport header.
    """
    kind = network(pkt)
    if kind != ETH_P_IP and kind != ETH_P_IPV6:
        return None
    return parse_ip_flow(pkt)


def parse_ip_flow(pkt: Packet) -> Flow | None:
    """As parse_flow(), from an IPv4 or IPv6 header on."""
    start = pkt.cursor
    if start + 1 > pkt.data_end:
        return None
    version = _nibbles.at(start).first >> 4
    flow = Flow(saddr=bytes(16), daddr=bytes(16), sport=0, dport=0, protocol=0, version=version)
    protocol = -1
    if version == 4:
        ip = parse_ipv4(pkt)
        if ip is None:
            return None
        flow.saddr = either(four=mapped(zeroes=bytes(10), ones=0xFFFF, address=ip.saddr)).six
        flow.daddr = either(four=mapped(zeroes=bytes(10), ones=0xFFFF, address=ip.daddr)).six
        protocol = IPPROTO_FRAGMENT if ip.frag_off & 0x1FFF else ip.protocol
    elif version == 6:
        ip6 = parse_ipv6(pkt)
        if ip6 is None:
            return None
        flow.saddr = ip6.saddr
        flow.daddr = ip6.daddr
        protocol = skip_extensions(pkt, ip6.nexthdr)
    if protocol < 0:
        return None
    flow.protocol = u8(protocol)
    if protocol in (IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP):
        end = pkt.cursor
        if end + 4 > pkt.data_end:
            return None
        both = ports.at(end)
        flow.sport = both.source
        flow.dport = both.dest
    return flow
