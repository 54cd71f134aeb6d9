"""XDP on veth pairs: generic and native, with real frames, metadata, frames in several buffers, redirects."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pybpf import (
    TC,
    XDP,
    Array,
    ArrayMap,
    AttachError,
    Bytes,
    CpuEntry,
    CpuMap,
    DevEntry,
    DevMap,
    HashMap,
    L,
    Struct,
    TcContext,
    XdpContext,
    XdpDevmapContext,
    const,
    load,
    sizeof,
    tc,
    u8,
    u32,
    u64,
    xdp,
)
from pybpf.net import ethhdr
from tests.hooks.network import ETHERTYPE, frame
from tests.proofs import prove

if TYPE_CHECKING:
    import socket

    from tests.hooks.network import Network

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

seen = HashMap[u32, u64](max_entries=8)
facts = ArrayMap[u64](8)
answer = const(u32, 2)
other = const(u32, 0)
ports = DevMap(4)
cpus = CpuMap(1)


def is_ours(pkt: XdpContext) -> bool:
    eth = pkt.parse(ethhdr)
    return eth is not None and eth.h_proto == 0x88B5


@xdp
def count(pkt: XdpContext) -> XDP:
    seen[0] += 1
    return XDP.PASS


@xdp
def judge(pkt: XdpContext) -> XDP:
    if not is_ours(pkt):
        return XDP.PASS
    seen[0] += 1
    facts[0] = pkt.ingress_ifindex
    facts[1] = pkt.data_end - pkt.data
    return XDP(answer)


@xdp
def passer(pkt: XdpContext) -> XDP:
    return XDP.PASS


def test_count() -> None:
    with load(count) as obj:
        prove("hook", "xdp", "loaded")
        assert obj.programs["count"].test(bytes(64)).retval == XDP.PASS
        assert obj[seen][0] == 1


@pytest.mark.parametrize("mode", ["generic", "native"])
def test_actions(network: Network, mode: str) -> None:
    receiver = network.packets("right")
    back = network.packets("left")
    for verdict in (XDP.PASS, XDP.DROP, XDP.TX):
        with load(judge, passer, answer=verdict) as obj:
            if mode == "native":  # what is sent back by native XDP needs it at the other end, too
                obj.programs["passer"].attach("left", netns=network.name, mode=mode)
            with obj.programs["judge"].attach("right", netns=network.name, mode=mode):
                prove("hook", "xdp", "attached")
                network.send(2, frame(size=100))
                assert obj[seen][0] == 2
                prove("hook", "xdp", "fired")
                assert (obj[facts][0], obj[facts][1]) == (network.index("right"), 100)
            assert drained(receiver) == (2 if verdict == XDP.PASS else 0)
            assert drained(back, sent=False) == (2 if verdict == XDP.TX else 0)


def drained(receiver: socket.socket, *, sent: bool = True) -> int:
    """Frames that came in: a packet socket sees outgoing ones too, which are left out."""
    found = 0
    receiver.settimeout(0.2)
    try:
        while True:
            _, address = receiver.recvfrom(4000)
            found += address[2] != 4  # PACKET_OUTGOING
    except TimeoutError:
        return found


# --- the frame's ends, and what lies in front


class Mark(Struct):
    mark: u32
    number: u32


@xdp
def leave_mark(pkt: XdpContext) -> XDP:
    if not is_ours(pkt):
        return XDP.PASS
    if not pkt.adjust_meta(-sizeof(Mark)):
        return XDP.ABORTED
    mark = pkt.meta(Mark)
    if mark is None:
        return XDP.ABORTED
    mark.mark = 0xABCD
    mark.number = 7
    return XDP.PASS


@tc
def find_mark(skb: TcContext) -> TC:
    if skb.protocol != 0x88B5:
        return TC.UNSPEC
    mark = skb.meta(Mark)
    if mark is not None:
        facts[2] = mark.mark
        facts[3] = mark.number
    return TC.UNSPEC


def test_metadata_from_xdp_to_tc(network: Network) -> None:
    with load(leave_mark, find_mark) as obj:
        for name in ("leave_mark", "find_mark"):
            obj.programs[name].attach("right", netns=network.name)
        network.send(1)
        assert (obj[facts][2], obj[facts][3]) == (0xABCD, 7)


class Letters(Struct):
    data: Array[u8, L[16]]


@xdp
def by_index(pkt: XdpContext) -> XDP:
    """An element by an index that is known at run time only."""
    if not pkt.adjust_meta(-sizeof(Letters)):
        return XDP.ABORTED
    letters = pkt.meta(Letters)
    if letters is None:
        return XDP.ABORTED
    at = answer & 15
    letters.data[at] = 7
    facts[7] = letters.data[answer & 15] + (letters.data[3] << 8)
    return XDP.PASS


def test_elements_of_metadata() -> None:
    with load(by_index, answer=3) as obj:
        assert obj.programs["by_index"].test(frame()).retval == XDP.PASS
        assert obj[facts][7] == 0x0707


@xdp
def shift(pkt: XdpContext) -> XDP:
    """4 bytes more in front, 10 fewer at the end."""
    eth = pkt.parse(ethhdr)
    if eth is None or eth.h_proto != 0x88B5:
        return XDP.PASS
    if not pkt.adjust_head(-4) or not pkt.adjust_tail(-10):
        return XDP.ABORTED
    made = pkt.parse(ethhdr)
    if made is None:
        return XDP.ABORTED
    for i in range(6):
        made.h_dest[i] = 0xFF
        made.h_source[i] = 0x22
    made.h_proto = 0x88B5
    return XDP.PASS


def test_head_and_tail(network: Network) -> None:
    receiver = network.packets("right")
    with load(shift) as obj, obj.programs["shift"].attach("right", netns=network.name):
        network.send(1, frame(bytes(range(86)), size=100))
        got = receiver.recv(2000)
    assert got[:14] == b"\xff" * 6 + b"\x22" * 6 + ETHERTYPE.to_bytes(2, "big")
    assert len(got) == 94 and got[18:] == bytes(range(76)), "14 bytes of header and 4 of the old one"


@xdp(frags=True)
def far_end(pkt: XdpContext) -> XDP:
    """The last bytes of a frame in several buffers: read and changed by copies."""
    last = Bytes[L[4]]()
    length = pkt.length()
    if length < 2000:
        return XDP.PASS
    facts[4] = length
    facts[5] = pkt.data_end - pkt.data
    if not pkt.load_bytes(length - 4, last):
        return XDP.ABORTED
    facts[6] = last[0] << 24 | last[1] << 16 | last[2] << 8 | last[3]
    last[3] = 0x99
    return XDP.PASS if pkt.store_bytes(length - 4, last) else XDP.ABORTED


def test_frames_in_several_buffers(network: Network) -> None:
    for name in ("left", "right"):
        network.ip("link", "set", name, "mtu", "9000")
    receiver = network.packets("right")
    with load(far_end, judge) as obj:
        prove("hook", "xdp.frags", "loaded")
        with pytest.raises(AttachError, match="MTU"):
            obj.programs["judge"].attach("right", netns=network.name, mode="native")
        with obj.programs["far_end"].attach("right", netns=network.name, mode="native"):
            prove("hook", "xdp.frags", "attached")
            network.send(1, frame(bytes(7982) + b"\x12\x34\x56\x78", size=8000))
            got = receiver.recv(9000)
            prove("hook", "xdp.frags", "fired")
        assert obj[facts][4] == 8000 and obj[facts][5] < 8000 and obj[facts][6] == 0x12345678
        assert got[-4:] == b"\x12\x34\x56\x99"


# --- redirects


@xdp
def elsewhere(pkt: XdpContext) -> XDP:
    return pkt.redirect(other) if is_ours(pkt) else XDP.PASS


def test_redirect_to_an_interface(network: Network) -> None:
    network.add_pair("out", "far")
    receiver = network.packets("far")
    with load(elsewhere, passer, other=network.index("out")) as obj:
        obj.programs["passer"].attach("far", netns=network.name)
        with obj.programs["elsewhere"].attach("right", netns=network.name):
            network.send(2)
            assert drained(receiver) == 2


@xdp
def by_map(pkt: XdpContext) -> XDP:
    return ports.redirect(1, XDP.DROP) if is_ours(pkt) else XDP.PASS


@xdp.devmap
def on_the_way_out(pkt: XdpDevmapContext) -> XDP:
    facts[0] = pkt.ingress_ifindex
    facts[1] = pkt.egress_ifindex
    eth = pkt.parse(ethhdr)
    if eth is not None:
        eth.h_source[0] = 0x42
    return XDP.PASS


def test_program_of_a_device_map(network: Network) -> None:
    network.add_pair("out", "far")
    receiver = network.packets("far")
    with load(by_map, on_the_way_out, passer) as obj:
        prove("hook", "xdp/devmap", "loaded")
        obj.attach(by_map="right", passer="far", netns=network.name)
        assert len(obj.links) == 2, "programs of entries are not attached"
        network.send(1)
        assert drained(receiver) == 0
        obj[ports][1] = DevEntry("out", program=on_the_way_out, netns=network.name)
        prove("hook", "xdp/devmap", "attached")
        network.send(1)
        receiver.settimeout(5)
        assert receiver.recv(2000)[6] == 0x42
        prove("hook", "xdp/devmap", "fired")
        assert (obj[facts][0], obj[facts][1]) == (network.index("right"), network.index("out"))
        assert obj[ports][1] == DevEntry(network.index("out"), obj.programs["on_the_way_out"].info().id)
        with pytest.raises(AttachError, match="attached to nothing\nhelp: put it into an entry of a DevMap"):
            obj.programs["on_the_way_out"].attach("right")


@xdp
def to_cpu(pkt: XdpContext) -> XDP:
    return cpus.redirect(0) if is_ours(pkt) else XDP.PASS


@xdp.cpumap
def on_cpu(pkt: XdpContext) -> XDP:
    seen[3] += 1
    return XDP.PASS


def test_program_of_a_cpu_map(network: Network) -> None:
    receiver = network.packets("right")
    with load(to_cpu, on_cpu) as obj:
        prove("hook", "xdp/cpumap", "loaded")
        obj[cpus][0] = CpuEntry(64, program=on_cpu)
        prove("hook", "xdp/cpumap", "attached")
        with obj.programs["to_cpu"].attach("right", netns=network.name):
            network.send(2)
            assert drained(receiver) == 2
        assert obj[seen][3] == 2
        prove("hook", "xdp/cpumap", "fired")
        assert obj[cpus][0] == CpuEntry(64, obj.programs["on_cpu"].info().id)


@xdp(frags=True)
def by_map_frags(pkt: XdpContext) -> XDP:
    return ports.redirect(2) if is_ours(pkt) else XDP.PASS


@xdp.devmap(frags=True)
def out_frags(pkt: XdpDevmapContext) -> XDP:
    seen[4] += 1
    return XDP.DROP


@xdp(frags=True)
def to_cpu_frags(pkt: XdpContext) -> XDP:
    return cpus.redirect(0) if is_ours(pkt) else XDP.PASS


@xdp.cpumap(frags=True)
def on_cpu_frags(pkt: XdpContext) -> XDP:
    seen[5] += 1
    return XDP.DROP


def test_entries_with_frags(network: Network) -> None:
    network.add_pair("out", "far")
    with load(by_map_frags, out_frags, to_cpu_frags, on_cpu_frags, passer) as obj:
        for row in ("xdp.frags/devmap", "xdp.frags/cpumap"):
            prove("hook", row, "loaded")
        obj.programs["passer"].attach("far", netns=network.name)
        obj[ports][2] = DevEntry("out", program=out_frags, netns=network.name)
        obj[cpus][0] = CpuEntry(64, program=on_cpu_frags)
        for row in ("xdp.frags/devmap", "xdp.frags/cpumap"):
            prove("hook", row, "attached")
        for name, slot, row in (("by_map_frags", 4, "xdp.frags/devmap"), ("to_cpu_frags", 5, "xdp.frags/cpumap")):
            with obj.programs[name].attach("right", netns=network.name):
                network.send(1)
                until = time.monotonic() + 5
                while slot not in obj[seen] and time.monotonic() < until:
                    time.sleep(0.01)
                assert obj[seen][slot] == 1
                prove("hook", row, "fired")


def test_errors(network: Network) -> None:
    with load(judge) as obj, obj.programs["judge"].attach("right", netns=network.name):
        with pytest.raises(AttachError, match="has an XDP program already"):
            obj.programs["judge"].attach("right", netns=network.name)
        with pytest.raises(AttachError, match="no XDP mode 'fast'"):
            obj.programs["judge"].attach("left", mode="fast", netns=network.name)
