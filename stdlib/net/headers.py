"""Packet headers, laid out as in the kernel's uapi headers of the same names.

Fields in network byte order read and write as host-order numbers. What is a bit field in C is here the whole byte or
half-word that holds it, and a method takes it apart: `ip.header_len()`.
"""

from __future__ import annotations

from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import Array, Bytes, L, be16, be32, u8, u16, u32

__all__ = ["arphdr", "ethhdr", "icmphdr", "iphdr", "ipv6hdr", "tcphdr", "udphdr", "vlan_hdr"]


class ethhdr(Struct):
    """Ethernet: include/uapi/linux/if_ether.h. Unaligned, so that the header after it may start at any even offset."""

    h_dest: Array[u8, L[6]]
    h_source: Array[u8, L[6]]
    h_proto: be16


class vlan_hdr(Struct):
    """802.1Q tag, after `h_proto` said so: include/linux/if_vlan.h."""

    h_vlan_TCI: be16
    h_vlan_encapsulated_proto: be16

    def vlan_id(self) -> u16:
        """The VLAN's number, 0 to 4095."""
        return u16(self.h_vlan_TCI & 0x0FFF)

    def priority(self) -> u8:
        """The priority code point, 0 to 7."""
        return u8(self.h_vlan_TCI >> 13)


class arphdr(Struct):
    """ARP, its fixed part: include/uapi/linux/if_arp.h."""

    ar_hrd: be16
    ar_pro: be16
    ar_hln: u8
    ar_pln: u8
    ar_op: be16


class iphdr(Struct):
    """IPv4 without options: include/uapi/linux/ip.h. `version_ihl` is its first byte, two bit fields in C."""

    version_ihl: u8
    tos: u8
    tot_len: be16
    id: be16
    frag_off: be16
    ttl: u8
    protocol: u8
    check: be16
    saddr: be32
    daddr: be32

    def ip_version(self) -> u8:
        """4, if this is IPv4."""
        return u8(self.version_ihl >> 4)

    def header_len(self) -> u32:
        """Bytes of the header with its options, 20 to 60 where the packet is sound."""
        return u32((self.version_ihl & 15) * 4)


class ipv6hdr(Struct):
    """IPv6: include/uapi/linux/ipv6.h. `version_class_flow` is its first word, bit fields in C."""

    version_class_flow: be32
    payload_len: be16
    nexthdr: u8
    hop_limit: u8
    saddr: Bytes[L[16]]
    daddr: Bytes[L[16]]

    def ip_version(self) -> u8:
        """6, if this is IPv6."""
        return u8(self.version_class_flow >> 28)

    def flow_label(self) -> u32:
        """The flow label, 20 bits."""
        return u32(self.version_class_flow & 0xFFFFF)


class tcphdr(Struct):
    """TCP without options: include/uapi/linux/tcp.h. `doff_flags` is the half-word of the data offset and the flags."""

    source: be16
    dest: be16
    seq: be32
    ack_seq: be32
    doff_flags: be16
    window: be16
    check: be16
    urg_ptr: be16

    def header_len(self) -> u32:
        """Bytes of the header with its options, 20 to 60 where the packet is sound."""
        return u32((self.doff_flags >> 12) * 4)

    def flags(self) -> u16:
        """The flags, bits as in TCP_SYN, TCP_ACK and so on."""
        return u16(self.doff_flags & 0x1FF)


class udphdr(Struct):
    """UDP: include/uapi/linux/udp.h."""

    source: be16
    dest: be16
    len: be16
    check: be16


class icmphdr(Struct):
    """ICMP: include/uapi/linux/icmp.h. `rest` is the union that depends on the type; for an echo, id and sequence."""

    type: u8
    code: u8
    checksum: be16
    rest: be32

    def echo_id(self) -> u16:
        """Of an echo request or reply: which process asks."""
        return u16(self.rest >> 16)

    def echo_sequence(self) -> u16:
        """Of an echo request or reply: its number."""
        return u16(self.rest)
