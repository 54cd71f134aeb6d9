"""Whole packets parsed, options found, checksums computed: in the kernel and in the simulator, against frames.py."""

from __future__ import annotations

import os
import random
import struct
from typing import Any

import pytest

from pybpf import TC, XDP, ArrayMap, CgroupSkbContext, HashMap, Target, TcContext, XdpContext, cgroup, tc, u64, xdp
from pybpf.building import emit
from pybpf.net import (
    ETH_P_ARP,
    ETH_P_IP,
    ETH_P_IPV6,
    ETH_P_MPLS_UC,
    ETH_P_TEB,
    IPPROTO_FRAGMENT,
    IPPROTO_GRE,
    IPPROTO_ICMPV6,
    IPPROTO_IPIP,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    Flow,
    csum_fold,
    csum_replace2,
    csum_replace4,
    csum_replace16,
    decrement_ttl,
    each_option,
    ethhdr,
    find_option,
    ip_checksum,
    ip_transport,
    ipv4,
    ipv6,
    network,
    parse_arp,
    parse_flow,
    parse_geneve,
    parse_gre,
    parse_ip_flow,
    parse_ipv4,
    parse_ipv6,
    parse_mpls,
    parse_vxlan,
    skip_options,
    sum_packet,
    tcp_mss,
    tcp_sack_permitted,
    tcp_timestamp,
    tcp_window_scale,
    tcphdr,
    transport,
    transport_checksum,
    transport_checksum6,
    udphdr,
)
from tests.stdlib import frames
from tests.stdlib.machines import MACHINES, machine

flows = HashMap[Flow, u64](max_entries=100)
seen = ArrayMap[u64](16)
pytestmark = pytest.mark.guest


@xdp
def to_transport(pkt: XdpContext) -> XDP:
    protocol = transport(pkt)
    if protocol < 0:
        return XDP.PASS
    seen[0] = u64(protocol)
    seen[1] = pkt.cursor - pkt.data
    return XDP.DROP


@xdp
def who(pkt: XdpContext) -> XDP:
    flow = parse_flow(pkt)
    if flow is None:
        return XDP.PASS
    flows[flow] += 1
    return XDP.DROP


TCP, UDP = frames.tcp(b"hello"), frames.udp(b"hello")
HOP = bytes([IPPROTO_TCP, 0]) + bytes(6)
ROUTE = bytes([44, 1]) + bytes(14)
FIRST = bytes([IPPROTO_UDP, 0]) + struct.pack(">HI", 1, 9)
LATER = bytes([IPPROTO_UDP, 0]) + struct.pack(">HI", 0x0109, 9)
AH = bytes([IPPROTO_TCP, 4]) + bytes(22)
DESTINATION = bytes([51, 0]) + bytes(6)

