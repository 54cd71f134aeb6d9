"""Programs of routes: packets that go out by one, come in for one, or are sent elsewhere; segment routing."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

from pybpf import (
    LWT,
    LWT_SEG6LOCAL,
    LWT_XMIT,
    ArrayMap,
    AttachError,
    LwtContext,
    LwtXmitContext,
    Struct,
    const,
    load,
    lwt,
    u8,
    u32,
    u64,
)
from pybpf.net import iphdr
from tests.hooks.network import frame, ipv4_udp
from tests.proofs import prove

if TYPE_CHECKING:
    from tests.hooks.network import Network

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

facts = ArrayMap[u64](8)
answer = const(u32, 0)
other = const(u32, 0)


@lwt.out
def leaving(skb: LwtContext) -> LWT:
    ip = skb.parse(iphdr)
    if ip is not None:
        facts[0] += 1
        facts[1] = ip.daddr
    skb.mark = 7
    facts[2] = skb.mark
    return LWT(answer)


@lwt.in_
def arriving(skb: LwtContext) -> LWT:
    ip = skb.parse(iphdr)
    if ip is not None:
        facts[0] += 1
        facts[1] = ip.daddr
    return LWT(answer)


class Mac(Struct):
    """An Ethernet header."""

    dest: u32
    dest_and_source: u32
    source: u32
    proto_low: u8
    proto_high: u8


@lwt.xmit
def sending(skb: LwtXmitContext) -> LWT_XMIT:
    """The packet's TTL is changed, in place; the checksum is not, which nobody here looks at."""
    ip = skb.parse(iphdr)
    if ip is None:
        return LWT_XMIT.OK
    facts[0] += 1
    ip.ttl = 33
    return LWT_XMIT.OK


def prepare(network: Network) -> socket.socket:
    """left has an address; what is routed by it is seen at right. Gives a socket to send datagrams with."""
    network.ip("link", "set", "lo", "up")
    network.ip("addr", "add", "10.77.0.1/24", "dev", "left")
    network.ip("neigh", "add", "10.77.0.2", "lladdr", "02:00:00:00:00:02", "dev", "left")
    return network.socket(socket.AF_INET, socket.SOCK_DGRAM)


def test_packets_that_leave(network: Network) -> None:
    sender, receiver = prepare(network), network.packets("right", ethertype=0x0800)
    with load(leaving) as obj:
        prove("hook", "lwt_out", "loaded")
        with obj.programs["leaving"].attach("10.99.0.0/24", dev="left", via="10.77.0.2", netns=network.name):
            prove("hook", "lwt_out", "attached")
            shown = network.ip("route", "show", "10.99.0.0/24")
            assert "encap bpf" in shown and "leaving" in shown
            sender.sendto(b"hello", ("10.99.0.5", 99))
            assert receiver.recv(2000).endswith(b"hello")
            assert [obj[facts][i] for i in range(3)] == [1, 0x0A630005, 7]
            prove("hook", "lwt_out", "fired")
        assert not network.ip("route", "show", "10.99.0.0/24")
    with load(leaving, answer=LWT.DROP) as obj:
        obj.programs["leaving"].attach("10.99.0.0/24", dev="left", via="10.77.0.2", netns=network.name)
        with pytest.raises(PermissionError):
            sender.sendto(b"hello", ("10.99.0.5", 99))
        assert obj[facts][0] == 1


def test_packets_that_are_changed(network: Network) -> None:
    sender, receiver = prepare(network), network.packets("right", ethertype=0x0800)
    with load(sending) as obj:
        prove("hook", "lwt_xmit", "loaded")
        obj.programs["sending"].attach("10.99.0.0/24", dev="left", via="10.77.0.2", netns=network.name)
        prove("hook", "lwt_xmit", "attached")
        sender.sendto(b"hello", ("10.99.0.5", 99))
        got = receiver.recv(2000)
        assert got[14 + 8] == 33 and obj[facts][0] == 1
        prove("hook", "lwt_xmit", "fired")


