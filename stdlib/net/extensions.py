"""What may lie between an IPv6 header and the transport's: extension headers (RFC 8200 §4); ICMPv6 (RFC 4443)."""

from __future__ import annotations

from pybpf.stdlib.net.headers import ipv6hdr
from pybpf.stdlib.net.numbers import (
    IPPROTO_AH,
    IPPROTO_DSTOPTS,
    IPPROTO_FRAGMENT,
    IPPROTO_HOPOPTS,
    IPPROTO_MH,
    IPPROTO_ROUTING,
)
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import be16, be32, u8  # noqa: TC001 - fields are read at run time
from pybpf.stdlib.union import Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.stdlib.contexts.base import Packet

__all__ = [
    "frag_hdr", "icmp6_echo", "icmp6_un", "icmp6hdr", "ipv6_opt_hdr", "parse_ipv6", "skip_extensions",
]  # fmt: skip

_EXTENSIONS = (
    IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS, IPPROTO_MH, IPPROTO_AH,
)  # fmt: skip


class ipv6_opt_hdr(Struct):
    """What extension headers begin with: include/uapi/linux/ipv6.h. `hdrlen` counts 8 bytes each after the first 8."""

    nexthdr: u8
    hdrlen: u8


class frag_hdr(Struct):
    """The fragment header: include/net/ipv6.h."""

    nexthdr: u8
    reserved: u8
    frag_off: be16
    identification: be32

    def offset(self) -> be16:
        """Where this fragment's data belongs in the packet, in bytes."""
        return self.frag_off & 0xFFF8


class _fragment_rest(Struct, packed=True):
    frag_off: be16
    identification: be32


class icmp6_echo(Struct):
    """Of an echo request or reply: which process asks, and its number."""

    identifier: be16
    sequence: be16


class icmp6_un(Union):
    """What depends on the type of an ICMPv6 message."""

    echo: icmp6_echo
    mtu: be32
    pointer: be32


class icmp6hdr(Struct):
    """ICMPv6: include/uapi/linux/icmpv6.h."""

    icmp6_type: u8
    icmp6_code: u8
    icmp6_cksum: be16
    un: icmp6_un


def parse_ipv6(pkt: Packet) -> ipv6hdr | None:
    """The IPv6 header at the cursor, which moves past it; None where there is none.

    What follows may be extension headers: `skip_extensions(pkt, ip.nexthdr)`.
    """
    ip = pkt.parse(ipv6hdr)
    if ip is None or ip.version != 6:
        return None
    return ip


def skip_extensions(pkt: Packet, nexthdr: int) -> int:
    """Move the cursor over extension headers; the protocol of what follows.

    IPPROTO_FRAGMENT for a fragment that is not the first: it has no transport header. -1 where the packet ends before.
    IPPROTO_ESP and IPPROTO_NONE end the walk.
    """
    protocol = nexthdr
    while protocol in _EXTENSIONS:
        option = pkt.parse(ipv6_opt_hdr)
        if option is None:
            return -1
        more = option.hdrlen * 8 + 6
        if protocol == IPPROTO_FRAGMENT:
            rest = pkt.parse(_fragment_rest)
            if rest is None:
                return -1
            if rest.frag_off & 0xFFF8:
                return IPPROTO_FRAGMENT
            more = 0
        elif protocol == IPPROTO_AH:  # its length counts 4 bytes each after the first 8: RFC 4302 §2.2
            more = option.hdrlen * 4 + 6
        if not pkt.skip(more):
            return -1
        protocol = option.nexthdr
    return protocol
