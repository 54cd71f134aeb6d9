"""Packets inside packets: GRE (RFC 2784, 2890), VXLAN (RFC 7348), Geneve (RFC 8926), MPLS (RFC 3032).

    gre = parse_gre(pkt)                      # the cursor is behind its optional fields
    if gre is not None and gre.protocol == ETH_P_IP:
        inner = parse_ipv4(pkt)

IP in IP needs nothing of its own: where `transport(pkt)` is IPPROTO_IPIP or IPPROTO_IPV6, `ip_transport(pkt)` goes on.
"""

from __future__ import annotations

from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import Array, Bits, L, be16, be32, u8, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.stdlib.contexts.base import Packet

__all__ = [
    "GENEVE_PORT", "GRE_CSUM", "GRE_KEY", "GRE_SEQ", "VXLAN_PORT", "genevehdr", "gre_base_hdr", "mpls_label",
    "parse_geneve", "parse_gre", "parse_mpls", "parse_vxlan", "vxlanhdr",
]  # fmt: skip

VXLAN_PORT = 4789
GENEVE_PORT = 6081

# Bits of gre_base_hdr.flags: include/uapi/linux/if_tunnel.h, in host order.
GRE_CSUM = 0x8000
GRE_KEY = 0x2000
GRE_SEQ = 0x1000
_GRE_ROUTING = 0x4000  # RFC 1701, which nobody sends any more
_GRE_VERSION = 0x0007
_MAX_LABELS = 8


class gre_base_hdr(Struct):
    """GRE without its optional fields: include/net/gre.h."""

    flags: be16
    protocol: be16

    def header_len(self) -> u32:
        """Bytes of the header with the optional fields that the flags say: checksum, key, sequence number."""
        more = 4 if self.flags & GRE_CSUM else 0
        more += 4 if self.flags & GRE_KEY else 0
        more += 4 if self.flags & GRE_SEQ else 0
        return u32(4 + more)


class vxlanhdr(Struct):
    """VXLAN: include/net/vxlan.h."""

    vx_flags: be32
    vx_vni: be32

    def vni(self) -> u32:
        """The number of the network, 24 bits."""
        return self.vx_vni >> 8


class genevehdr(Struct):
    """Geneve without its options: include/net/geneve.h."""

    opt_len: Bits[u8, L[6]]
    ver: Bits[u8, L[2]]
    rsvd1: Bits[u8, L[6]]
    critical: Bits[u8, L[1]]
    oam: Bits[u8, L[1]]
    proto_type: be16
    vni_bytes: Array[u8, L[3]]
    rsvd2: u8

    def vni(self) -> u32:
        """The number of the network, 24 bits."""
        return u32(self.vni_bytes[0] << 16 | self.vni_bytes[1] << 8 | self.vni_bytes[2])


class mpls_label(Struct):
    """An entry of the label stack: include/uapi/linux/mpls.h."""

    entry: be32

    def label(self) -> u32:
        """The label, 20 bits."""
        return self.entry >> 12

    def traffic_class(self) -> u8:
        """The traffic class, 0 to 7."""
        return u8(self.entry >> 9 & 7)

    def bottom(self) -> bool:
        """Whether it is the last entry of the stack."""
        return self.entry & 0x100 != 0

    def ttl(self) -> u8:
        """How many hops are left."""
        return u8(self.entry)


def parse_gre(pkt: Packet) -> gre_base_hdr | None:
    """The GRE header at the cursor, which moves past it and its optional fields. None for versions other than 0."""
    gre = pkt.parse(gre_base_hdr)
    if gre is None or gre.flags & (_GRE_VERSION | _GRE_ROUTING):
        return None
    if not pkt.skip(gre.header_len() - 4):
        return None
    return gre


def parse_vxlan(pkt: Packet) -> vxlanhdr | None:
    """The VXLAN header at the cursor, which is at the inner Ethernet header then. None without a network's number."""
    vxlan = pkt.parse(vxlanhdr)
    if vxlan is None or not vxlan.vx_flags & 0x0800_0000:
        return None
    return vxlan


def parse_geneve(pkt: Packet) -> genevehdr | None:
    """The Geneve header at the cursor, which moves past its options too."""
    geneve = pkt.parse(genevehdr)
    if geneve is None or geneve.ver != 0 or not pkt.skip(geneve.opt_len * 4):
        return None
    return geneve


def parse_mpls(pkt: Packet) -> mpls_label | None:
    """The last label of the stack at the cursor, which moves past all of them. None where there are more than 8."""
    for _ in range(_MAX_LABELS):
        label = pkt.parse(mpls_label)
        if label is None:
            return None
        if label.bottom():
            return label
    return None
