"""Protocol numbers, in host order: include/uapi/linux/if_ether.h, include/uapi/linux/in.h, RFC 9293 §3.1."""

from __future__ import annotations

__all__ = [
    "ETH_P_8021AD", "ETH_P_8021Q", "ETH_P_ARP", "ETH_P_IP", "ETH_P_IPV6", "IPPROTO_GRE", "IPPROTO_ICMP",
    "IPPROTO_ICMPV6", "IPPROTO_IGMP", "IPPROTO_IPIP", "IPPROTO_SCTP", "IPPROTO_TCP", "IPPROTO_UDP",
    "TCP_ACK", "TCP_FIN", "TCP_PSH", "TCP_RST", "TCP_SYN", "TCP_URG",
]  # fmt: skip

ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806
ETH_P_8021Q = 0x8100
ETH_P_IPV6 = 0x86DD
ETH_P_8021AD = 0x88A8

IPPROTO_ICMP = 1
IPPROTO_IGMP = 2
IPPROTO_IPIP = 4
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_GRE = 47
IPPROTO_ICMPV6 = 58
IPPROTO_SCTP = 132

# Bits of tcphdr.flags.
TCP_FIN = 0x01
TCP_SYN = 0x02
TCP_RST = 0x04
TCP_PSH = 0x08
TCP_ACK = 0x10
TCP_URG = 0x20
