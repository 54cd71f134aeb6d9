"""Walks the options of TCP headers."""

from pybpf import XDP, ArrayMap, Struct, XdpContext, u8, u16, u32, xdp
from pybpf.net import (
    ETH_P_IP,
    IPPROTO_TCP,
    TCPOPT_EOL,
    TCPOPT_MSS,
    TCPOPT_NOP,
    TCPOPT_SACK_PERM,
    TCPOPT_TIMESTAMP,
    TCPOPT_WINDOW,
    ethhdr,
    iphdr,
    tcp_mss,
    tcp_option,
    tcp_timestamp,
    tcp_window_scale,
    tcphdr,
)

MAX_OPTIONS = 16


class Seen(Struct):
    mss: u16 = 0
    wscale: u8 = 0
    sack: u8 = 0
    tsval: u32 = 0
    tsecr: u32 = 0
    count: u32 = 0


class Kind(Struct):
    value: u8


found = ArrayMap[Seen](1, name="opts")


@xdp
def tcp_opts(pkt: XdpContext) -> XDP:
    eth, ip, tcp = pkt.parse(ethhdr), pkt.parse(iphdr), pkt.parse(tcphdr)
    if eth is None or ip is None or tcp is None:
        return XDP.PASS
    if eth.h_proto != ETH_P_IP or ip.ihl != 5 or ip.protocol != IPPROTO_TCP:
        return XDP.PASS
    if tcp.doff < 5:
        return XDP.DROP
    seen = Seen()
    options, size, offset = pkt.cursor, tcp.header_len() - 20, 0
    for _ in range(MAX_OPTIONS):
        if offset >= size:
            break
        at = options + offset
        if at + 1 > pkt.data_end:
            return XDP.DROP
        kind = Kind.at(at).value
        if kind == TCPOPT_EOL:
            break
        seen.count += 1
        if kind == TCPOPT_NOP:
            offset += 1
            continue
        if at + 2 > pkt.data_end:
            return XDP.DROP
        length = tcp_option.at(at).length
        if length < 2 or offset + length > size or at + length > pkt.data_end:
            return XDP.DROP
        if kind == TCPOPT_MSS:
            if length != 4 or at + 4 > pkt.data_end:
                return XDP.DROP
            seen.mss = tcp_mss.at(at).value
        elif kind == TCPOPT_WINDOW:
            if length != 3 or at + 3 > pkt.data_end:
                return XDP.DROP
            seen.wscale = tcp_window_scale.at(at).shift
        elif kind == TCPOPT_SACK_PERM:
            seen.sack = 1
        elif kind == TCPOPT_TIMESTAMP:
            if length != 10 or at + 10 > pkt.data_end:
                return XDP.DROP
            stamp = tcp_timestamp.at(at)
            seen.tsval, seen.tsecr = stamp.value, stamp.echo
        offset += length
    else:
        if offset < size:
            return XDP.DROP
    found[0] = seen
    return XDP.PASS
