"""A network namespace of a test's own, with a pair of virtual interfaces: what `left` sends, `right` receives.

    def test_it(network: Network) -> None:
        with load(count) as obj, obj.programs["count"].attach("right", netns=network.name):
            network.send(3)
            assert network.receive("right", ...) ...

Sockets are opened by a thread that enters the namespace; they stay in it, and are used from any thread.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from pybpf.runtime.links.namespaces import in_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["ETHERTYPE", "Network", "frame", "ipv4_udp", "make_network"]

ETHERTYPE = 0x88B5  # IEEE 802: local experimental, which nobody else sends


def frame(payload: bytes = b"", *, ethertype: int = ETHERTYPE, to: bytes = b"\xff" * 6, size: int = 64) -> bytes:
    """An Ethernet frame, filled up with zeros."""
    return (to + b"\x02\0\0\0\0\x01" + struct.pack(">H", ethertype) + payload).ljust(size, b"\0")


def ipv4_udp(payload: bytes, *, source: str = "10.77.0.1", to: str = "10.77.0.2", port: int = 4242) -> bytes:
    """An Ethernet frame with an IPv4 packet with a UDP datagram."""
    udp = struct.pack(">HHHH", 5555, port, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                       socket.inet_aton(source), socket.inet_aton(to))  # fmt: skip
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]
    return frame(head + udp, ethertype=0x0800)


class Network:
    """The namespace; `name` is that of `ip netns`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = f"/run/netns/{name}"
        self.sockets: list[socket.socket] = []

    def ip(self, *arguments: str) -> str:
        """What `ip` says, run in the namespace."""
        return self.run("ip", *arguments)

    def run(self, *command: str) -> str:
        """What a command says, run in the namespace."""
        command = ("ip", "netns", "exec", self.name, *command)
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert not done.returncode, f"{command}: {done.stderr}"
        return done.stdout

    def inside(self, work: Callable[[], T]) -> T:
        """Run a function in the namespace."""
        return in_network(self.name, work)

    def socket(self, *kind: int) -> socket.socket:
        """A socket in the namespace, which waits 5 seconds at most; closed at the test's end."""
        made = self.inside(lambda: socket.socket(*kind))
        made.settimeout(5)
        self.sockets.append(made)
        return made

    def index(self, name: str) -> int:
        """The number of an interface."""
        return self.inside(lambda: socket.if_nametoindex(name))

    def packets(self, interface: str, *, ethertype: int = ETHERTYPE) -> socket.socket:
        """A packet socket that sees the frames of one type at an interface."""
        made = self.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        made.bind((interface, ethertype))
        return made

    def send(self, count: int = 1, data: bytes = b"", *, out: str = "left") -> None:
        """Send frames out of an interface, so that they arrive at the other one."""
        sender = self.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind((out, 0))
        for _ in range(count):
            sender.send(data or frame())
        sender.close()

    def add_pair(self, first: str, second: str) -> None:
        """Another pair of virtual interfaces, both up."""
        self.ip("link", "add", first, "type", "veth", "peer", "name", second)
        for link in (first, second):
            self.ip("link", "set", link, "up")

    def address(self) -> None:
        """Give both interfaces IPv4 addresses of one network: left 10.77.0.1, right (in a network of its own) none."""
        self.ip("addr", "add", "10.77.0.1/24", "dev", "left")
        self.ip("link", "set", "lo", "up")

    def close(self) -> None:
        for made in self.sockets:
            made.close()


def make_network() -> Iterator[Network]:
    """The namespace with the pair `left` and `right`, both up, and nothing that sends by itself."""
    if shutil.which("ip") is None:
        pytest.skip("no `ip` command (iproute2)")
    os.makedirs("/run/netns", exist_ok=True)
    name = f"pybpf-hooks-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    network = Network(name)
    try:
        network.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6 || true")
        network.add_pair("left", "right")
        yield network
    finally:
        network.close()
        subprocess.run(["ip", "netns", "del", name], check=True)
