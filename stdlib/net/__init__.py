"""Packet headers and protocol numbers, under the kernel's names."""

from __future__ import annotations

from pybpf.stdlib.net.addresses import ipv4, ipv6, mac
from pybpf.stdlib.net.headers import arphdr, ethhdr, icmphdr, iphdr, ipv6hdr, tcphdr, udphdr, vlan_hdr
from pybpf.stdlib.net.numbers import (
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_ARP,
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_GRE,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_IGMP,
    IPPROTO_IPIP,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    TCP_ACK,
    TCP_FIN,
    TCP_PSH,
    TCP_RST,
    TCP_SYN,
    TCP_URG,
)
from pybpf.stdlib.net.sockets import Socket, SocketCommon, SockTuple4, SockTuple6, TcpSocket

__all__ = [
    "ETH_P_8021AD", "ETH_P_8021Q", "ETH_P_ARP", "ETH_P_IP", "ETH_P_IPV6", "IPPROTO_GRE", "IPPROTO_ICMP",
    "IPPROTO_ICMPV6", "IPPROTO_IGMP", "IPPROTO_IPIP", "IPPROTO_SCTP", "IPPROTO_TCP", "IPPROTO_UDP", "SockTuple4",
    "SockTuple6", "Socket", "SocketCommon", "TcpSocket", "TCP_ACK", "TCP_FIN", "TCP_PSH", "TCP_RST", "TCP_SYN",
    "TCP_URG", "arphdr", "ethhdr", "icmphdr", "iphdr", "ipv4", "ipv6", "ipv6hdr", "mac", "tcphdr", "udphdr", "vlan_hdr",
]  # fmt: skip