# name: frame, protocol (-1: none), where its header starts
FRAMES: dict[str, tuple[bytes, int, int]] = {
    "tcp": (frames.ethernet(ETH_P_IP, frames.ipv4(6, TCP)), IPPROTO_TCP, 34),
    "options": (frames.ethernet(ETH_P_IP, frames.ipv4(17, UDP, options=bytes(40))), IPPROTO_UDP, 74),
    "vlan": (frames.ethernet(ETH_P_IP, frames.ipv4(6, TCP), (0x8100, 5)), IPPROTO_TCP, 38),
    "qinq": (frames.ethernet(ETH_P_IPV6, frames.ipv6(6, TCP), (0x88A8, 5), (0x8100, 6)), IPPROTO_TCP, 62),
    "three tags": (frames.ethernet(ETH_P_IP, frames.ipv4(6, TCP), (0x88A8, 5), (0x8100, 6), (0x8100, 7)), -1, 0),
    "fragment": (frames.ethernet(ETH_P_IP, frames.ipv4(17, UDP, fragment=0x00B9)), IPPROTO_FRAGMENT, 34),
    "first fragment": (frames.ethernet(ETH_P_IP, frames.ipv4(17, UDP, fragment=0x2000)), IPPROTO_UDP, 34),
    "ipv6": (frames.ethernet(ETH_P_IPV6, frames.ipv6(17, UDP)), IPPROTO_UDP, 54),
    "hop": (frames.ethernet(ETH_P_IPV6, frames.ipv6(0, HOP + TCP)), IPPROTO_TCP, 62),
    "routed": (frames.ethernet(ETH_P_IPV6, frames.ipv6(43, ROUTE + FIRST + UDP)), IPPROTO_UDP, 78),
    "later": (frames.ethernet(ETH_P_IPV6, frames.ipv6(43, ROUTE + LATER + UDP)), IPPROTO_FRAGMENT, 78),
    "signed": (frames.ethernet(ETH_P_IPV6, frames.ipv6(60, DESTINATION + AH + TCP)), IPPROTO_TCP, 86),
    "many": (frames.ethernet(ETH_P_IPV6, frames.ipv6(60, (bytes([60, 0]) + bytes(6)) * 9 + HOP + TCP)), 6, 134),
    "icmp6": (frames.ethernet(ETH_P_IPV6, frames.ipv6(58, bytes(8))), IPPROTO_ICMPV6, 54),
    "sctp": (frames.ethernet(ETH_P_IP, frames.ipv4(132, struct.pack(">HH", 9, 8) + bytes(8))), IPPROTO_SCTP, 34),
    "arp": (frames.ethernet(ETH_P_ARP, bytes(28)), -1, 0),
    "short": (frames.ethernet(ETH_P_IP, frames.ipv4(6, b"")[:19]), -1, 0),
    "cut in options": (frames.ethernet(ETH_P_IP, frames.ipv4(6, b"", options=bytes(40))[:50]), -1, 0),
    "wrong version": (frames.ethernet(ETH_P_IP, b"\x55" + frames.ipv4(6, TCP)[1:]), -1, 0),
    "small ihl": (frames.ethernet(ETH_P_IP, b"\x44" + frames.ipv4(6, TCP)[1:]), -1, 0),
    "cut in extension": (frames.ethernet(ETH_P_IPV6, frames.ipv6(0, b"\x06\xff" + bytes(100))), -1, 0),
    "nothing": (bytes(14), -1, 0),
}


@pytest.mark.parametrize("kind", MACHINES)
def test_the_way_to_the_transport_header(kind: str) -> None:
    with machine(kind, to_transport) as m:
        for name, (frame, protocol, at) in FRAMES.items():
            retval, _ = m.run(to_transport, frame)
            assert retval == (XDP.PASS if protocol < 0 else XDP.DROP), name
            if protocol >= 0:
                assert (m[seen][0], m[seen][1]) == (protocol, at), name


@pytest.mark.parametrize("kind", MACHINES)
def test_flows(kind: str) -> None:
    with machine(kind, who) as m:
        for name, (frame, protocol, _) in FRAMES.items():
            assert m.run(who, frame)[0] == (XDP.PASS if protocol < 0 else XDP.DROP), name
        found = {
            (ipv6(f.saddr), ipv6(f.daddr), f.sport, f.dport, f.protocol, f.version): n for f, n in m[flows].items()
        }
    four, six = ("::ffff:10.0.0.1", "::ffff:10.0.0.2"), ("fd00::1", "fd00::2")
    assert found == {
        (*four, 1234, 80, 6, 4): 2, (*four, 1234, 53, 17, 4): 2, (*four, 0, 0, 44, 4): 1, (*four, 9, 8, 132, 4): 1,
        (*six, 1234, 80, 6, 6): 4, (*six, 1234, 53, 17, 6): 2, (*six, 0, 0, 44, 6): 1, (*six, 0, 0, 58, 6): 1,
    }  # fmt: skip


def test_a_flow_is_a_key_without_padding() -> None:
    assert Flow.__bpf__.size == 38
    flow = Flow(saddr=bytes(16), daddr=bytes(16), sport=1, dport=2, protocol=6, version=4)
    assert bytes(flow) == bytes(32) + b"\0\1\0\2\6\4"