def test_packets_that_come_in(network: Network) -> None:
    """A frame for another address arrives at right, and the route for that address has the program."""
    network.ip("link", "set", "lo", "up")
    network.ip("addr", "add", "10.78.0.1/24", "dev", "right")
    network.run(
        "sh",
        "-c",
        "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; "
        "echo 0 > /proc/sys/net/ipv4/conf/right/rp_filter",
    )
    mac = bytes.fromhex(network.ip("-br", "link", "show", "right").split()[2].replace(":", ""))
    with load(arriving, answer=LWT.DROP) as obj:
        prove("hook", "lwt_in", "loaded")
        obj.programs["arriving"].attach("10.99.0.0/24", dev="right", via="10.78.0.2", netns=network.name)
        prove("hook", "lwt_in", "attached")
        packet = ipv4_udp(b"hello", source="10.78.0.9", to="10.99.0.5")
        network.send(1, mac + packet[6:])
        assert (obj[facts][0], obj[facts][1]) == (1, 0x0A630005)
        prove("hook", "lwt_in", "fired")


@lwt.seg6local
def segment(skb: LwtContext) -> LWT_SEG6LOCAL:
    facts[0] += 1
    facts[3] = skb.len
    return LWT_SEG6LOCAL.DROP


def routed(source: str, segments: list[str]) -> bytes:
    """An IPv6 packet with a segment routing header (RFC 8754), whose destination is the first segment."""
    listed = b"".join(socket.inet_pton(socket.AF_INET6, s) for s in reversed(segments))
    header = struct.pack(">BBBBBBH", 59, len(listed) // 8, 4, len(segments) - 1, len(segments) - 1, 0, 0) + listed
    return (
        struct.pack(">IHBB", 6 << 28, len(header), 43, 64)
        + socket.inet_pton(socket.AF_INET6, source)
        + (socket.inet_pton(socket.AF_INET6, segments[0]) + header)
    )


def test_segment_routing(network: Network) -> None:
    for name in ("all", "default", "right", "lo"):
        network.run(
            "sh",
            "-c",
            f"echo 0 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6; "
            f"echo 1 > /proc/sys/net/ipv6/conf/{name}/seg6_enabled; "
            f"echo 1 > /proc/sys/net/ipv6/conf/{name}/forwarding",
        )
    network.ip("link", "set", "lo", "up")
    network.ip("addr", "add", "fd00:1::1/64", "dev", "right", "nodad")
    mac = bytes.fromhex(network.ip("-br", "link", "show", "right").split()[2].replace(":", ""))
    with load(segment) as obj:
        prove("hook", "lwt_seg6local", "loaded")
        try:
            obj.programs["segment"].attach("fd00:2::1/128", dev="right", netns=network.name)
        except AttachError as error:
            assert "EOPNOTSUPP" in str(error)
            pytest.skip("this kernel has no segment routing by BPF")
        prove("hook", "lwt_seg6local", "attached")
        packet = routed("fd00:1::9", ["fd00:2::1", "fd00:3::1"])
        network.send(1, frame(packet, ethertype=0x86DD, to=mac))
        assert (obj[facts][0], obj[facts][3]) == (1, len(packet))
        prove("hook", "lwt_seg6local", "fired")


def test_errors(network: Network) -> None:
    with load(leaving) as obj:
        attach = obj.programs["leaving"].attach
        with pytest.raises(AttachError, match=r"to which route.\nhelp: say where it goes"):
            attach("10.99.0.0/24")
        with pytest.raises(AttachError, match="no interface nonesuch"):
            attach("10.99.0.0/24", dev="nonesuch", netns=network.name)
        network.ip("addr", "add", "10.77.0.1/24", "dev", "left")
        attach("10.99.0.0/24", dev="left", netns=network.name)
        with pytest.raises(AttachError, match=r"EEXIST.*\nhelp: there is such a route already"):
            attach("10.99.0.0/24", dev="left", netns=network.name)
        network.ip("route", "del", "10.99.0.0/24")
