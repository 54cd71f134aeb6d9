"""The standard library's own functions, compiled, loaded and run in the kernel, and in the simulator beside it."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pybpf import (
    XDP,
    ArrayMap,
    Bytes,
    L,
    Program,
    Struct,
    Text,
    XdpContext,
    comm,
    cpu,
    gid,
    kernel_str,
    ktime,
    load,
    pid,
    raw_tp,
    tid,
    u16,
    u32,
    u64,
    uid,
    user_bytes,
    user_str,
    var,
    xdp,
)
from pybpf.net import (
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_TCP,
    TCP_ACK,
    TCP_SYN,
    ethhdr,
    icmphdr,
    iphdr,
    ipv4,
    ipv6,
    ipv6hdr,
    tcphdr,
    udphdr,
    vlan_hdr,
)

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="loading programs needs root"),
]


class Who(Struct):
    pid: u32
    tid: u32
    uid: u32
    gid: u32
    cpu: u32
    time: u64
    comm: Text[L[16]]
    text: Text[L[8]]
    raw: Bytes[L[4]]
    missing: Text[L[4]]


address = var(u64, 0)
who = ArrayMap[Who](1)


@raw_tp("sys_enter")
def ask() -> None:
    who[0] = Who(
        pid=pid(),
        tid=tid(),
        uid=uid(),
        gid=gid(),
        cpu=cpu(),
        time=ktime(),
        comm=comm(),
        text=user_str(address),
        raw=user_bytes(address),
        missing=kernel_str(0),
    )


def test_everyday_functions_tell_about_the_caller() -> None:
    buffer = ctypes.create_string_buffer(b"hello, world")
    answers: dict[str, Any] = {}

    def run() -> None:
        with load(ask, address=ctypes.addressof(buffer)) as obj:
            answers["before"] = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            obj.programs["ask"].test()
            answers["after"] = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            answers["who"] = obj[who][0]
            answers["tid"] = threading.get_native_id()
            answers["comm"] = Path(f"/proc/self/task/{answers['tid']}/comm").read_text().strip()

    thread = threading.Thread(target=run)  # so that the thread's id is not the process's
    thread.start()
    thread.join()
    found: Who = answers["who"]
    assert (found.pid, found.tid) == (os.getpid(), answers["tid"])
    assert found.pid != found.tid
    assert (found.uid, found.gid) == (os.getuid(), os.getgid())
    assert found.cpu in os.sched_getaffinity(0)
    assert answers["before"] <= found.time <= answers["after"]
    assert found.comm == answers["comm"]
    assert (found.text, found.raw, found.missing) == ("hello, ", b"hell", "")


class Seen(Struct):
    layers: u32
    proto: u16
    version: u32
    length: u32
    first: u32
    second: u32
    more: u32


seen = ArrayMap[Seen](1)


@xdp
def read(pkt: XdpContext) -> XDP:
    entry = seen.get(0)
    if entry is None:
        return XDP.ABORTED
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.DROP
    entry.layers = 1
    proto = eth.h_proto
    if proto == 0x8100:
        tag = pkt.parse(vlan_hdr)
        if tag is None:
            return XDP.DROP
        entry.more = tag.vlan_id() + tag.priority() * 10_000
        proto = tag.h_vlan_encapsulated_proto
    entry.proto = proto
    if proto == ETH_P_IPV6:
        ip6 = pkt.parse(ipv6hdr)
        if ip6 is None:
            return XDP.DROP
        entry.layers = 2
        entry.version = ip6.version
        entry.length = ip6.payload_len
        entry.first = ip6.flow_label()
        entry.second = ip6.daddr[15]
        if ip6.nexthdr == 17:
            udp = pkt.parse(udphdr)
            if udp is None:
                return XDP.DROP
            entry.layers = 3
            entry.more = udp.dest
        return XDP.PASS
    if proto != ETH_P_IP:
        return XDP.PASS
    ip = pkt.parse(iphdr)
    if ip is None:
        return XDP.DROP
    entry.layers = 2
    entry.version = ip.version
    entry.length = ip.header_len()
    entry.first = ip.saddr
    if not pkt.skip(ip.header_len() - 20):
        return XDP.DROP
    if ip.protocol == IPPROTO_TCP:
        tcp = pkt.parse(tcphdr)
        if tcp is None:
            return XDP.DROP
        entry.layers = 3
        entry.second = tcp.dest
        entry.more = tcp.flags() * 100 + tcp.header_len()
    elif ip.protocol == 1:
        icmp = pkt.parse(icmphdr)
        if icmp is None:
            return XDP.DROP
        entry.layers = 3
        entry.second = icmp.un.echo.id
        entry.more = icmp.un.echo.sequence
    return XDP.PASS


def ethernet(proto: int, rest: bytes, tag: int | None = None) -> bytes:
    tagged = b"" if tag is None else struct.pack("!HH", 0x8100, tag)
    return bytes(12) + tagged + struct.pack("!H", proto) + rest


def ip4(protocol: int, rest: bytes, options: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBHII", 0x45 + options, 0, 0, 0, 0, 64, protocol, 0, ipv4("10.1.2.3"), 1)
    return ethernet(ETH_P_IP, head + bytes(max(4 * options, 0)) + rest)


TCP = struct.pack("!HHIIHHHH", 1000, 443, 0, 0, 0x5000 | TCP_SYN | TCP_ACK, 0, 0, 0)
UDP = struct.pack("!HHHH", 9, 53, 8, 0)
IP6 = struct.pack("!IHBB", 0x60012345, 8, 17, 1) + ipv6("::1") + ipv6("fe80::7")
PACKETS: dict[str, tuple[bytes, XDP, tuple[int, ...]]] = {
    "tcp": (ip4(6, TCP), XDP.PASS, (3, ETH_P_IP, 4, 20, ipv4("10.1.2.3"), 443, 0x12 * 100 + 20)),
    "options": (ip4(6, TCP, options=3), XDP.PASS, (3, ETH_P_IP, 4, 32, ipv4("10.1.2.3"), 443, 0x12 * 100 + 20)),
    "icmp": (ip4(1, bytes([8, 0, 0, 0, 1, 2, 3, 4])), XDP.PASS, (3, ETH_P_IP, 4, 20, ipv4("10.1.2.3"), 0x102, 0x304)),
    "udp6": (ethernet(ETH_P_IPV6, IP6 + UDP), XDP.PASS, (3, ETH_P_IPV6, 6, 8, 0x12345, 7, 53)),
    "vlan": (ethernet(0x806, bytes(28), tag=0x6000 | 42), XDP.PASS, (1, 0x806, 0, 0, 0, 0, 30_042)),
    "short ethernet": (ethernet(ETH_P_IP, b""), XDP.DROP, (1, ETH_P_IP, 0, 0, 0, 0, 0)),
    "short tcp": (ip4(6, TCP[:-1]), XDP.DROP, (2, ETH_P_IP, 4, 20, ipv4("10.1.2.3"), 0, 0)),
    "short options": (ip4(6, b"", options=3)[:-1], XDP.DROP, (2, ETH_P_IP, 4, 32, ipv4("10.1.2.3"), 0, 0)),
    "negative options": (ip4(6, TCP, options=-1), XDP.DROP, (2, ETH_P_IP, 4, 16, ipv4("10.1.2.3"), 0, 0)),
}


def values(entry: Seen) -> tuple[int, ...]:
    return (entry.layers, entry.proto, entry.version, entry.length, entry.first, entry.second, entry.more)


@pytest.mark.parametrize("name", PACKETS)
def test_headers_are_parsed(name: str) -> None:
    packet, verdict, expected = PACKETS[name]
    with load(read) as obj:
        result = obj.programs["read"].test(packet)
        assert (XDP(result.retval), values(obj[seen][0])) == (verdict, expected)


@pytest.mark.parametrize("name", PACKETS)
def test_headers_are_parsed_the_same_in_plain_python(name: str) -> None:
    packet, verdict, expected = PACKETS[name]
    result = read.simulate(packet)
    assert (XDP(result.retval), values(result[seen][0])) == (verdict, expected)


def good_programs() -> list[Program[..., Any]]:
    """The programs that checkers are shown as good ones."""
    file = Path(__file__).parents[1] / "typing" / "good" / "surface.py"
    spec = importlib.util.spec_from_file_location("surface_good", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["surface_good"] = module
    spec.loader.exec_module(module)
    made: list[Program[..., Any]] = module.programs
    return made


def test_what_type_checks_verifies() -> None:
    for program in good_programs():
        with load(program):
            pass