@xdp
def options(pkt: XdpContext) -> XDP:
    if transport(pkt) != IPPROTO_TCP:
        return XDP.PASS
    tcp = pkt.parse(tcphdr)
    if tcp is None:
        return XDP.PASS
    mss = find_option(pkt, tcp, tcp_mss)
    seen[0] = 0 if mss is None else mss.value
    scale = find_option(pkt, tcp, tcp_window_scale)
    seen[1] = 99 if scale is None else scale.shift
    stamp = find_option(pkt, tcp, tcp_timestamp)
    seen[2] = 0 if stamp is None else stamp.value
    seen[3] = 0 if find_option(pkt, tcp, tcp_sack_permitted) is None else 1

    def see(kind: int, length: int, first: int) -> None:
        seen[4] += 1
        seen[5] += u64(kind)
        seen[6] += u64(length)
        seen[7] += u64(first)

    seen[8] = u64(each_option(pkt, tcp, see))
    seen[9] = u64(pkt.data_end - pkt.cursor) if skip_options(pkt, tcp) else 0
    return XDP.DROP


SYN = bytes([2, 4, 5, 0xB4, 4, 2, 8, 10]) + struct.pack(">II", 0x11223344, 7) + bytes([1, 3, 3, 7])
OPTIONS: dict[str, tuple[bytes, list[int]]] = {
    # mss, scale, stamp, sack, then of each_option: count, kinds, lengths, first words, whole
    "linux": (SYN, [1460, 7, 0x11223344, 1, 4, 17, 19, 1460 + 0x1122, 1]),
    "none": (b"", [0, 99, 0, 0, 0, 0, 0, 0, 1]),
    "nops": (bytes([1] * 36 + [2, 4, 1, 0]), [256, 99, 0, 0, 1, 2, 4, 256, 1]),
    "end": (bytes([0, 0, 0, 0, 2, 4, 1, 0]), [0, 99, 0, 0, 0, 0, 0, 0, 1]),
    "no length": (bytes([5, 0, 2, 4, 1, 0, 1, 1]), [0, 99, 0, 0, 0, 0, 0, 0, 0]),
    "too long": (bytes([2, 4, 1, 0, 9, 41, 1, 1]), [256, 99, 0, 0, 1, 2, 4, 256, 0]),
    "short mss": (bytes([2, 3, 1, 1]), [0, 99, 0, 0, 1, 2, 3, 0, 1]),
    "cut at the end": (bytes([1, 1, 1, 2]), [0, 99, 0, 0, 0, 0, 0, 0, 0]),
}


@pytest.mark.parametrize("kind", MACHINES)
def test_tcp_options(kind: str) -> None:
    with machine(kind, options) as m:
        for name, (given, expected) in OPTIONS.items():
            m[seen].clear()
            assert (
                m.run(options, frames.ethernet(ETH_P_IP, frames.ipv4(6, frames.tcp(b"hello", options=given))))[0] == 1
            )
            assert [m[seen][i] for i in range(10)] == [*expected, 5], name
        m[seen].clear()  # the data offset says more than there is
        tcp = frames.tcp()[:12] + b"\xf0\x02" + frames.tcp()[14:]
        assert m.run(options, frames.ethernet(ETH_P_IP, frames.ipv4(6, tcp)))[0] == 1
        assert [m[seen][i] for i in range(10)] == [0, 99, 0, 0, 0, 0, 0, 0, 0, 0]


@xdp
def sums(pkt: XdpContext) -> XDP:
    kind = network(pkt)
    if kind == ETH_P_IP:
        ip = parse_ipv4(pkt)
        if ip is None:
            return XDP.PASS
        seen[0] = ip_checksum(ip)
        found = transport_checksum(pkt, ip)
        if found < 0:
            return XDP.ABORTED
        seen[1] = u64(found)
        if not decrement_ttl(ip):
            return XDP.TX
        seen[2] = ip_checksum(ip) == ip.check
        return XDP.DROP
    ip6 = parse_ipv6(pkt)
    if ip6 is None:
        return XDP.PASS
    found = transport_checksum6(pkt, ip6, ip6.nexthdr, ip6.payload_len)
    if found < 0:
        return XDP.ABORTED
    seen[1] = u64(found)
    return XDP.DROP


