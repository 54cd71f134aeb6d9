"""Packets and bytes by VLAN and protocol; up to two tags. After xdp_vlan examples."""

from pybpf import XDP, HashMap, Struct, XdpContext, be16, u16, u64, xdp
from pybpf.net import ethhdr

ETH_P_8021Q, ETH_P_8021AD = 0x8100, 0x88A8


class Tag(Struct):
    tci: be16
    proto: be16


class Key(Struct):
    outer: u16
    inner: u16
    proto: u16


class Total(Struct):
    packets: u64
    bytes: u64


totals = HashMap[Key, Total](max_entries=4096)


@xdp
def stats(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.ABORTED
    proto: u16 = eth.h_proto
    key = Key(outer=0, inner=0, proto=0)
    for depth in range(2):
        if proto not in (ETH_P_8021Q, ETH_P_8021AD):
            break
        tag = pkt.parse(Tag)
        if tag is None:
            return XDP.DROP
        proto = tag.proto
        if depth == 0:
            key.outer = tag.tci & 0xFFF
        else:
            key.inner = tag.tci & 0xFFF
    key.proto = proto
    total = totals.setdefault(key, Total(packets=0, bytes=0))
    if total is not None:
        total.packets += 1
        total.bytes += pkt.data_end - pkt.data
    return XDP.PASS
