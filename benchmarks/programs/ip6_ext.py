"""Walks IPv6 extension headers, drops the deprecated routing header and long chains, counts by protocol."""

from pybpf import XDP, ArrayMap, Struct, XdpContext, u8, u32, u64, xdp
from pybpf.net import (
    ETH_P_IPV6,
    IPPROTO_AH,
    IPPROTO_DSTOPTS,
    IPPROTO_FRAGMENT,
    IPPROTO_HOPOPTS,
    IPPROTO_MH,
    IPPROTO_ROUTING,
    ethhdr,
    ipv6hdr,
)

MAX_HEADERS = 8
EXTENSIONS = (IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS, IPPROTO_AH, IPPROTO_MH)


class Extension(Struct):
    """Each has at least eight bytes."""

    nexthdr: u8
    length: u8
    type: u8
    left: u8
    rest: u32


class Seen(Struct):
    packets: u64
    bytes: u64
    headers: u64


protocols = ArrayMap[Seen](256)


@xdp
def ip6_ext(pkt: XdpContext) -> XDP:
    eth, ip = pkt.parse(ethhdr), pkt.parse(ipv6hdr)
    if eth is None or ip is None or eth.h_proto != ETH_P_IPV6:
        return XDP.PASS
    if ip.version != 6:
        return XDP.DROP
    protocol, headers = ip.nexthdr, 0
    while protocol in EXTENSIONS and headers < MAX_HEADERS:
        extension = pkt.parse(Extension)
        if extension is None:
            return XDP.DROP
        if protocol == IPPROTO_ROUTING and extension.type == 0:
            return XDP.DROP
        if protocol == IPPROTO_FRAGMENT:
            more = 0
        elif protocol == IPPROTO_AH:
            more = extension.length * 4
        else:
            more = extension.length * 8
        if not pkt.skip(more):
            return XDP.DROP
        protocol = extension.nexthdr
        headers += 1
    if headers == MAX_HEADERS:
        return XDP.DROP
    seen = protocols[protocol]
    seen.packets += 1
    seen.bytes += pkt.data_end - pkt.data
    seen.headers += headers
    return XDP.PASS