@pytest.mark.parametrize("kind", MACHINES)
def test_checksums_of_any_length(kind: str) -> None:
    draw = random.Random(1)
    source, dest = draw.randbytes(16), draw.randbytes(16)
    with machine(kind, sums) as m:
        for size in (*range(70), 255, 512, 1000, 1401):
            payload = draw.randbytes(size)
            packet = frames.ipv4(6, frames.tcp(payload))
            frame = frames.ethernet(ETH_P_IP, packet)
            assert m.run(sums, frame)[0] == XDP.DROP
            assert [m[seen][i] for i in range(3)] == [int.from_bytes(packet[10:12], "big"), 0, 1], size
            wrong = frame[:-1] + bytes([frame[-1] ^ 1])
            assert m.run(sums, wrong)[0] == XDP.DROP and m[seen][1] != 0
            long = frames.ipv6(17, frames.udp(payload, source=source, dest=dest), source=source, dest=dest)
            assert m.run(sums, frames.ethernet(ETH_P_IPV6, long))[0] == XDP.DROP
            assert m[seen][1] == 0, size
            assert m.run(sums, frame[:-1])[0] == XDP.ABORTED  # shorter than the header says
        assert m.run(sums, frames.ethernet(ETH_P_IP, frames.ipv4(6, TCP, ttl=1)))[0] == XDP.TX


@xdp
def rewrite(pkt: XdpContext) -> XDP:
    if network(pkt) != ETH_P_IP:
        return XDP.PASS
    ip = parse_ipv4(pkt)
    if ip is None:
        return XDP.PASS
    tcp = pkt.parse(tcphdr)
    if tcp is None:
        return XDP.PASS
    to = ipv4("192.168.255.7")
    ip.check = csum_replace4(ip.check, ip.daddr, to)
    tcp.check = csum_replace4(tcp.check, ip.daddr, to)
    ip.daddr = to
    tcp.check = csum_replace2(tcp.check, tcp.dest, 8080)
    tcp.dest = 8080
    return XDP.TX


@pytest.mark.parametrize("kind", MACHINES)
def test_checksums_follow_what_changes(kind: str) -> None:
    draw = random.Random(2)
    with machine(kind, rewrite) as m:
        for _ in range(200):
            dest = draw.choice([0, 0xFFFFFFFF, 0xFFFF0000, 0xC0A8FF07, draw.getrandbits(32)])
            port, payload = draw.choice([0, 0xFFFF, 8080, draw.getrandbits(16)]), draw.randbytes(draw.randrange(20))
            before = frames.ethernet(ETH_P_IP, frames.ipv4(6, frames.tcp(payload, dest=dest, dport=port), dest=dest))
            new = 0xC0A8FF07
            after = frames.ethernet(ETH_P_IP, frames.ipv4(6, frames.tcp(payload, dest=new, dport=8080), dest=new))
            assert m.run(rewrite, before) == (XDP.TX, after)


def test_sums_are_plain_functions_too() -> None:
    """User space may compute them as well: the same functions, run by Python."""
    draw = random.Random(3)
    for _ in range(300):
        data = draw.randbytes(24)
        words = struct.unpack(">12H", data)
        assert csum_fold(sum(words)) == frames.checksum(data)
        new = draw.randbytes(16)
        assert csum_replace16(frames.checksum(data), data[4:20], new) in (
            frames.checksum(data[:4] + new + data[20:]),
            0xFFFF if frames.checksum(data[:4] + new + data[20:]) == 0 else -1,
        )


