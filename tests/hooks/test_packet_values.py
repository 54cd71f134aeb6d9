"""Arrays of contexts and of what they refer to: kept in variables, copied, walked through."""

from __future__ import annotations

import copy
import struct

import pytest

from pybpf import (
    FLOW,
    TC,
    XDP,
    Array,
    ArrayMap,
    FlowDissectorContext,
    L,
    RingBuffer,
    Struct,
    TcContext,
    XdpContext,
    flow_dissector,
    load,
    tc,
    u32,
    u64,
    xdp,
)
from pybpf.net import ethhdr
from tests.hooks.network import frame, ipv4_udp

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

out = ArrayMap[u64](4)


class Words(Struct):
    words: Array[u32, L[5]]


words = RingBuffer[Words](4096)


@tc
def walk(skb: TcContext) -> TC:
    for i in range(1):
        skb.cb[0] = i + 1
    skb.cb[1] = 20
    skb.cb[4] += 300
    kept = skb.cb
    total = 0
    for word in skb.cb:
        total += word
    out[0] = total
    out[1] = sum(skb.cb) + (1000 if 20 in skb.cb else 0)
    skb.cb[1] = 30
    out[2] = kept[1]
    words.emit(Words(words=skb.cb))
    part = skb.cb[1:3]
    out[3] = part[0]
    return TC.OK


def test_words_of_a_socket_buffer() -> None:
    with load(walk) as obj:
        assert obj.programs["walk"].test(frame()).retval == TC.OK
        assert [obj[out][i] for i in range(4)] == [321, 1321, 30, 30]
        assert list(next(iter(obj[words])).words) == [1, 30, 0, 0, 300]


@tc
def of_a_socket(skb: TcContext) -> TC:
    sk = skb.sk
    if sk is None:
        return TC.OK
    source = sk.src_ip6
    out[0] = source[1] + source[3]
    total = 0
    for word in sk.dst_ip6:
        total += word
    out[1] = total
    return TC.OK


def test_words_of_a_socket() -> None:
    """A packet of a test run belongs to a socket of the kernel's own, with no addresses."""
    with load(of_a_socket) as obj:
        assert obj.programs["of_a_socket"].test(frame()).retval == TC.OK
        assert (obj[out][0], obj[out][1]) == (0, 0)


@flow_dissector
def keys(skb: FlowDissectorContext) -> FLOW:
    found = skb.flow_keys
    found.ipv6_dst[0] = 1
    found.ipv6_dst[3] = 4
    found.ipv6_src = found.ipv6_dst
    source = found.ipv6_src
    total = 0
    for word in source:
        total += word
    out[0] = total + source[3]
    found.nhoff += 2
    return FLOW.OK


def test_words_of_flow_keys() -> None:
    with load(keys) as obj:
        result = obj.programs["keys"].test(ipv4_udp(b"hello"))
        assert obj[out][0] == 9
        assert struct.unpack_from(">8I", result.packet, 16) == (1, 0, 0, 4, 1, 0, 0, 4)


@xdp
def swapped(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.DROP
    eth.h_source, eth.h_dest = eth.h_dest, eth.h_source
    return XDP.TX


@xdp
def swapped_by_a_copy(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.DROP
    old = copy.deepcopy(eth.h_source)
    eth.h_source = eth.h_dest
    eth.h_dest = old
    return XDP.TX


def test_addresses_are_swapped() -> None:
    data = bytes(range(14)) + bytes(50)
    with load(swapped, swapped_by_a_copy) as obj:
        for program in obj.programs.values():
            done = program.test(data)
            assert (done.retval, done.packet) == (XDP.TX, data[6:12] + data[:6] + data[12:])
