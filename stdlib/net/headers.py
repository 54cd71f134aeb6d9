"""Packet headers, laid out as in the kernel's uapi headers of the same names.

Fields in network byte order read and write as host-order numbers. What is a bit field in C is one here: `tcp.syn`,
`ip.ihl`. A union that has no name in C is called by its member: `icmp.un.echo.id`.
"""

from __future__ import annotations

from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import Array, Bits, Bytes, L, be16, be32, u8, u16, u32
from pybpf.stdlib.union import Union

__all__ = [
    "arp_ipv4", "arphdr", "ethhdr", "icmp_echo", "icmp_frag", "icmp_un", "icmphdr", "iphdr", "ipv6hdr", "sctphdr",
    "tcphdr", "udphdr", "vlan_hdr",
]  # fmt: skip


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


class arp_ipv4(arphdr, packed=True):
    """A whole ARP message where `ar_hln` is 6 and `ar_pln` 4: IPv4 on Ethernet, RFC 826."""

    ar_sha: Array[u8, L[6]]
    ar_sip: be32
    ar_tha: Array[u8, L[6]]
    ar_tip: be32


class iphdr(Struct):
    """IPv4 without options: include/uapi/linux/ip.h."""

    ihl: Bits[u8, L[4]]
    version: Bits[u8, L[4]]
    tos: u8
    tot_len: be16
    id: be16
    frag_off: be16
    ttl: u8
    protocol: u8
    check: be16
    saddr: be32
    daddr: be32

    def header_len(self) -> u32:
        """Bytes of the header with its options, 20 to 60 where the packet is sound."""
        return u32(self.ihl * 4)


class ipv6hdr(Struct):
    """IPv6: include/uapi/linux/ipv6.h."""

    priority: Bits[u8, L[4]]
    version: Bits[u8, L[4]]
    flow_lbl: Array[u8, L[3]]
    payload_len: be16
    nexthdr: u8
    hop_limit: u8
    saddr: Bytes[L[16]]
    daddr: Bytes[L[16]]

    def flow_label(self) -> u32:
        """The flow label, 20 bits."""
        return u32((self.flow_lbl[0] & 15) << 16 | self.flow_lbl[1] << 8 | self.flow_lbl[2])


class tcphdr(Struct):
    """TCP without options: include/uapi/linux/tcp.h."""

    source: be16
    dest: be16
    seq: be32
    ack_seq: be32
    res1: Bits[u16, L[4]]
    doff: Bits[u16, L[4]]
    fin: Bits[u16, L[1]]
    syn: Bits[u16, L[1]]
    rst: Bits[u16, L[1]]
    psh: Bits[u16, L[1]]
    ack: Bits[u16, L[1]]
    urg: Bits[u16, L[1]]
    ece: Bits[u16, L[1]]
    cwr: Bits[u16, L[1]]
    window: be16
    check: be16
    urg_ptr: be16

    def header_len(self) -> u32:
        """Bytes of the header with its options, 20 to 60 where the packet is sound."""
        return u32(self.doff * 4)

    def flags(self) -> u16:
        """The flags, bits as in TCP_SYN, TCP_ACK and so on."""
        low = self.fin | self.syn << 1 | self.rst << 2 | self.psh << 3
        return u16(low | self.ack << 4 | self.urg << 5 | self.ece << 6 | self.cwr << 7)


class udphdr(Struct):
    """UDP: include/uapi/linux/udp.h."""

    source: be16
    dest: be16
    len: be16
    check: be16


class sctphdr(Struct):
    """SCTP: include/linux/sctp.h. The checksum is a CRC32c, in little-endian order."""

    source: be16
    dest: be16
    vtag: be32
    checksum: u32


class icmp_echo(Struct):
    """Of an echo request or reply: which process asks, and its number."""

    id: be16
    sequence: be16


class icmp_frag(Struct):
    """Of "fragmentation needed": the MTU of the next hop."""

    unused: be16
    mtu: be16


class icmp_un(Union):
    """What depends on the type of an ICMP message."""

    echo: icmp_echo
    gateway: be32
    frag: icmp_frag
    reserved: Array[u8, L[4]]


class icmphdr(Struct):
    """ICMP: include/uapi/linux/icmp.h."""

    type: u8
    code: u8
    checksum: be16
    un: icmp_un