@xdp
def inside(pkt: XdpContext) -> XDP:
    kind = network(pkt)
    if kind == ETH_P_MPLS_UC:
        label = parse_mpls(pkt)
        if label is None:
            return XDP.PASS
        seen[0], seen[1], seen[2] = label.label(), label.traffic_class(), label.ttl()
        flow = parse_ip_flow(pkt)
    elif kind == ETH_P_ARP:
        arp = parse_arp(pkt)
        if arp is None:
            return XDP.PASS
        seen[0], seen[1] = arp.ar_op, arp.ar_tip
        return XDP.TX
    else:
        protocol = ip_transport(pkt)
        if protocol == IPPROTO_GRE:
            gre = parse_gre(pkt)
            if gre is None:
                return XDP.PASS
            seen[0], seen[1] = gre.protocol, gre.header_len()
            flow = parse_flow(pkt) if gre.protocol == ETH_P_TEB else parse_ip_flow(pkt)
        elif protocol == IPPROTO_UDP:
            udp = pkt.parse(udphdr)
            if udp is None:
                return XDP.PASS
            if udp.dest == 4789:
                vxlan = parse_vxlan(pkt)
                if vxlan is None:
                    return XDP.PASS
                seen[0] = vxlan.vni()
            else:
                geneve = parse_geneve(pkt)
                if geneve is None:
                    return XDP.PASS
                seen[0], seen[1] = geneve.vni(), geneve.proto_type
            flow = parse_flow(pkt)
        elif protocol == IPPROTO_IPIP:
            flow = parse_ip_flow(pkt)
        else:
            return XDP.PASS
    if flow is None:
        return XDP.ABORTED
    flows[flow] += 1
    return XDP.DROP


INNER = frames.ipv4(6, TCP, source=0x01020304)
FRAME = frames.ethernet(ETH_P_IP, INNER)
TUNNELS: dict[str, tuple[bytes, int, list[int]]] = {
    "gre": (frames.ipv4(47, struct.pack(">HH", 0, ETH_P_IP) + INNER), 1, [ETH_P_IP, 4]),
    "gre with all": (frames.ipv4(47, struct.pack(">HH", 0xB000, ETH_P_IP) + bytes(12) + INNER), 1, [ETH_P_IP, 16]),
    "gre with a key": (frames.ipv4(47, struct.pack(">HHI", 0x2000, ETH_P_TEB, 5) + FRAME), 1, [ETH_P_TEB, 8]),
    "pptp": (frames.ipv4(47, struct.pack(">HH", 0x2001, 0x880B) + INNER), 2, []),
    "vxlan": (frames.ipv4(17, frames.udp(struct.pack(">II", 0x08000000, 0x123456 << 8) + FRAME, dport=4789)), 1,
              [0x123456]),
    "vxlan without": (frames.ipv4(17, frames.udp(bytes(8) + FRAME, dport=4789)), 2, []),
    "geneve": (frames.ipv4(17, frames.udp(bytes([2, 0]) + struct.pack(">HI", ETH_P_TEB, 0x42 << 8) + bytes(8) + FRAME,
                                          dport=6081)), 1, [0x42, ETH_P_TEB]),
    "ip in ip": (frames.ipv4(4, INNER), 1, []),
    "cut": (frames.ipv4(4, INNER[:22]), 0, []),
}  # fmt: skip


