"""Checksums that programs compute, judged by the kernel's own network stack, over a veth pair."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, TypeVar

import pytest

from pybpf import XDP, XdpContext, load, xdp
from pybpf.net import (
    ETH_P_IP,
    IPPROTO_UDP,
    csum_replace2,
    csum_replace4,
    decrement_ttl,
    ipv4,
    network,
    parse_ipv4,
    transport_checksum,
    udphdr,
)
from tests.stdlib import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.guest,
    pytest.mark.skipif(os.geteuid() != 0, reason="loading programs needs root"),
]


@xdp
def translate(pkt: XdpContext) -> XDP:
    """Port 1000 of anywhere is port 2000 here, one hop further."""
    if network(pkt) != ETH_P_IP:
        return XDP.PASS
    ip = parse_ipv4(pkt)
    if ip is None or ip.protocol != IPPROTO_UDP:
        return XDP.PASS
    udp = pkt.parse(udphdr)
    if udp is None or udp.dest != 1000:
        return XDP.PASS
    here = ipv4("10.78.0.1")
    ip.check = csum_replace4(ip.check, ip.daddr, here)
    udp.check = csum_replace4(udp.check, ip.daddr, here)
    ip.daddr = here
    udp.check = csum_replace2(udp.check, udp.dest, 2000)
    udp.dest = 2000
    return XDP.PASS if decrement_ttl(ip) else XDP.DROP


@xdp
def sign(pkt: XdpContext) -> XDP:
    """The checksum of a UDP packet that came without one."""
    if network(pkt) != ETH_P_IP:
        return XDP.PASS
    ip = parse_ipv4(pkt)
    if ip is None or ip.protocol != IPPROTO_UDP or ip.ihl != 5:
        return XDP.PASS
    start = pkt.cursor
    if start + 8 > pkt.data_end:
        return XDP.PASS
    udp = udphdr.at(start)
    if udp.check != 0xBEEF:
        return XDP.PASS
    udp.check = 0
    found = transport_checksum(pkt, ip)
    if found < 0:
        return XDP.DROP
    udp.check = 0xFFFF if found == 0 else found
    return XDP.PASS


class Wire:
    """Two ends: frames go into the peer's, and come out of a socket at ours."""

    def __init__(self, near: str, far: str) -> None:
        self.near = near
        self.far = far
        self.socket: socket.socket = _inside(near, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.socket.bind(("10.78.0.1", 2000))
        self.socket.settimeout(0.3)
        self.raw: socket.socket = _inside(far, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        _inside(far, lambda: self.raw.bind(("right", 0)))

    def send(self, packet: bytes) -> bytes | None:
        """The payload that arrives at port 2000; None where nothing does."""
        self.raw.send(frames.ethernet(ETH_P_IP, packet))
        try:
            return self.socket.recv(2048)
        except TimeoutError:
            return None


def _inside(name: str, work: Callable[[], T]) -> T:
    """Do it in a network namespace, and come back."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/var/run/netns/{name}") as there:
        assert libc.setns(there.fileno(), 0x40000000) == 0
        try:
            return work()
        finally:
            assert libc.setns(home.fileno(), 0x40000000) == 0


@pytest.fixture
def wire() -> Iterator[Wire]:
    if not shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        pytest.skip("ip is not installed")
    near, far = f"pybpf-wire-{os.getpid()}", f"pybpf-wire-{os.getpid()}-far"
    try:
        for name in (near, far):
            subprocess.run(["ip", "netns", "add", name], check=True)
        for words in (
            f"-n {near} link add left type veth peer name right netns {far}",
            f"-n {near} addr add 10.78.0.1/24 dev left",
            f"-n {near} link set left address 02:00:00:00:00:01 up",
            f"-n {far} link set right up",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        made = Wire(near, far)
        yield made
        made.raw.close()
        made.socket.close()
    finally:
        for name in (near, far):
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


SOURCE = ipv4("10.78.0.2")


def packet(payload: bytes, dest: int, port: int) -> bytes:
    segment = frames.udp(payload, dport=port, source=SOURCE, dest=dest)
    return frames.ipv4(17, segment, source=SOURCE, dest=dest)


def broken(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def test_the_stack_takes_what_was_translated(wire: Wire) -> None:
    here, elsewhere = ipv4("10.78.0.1"), ipv4("198.51.100.7")
    assert wire.send(packet(b"plain", here, 2000)) == b"plain"
    assert wire.send(broken(packet(b"plain", here, 2000))) is None, "the stack looks at checksums"
    assert wire.send(packet(b"before", elsewhere, 1000)) is None
    with load(translate) as obj, _inside(wire.near, lambda: obj.attach(translate="left")):
        for size in (0, 1, 2, 7, 100, 1201):
            payload = bytes(range(256)) * 5
            assert wire.send(packet(payload[:size], elsewhere, 1000)) == payload[:size]
        assert wire.send(broken(packet(b"after", elsewhere, 1000))) is None


def test_the_stack_takes_what_was_signed(wire: Wire) -> None:
    here = ipv4("10.78.0.1")
    with load(sign) as obj, _inside(wire.near, lambda: obj.attach(sign="left")):
        for size in (0, 1, 2, 7, 100, 1201):
            payload = bytes(range(255, -1, -1)) * 5
            made = packet(payload[:size], here, 2000)
            assert wire.send(made[:26] + b"\xbe\xef" + made[28:]) == payload[:size]
    made = packet(b"unsigned", here, 2000)
    assert wire.send(made[:26] + b"\xbe\xef" + made[28:]) is None
