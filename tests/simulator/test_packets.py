"""Packets in a simulation: contexts of socket buffers, metadata, copies, redirects. No kernel."""

from __future__ import annotations

import struct

import pytest

from pybpf import (
    FLOW,
    TC,
    XDP,
    ArrayMap,
    DevMap,
    FlowDissectorContext,
    Simulation,
    SocketFilterContext,
    Struct,
    TcContext,
    XdpContext,
    be16,
    flow_dissector,
    sizeof,
    socket_filter,
    tc,
    u32,
    u64,
    xdp,
)
from pybpf.net import ethhdr
from pybpf.simulator import SimulationError

facts = ArrayMap[u64](8)
ports = DevMap(4)
FRAME = (b"\xff" * 6 + b"\x02" * 6 + b"\x88\xb5").ljust(64, b"\0")


class Mark(Struct):
    mark: u32
    more: u32


class Ports(Struct):
    source: be16
    dest: be16


@tc
def look(skb: TcContext) -> TC:
    facts[0] = skb.len
    facts[1] = skb.protocol
    skb.mark += 1
    skb.cb[2] = 9
    sk = skb.sk
    if sk is not None:
        facts[2] = sk.src_port
    mark = skb.meta(Mark)
    if mark is not None:
        facts[3] = mark.mark
    return skb.redirect(7)


def test_a_socket_buffer() -> None:
    with Simulation() as sim:
        out = look.simulate(FRAME, protocol=0x88B5, mark=4)
        assert out.retval == TC.REDIRECT and sim.redirected == 7
        assert (sim[facts][0], sim[facts][1], sim[facts][2]) == (64, 0x88B5, 0)
        assert struct.unpack_from("<I", out.context, 8) == (5,) and struct.unpack_from("<I", out.context, 56) == (9,)
        sock = struct.pack("<44xI32x", 4242)
        sim.metadata += struct.pack("<II", 77, 0)
        look.simulate(FRAME, protocol=0x88B5, sk=sock)
        assert (sim[facts][2], sim[facts][3]) == (4242, 77)


@xdp
def leave(pkt: XdpContext) -> XDP:
    if not pkt.adjust_meta(-sizeof(Mark)):
        return XDP.ABORTED
    mark = pkt.meta(Mark)
    if mark is None:
        return XDP.ABORTED
    mark.mark = 5
    last = Ports(source=0, dest=0)
    if not pkt.load_bytes(pkt.length() - 4, last):
        return XDP.ABORTED
    last.dest += 1
    if pkt.load_bytes(pkt.length() - 3, last):
        return XDP.ABORTED
    last.dest = 0x1234
    return pkt.redirect(9) if pkt.store_bytes(60, last) else XDP.DROP


def test_metadata_and_copies() -> None:
    with Simulation() as sim:
        out = leave.simulate(FRAME)
        assert (out.retval, sim.redirected, bytes(sim.metadata)) == (XDP.REDIRECT, 9, struct.pack("<II", 5, 0))
        assert out.packet[-2:] == b"\x12\x34"


@socket_filter
def choose(skb: SocketFilterContext) -> int:
    head = Ports(source=0, dest=0)
    return int(head.dest) if skb.load_bytes(0, head) else 0


def test_a_socket_filter() -> None:
    assert choose.simulate(b"\x12\x34\x00\x50rest").retval == 0x50
    assert choose.simulate(b"\x12").retval == 0


@flow_dissector
def dissect(skb: FlowDissectorContext) -> FLOW:
    eth = skb.parse(ethhdr)
    if eth is None:
        return FLOW.DROP
    skb.flow_keys.n_proto = eth.h_proto
    skb.flow_keys.ipv6_src[1] = 6
    return FLOW.OK


def test_flow_keys() -> None:
    keys = bytearray(56)
    assert dissect.simulate(FRAME, flow_keys=keys).retval == FLOW.OK
    assert keys[10:12] == b"\x88\xb5" and keys[20:24] == b"\0\0\0\x06"


@xdp
def by_map(pkt: XdpContext) -> XDP:
    return ports.redirect(0)


def test_maps_of_devices_are_refused() -> None:
    with pytest.raises(SimulationError, match="maps of type DEVMAP can't be simulated"):
        by_map.simulate(FRAME)
