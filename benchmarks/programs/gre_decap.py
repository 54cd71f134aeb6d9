"""Takes GRE off; the tunnel is known by its remote end and key, and counts its packets and bytes."""

from copy import deepcopy

from pybpf import XDP, HashMap, Struct, XdpContext, be32, u64, xdp
from pybpf.net import (
    ETH_P_IP,
    ETH_P_IPV6,
    ETH_P_TEB,
    GRE_CSUM,
    GRE_KEY,
    GRE_SEQ,
    IPPROTO_GRE,
    ethhdr,
    gre_base_hdr,
    iphdr,
)

FRAGMENT = 0x3FFF
GRE_ROUTING = 0x4000
GRE_VERSION = 0x0007


class TunnelKey(Struct):
    remote: be32
    key: be32


class Tunnel(Struct):
    packets: u64
    bytes: u64


class Key(Struct):
    value: be32


tunnels = HashMap[TunnelKey, Tunnel](max_entries=1024)


@xdp
def gre_decap(pkt: XdpContext) -> XDP:
    eth, ip = pkt.parse(ethhdr), pkt.parse(iphdr)
    if eth is None or ip is None or eth.h_proto != ETH_P_IP:
        return XDP.PASS
    if ip.ihl != 5 or ip.protocol != IPPROTO_GRE or ip.frag_off & FRAGMENT:
        return XDP.PASS
    gre = pkt.parse(gre_base_hdr)
    if gre is None or gre.flags & (GRE_ROUTING | GRE_VERSION):
        return XDP.DROP
    size, key = 24, 0
    if gre.flags & GRE_CSUM:
        if not pkt.skip(4):
            return XDP.DROP
        size += 4
    if gre.flags & GRE_KEY:
        field = pkt.parse(Key)
        if field is None:
            return XDP.DROP
        key = field.value
        size += 4
    if gre.flags & GRE_SEQ:
        if not pkt.skip(4):
            return XDP.DROP
        size += 4
    tunnel = tunnels.get(TunnelKey(remote=ip.saddr, key=key))
    if tunnel is None:
        return XDP.PASS
    tunnel.packets += 1
    tunnel.bytes += pkt.data_end - pkt.data

    proto = gre.protocol
    if proto == ETH_P_TEB:
        return XDP.PASS if pkt.adjust_head(14 + size) else XDP.DROP
    if proto not in (ETH_P_IP, ETH_P_IPV6):
        return XDP.DROP
    outer = deepcopy(eth)
    if not pkt.adjust_head(size):
        return XDP.DROP
    inner = pkt.parse(ethhdr)
    if inner is None:
        return XDP.DROP
    inner.h_dest = outer.h_dest
    inner.h_source = outer.h_source
    inner.h_proto = proto
    return XDP.PASS