@pytest.mark.parametrize("kind", MACHINES)
def test_tunnels(kind: str) -> None:
    with machine(kind, inside) as m:

        def run(frame: bytes) -> tuple[int, list[int], list[Any]]:
            m[flows].clear()
            m[seen].clear()
            retval, _ = m.run(inside, frame)
            return retval, [m[seen][i] for i in range(3)], list(m[flows].items())

        for name, (packet, answer, numbers) in TUNNELS.items():
            retval, found, entries = run(frames.ethernet(ETH_P_IP, packet))
            assert (retval, found[: len(numbers)]) == (answer, numbers), name
            if answer == 1:
                ((flow, count),) = entries
                assert (ipv6(flow.saddr), flow.dport, count) == ("::ffff:1.2.3.4", 80, 1), name
        stack = struct.pack(">II", 16 << 12 | 5 << 9 | 64, 1048575 << 12 | 3 << 9 | 0x100 | 33)
        retval, found, entries = run(frames.ethernet(ETH_P_MPLS_UC, stack + INNER))
        assert (retval, found, len(entries)) == (1, [1048575, 3, 33], 1)
        arp = struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + bytes(6) + b"\x0a\0\0\1" + bytes(6) + b"\x0a\0\0\2"
        assert run(frames.ethernet(ETH_P_ARP, arp))[:2] == (XDP.TX, [1, 0x0A000002, 0])
        assert run(frames.ethernet(ETH_P_ARP, arp[:2] + b"\x86\xdd" + arp[4:]))[0] == XDP.PASS
        assert run(frames.ethernet(ETH_P_ARP, arp[:20]))[0] == XDP.PASS


@xdp
def whole(pkt: XdpContext) -> XDP:
    if pkt.parse(ethhdr) is None:
        return XDP.PASS
    total = sum_packet(pkt, 1000)
    seen[0] = 0 if total < 0 else u64(total)
    return XDP.DROP if total >= 0 else XDP.PASS


@pytest.mark.parametrize("kind", MACHINES)
def test_sums_of_a_part(kind: str) -> None:
    data = random.Random(4).randbytes(1200)
    with machine(kind, whole) as m:
        assert m.run(whole, bytes(14) + data)[0] == XDP.DROP
        assert csum_fold(m[seen][0]) == frames.checksum(data[:1000])
        assert m.run(whole, bytes(14) + data[:999])[0] == XDP.PASS


@tc.ingress
def of_traffic_control(skb: TcContext) -> TC:
    flow = parse_flow(skb)
    if flow is None:
        return TC.OK
    flows[flow] += 1
    return TC.SHOT


@cgroup.skb.ingress
def of_a_cgroup(skb: CgroupSkbContext) -> bool:
    """Its packets begin with the IP header."""
    flow = parse_ip_flow(skb)
    if flow is not None:
        flows[flow] += 1
    return flow is None


@pytest.mark.parametrize("kind", MACHINES)
def test_packets_of_traffic_control(kind: str) -> None:
    with machine(kind, of_traffic_control) as m:
        for name in ("tcp", "options", "ipv6", "routed", "later"):
            assert m.run(of_traffic_control, FRAMES[name][0])[0] == TC.SHOT, name
        assert m.run(of_traffic_control, FRAMES["arp"][0])[0] == TC.OK
        assert len(m[flows]) == 4


@pytest.mark.parametrize("kind", MACHINES)
def test_packets_of_a_cgroup(kind: str) -> None:
    if kind != "simulator" and os.uname().release.startswith(("6.1.", "6.12.")):
        pytest.skip("this kernel gives programs of cgroups no packet in a test run")
    with machine(kind, of_a_cgroup) as m:
        for name in ("tcp", "ipv6"):
            frame = FRAMES[name][0]
            assert m.run(of_a_cgroup, frame[14:] if kind == "simulator" else frame)[0] == 0, name
        assert {ipv6(flow.saddr): flow.dport for flow in m[flows]} == {"::ffff:10.0.0.1": 80, "fd00::1": 53}


def test_long_walks_are_bounded_by_the_kernel() -> None:
    """The verifier loses an address 65535 bytes into the packet: it is not to follow each iteration up to there."""
    assert "may_goto" in emit("asm", sums, target=Target(kernel=(6, 12)))
    assert "bpf_loop" in emit("asm", sums, target=Target(kernel=(6, 1)))
    assert "may_goto" not in emit("asm", to_transport_of_v4, target=Target(kernel=(6, 12)))


@xdp
def to_transport_of_v4(pkt: XdpContext) -> XDP:
    if network(pkt) != ETH_P_IP:
        return XDP.PASS
    ip = parse_ipv4(pkt)
    return XDP.PASS if ip is None else XDP.DROP
