"""Programs of a cgroup, and what a process inside it then meets."""

from __future__ import annotations

import errno
import os
import socket
import struct
from pathlib import Path

import pytest

from pybpf import (
    AttachError,
    CgroupEgress,
    CgroupSkbContext,
    DeviceContext,
    GetsockoptContext,
    HashMap,
    SetsockoptContext,
    SockContext,
    Struct,
    SysctlContext,
    cgroup,
    i32,
    load,
    u32,
    u64,
)
from pybpf.net import iphdr, ipv4
from tests.hooks.groups import HERE, attached, failing, fired, inside, listener, own_cgroup

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

seen = HashMap[u32, u64](max_entries=64)


# --- sockets come and go


@cgroup.sock_create
def made(ctx: SockContext) -> bool:
    ctx.mark = 42
    ctx.priority = 3
    seen[ctx.protocol] += 1
    return ctx.type != socket.SOCK_RAW


@cgroup.sock
def made_too(ctx: SockContext) -> bool:
    seen[0] += 1
    return ctx.family != socket.AF_INET6


@cgroup.sock_release
def closed(ctx: SockContext) -> bool:
    seen[ctx.type] += ctx.mark
    return True


def test_sock_create_and_release() -> None:
    def make() -> tuple[int, int]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            return (
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_MARK),
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY),
            )

    with attached("cgroup/sock_create", made) as (obj, path):
        assert inside(path, make) == (42, 3)
        assert obj[seen][socket.IPPROTO_UDP] == 1
        with pytest.raises(PermissionError):
            inside(path, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        fired("cgroup/sock_create")
    with attached("cgroup/sock", made_too) as (obj, path):
        inside(path, make)
        assert obj[seen][0] == 1
        with pytest.raises(PermissionError):
            inside(path, lambda: socket.socket(socket.AF_INET6))
        fired("cgroup/sock")

    def mark() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 21)

    with attached("cgroup/sock_release", closed) as (obj, path):
        inside(path, mark)
        assert obj[seen][socket.SOCK_DGRAM] == 21
        fired("cgroup/sock_release")


# --- packets


@cgroup.skb.ingress
def incoming(pkt: CgroupSkbContext) -> bool:
    ip = pkt.parse(iphdr)
    if ip is None:
        return True
    seen[ip.protocol] += pkt.len
    seen[256] = pkt.local_port
    return ip.daddr != ipv4("127.0.0.99")


@cgroup.skb.egress
def outgoing(pkt: CgroupSkbContext) -> CgroupEgress:
    if pkt.remote_port == 4444:
        return CgroupEgress.DROP
    seen[0] += pkt.remote_ip4
    seen[1] += pkt.remote_port
    return CgroupEgress.PASS


@cgroup.skb
def either(pkt: CgroupSkbContext) -> bool:
    seen[0] += pkt.len
    return True


def datagram(port: int = 4242, address: str = HERE) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        return sock.send(b"hello")


def test_ingress() -> None:
    def receive() -> tuple[bytes, int]:
        with listener(kind=socket.SOCK_DGRAM) as server:
            port = server.getsockname()[1]
            datagram(port)
            return server.recv(64), port

    def dropped() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.99", 0))
            server.settimeout(0.3)
            datagram(server.getsockname()[1], "127.0.0.99")
            try:
                server.recv(64)
            except TimeoutError:
                return
            raise AssertionError("the datagram came")

    with attached("cgroup_skb/ingress", incoming) as (obj, path):
        data, port = inside(path, receive)
        assert data == b"hello"
        assert (obj[seen][socket.IPPROTO_UDP], obj[seen][256]) == (20 + 8 + 5, port)
        inside(path, dropped)
        fired("cgroup_skb/ingress")


def test_egress() -> None:
    with attached("cgroup_skb/egress", outgoing) as (obj, path):
        assert inside(path, datagram) == 5
        assert dict(obj[seen]) == {0: ipv4(HERE), 1: 4242}
        with pytest.raises(PermissionError):
            inside(path, lambda: datagram(4444))
        fired("cgroup_skb/egress")


def test_packets_of_a_direction_said_later() -> None:
    with attached("cgroup/skb", either, direction="egress") as (obj, path):
        inside(path, datagram)
        assert obj[seen][0] == 20 + 8 + 5
        fired("cgroup/skb")
    with own_cgroup() as path, load(either) as obj:
        for direction in ({}, {"direction": "sideways"}):
            with pytest.raises(AttachError, match=r"come in, or go out\?[\s\S]*direction=\"ingress\""):
                obj.attach(either={"target": path, **direction})


# --- sysctl


@cgroup.sysctl
def another_port_range(ctx: SysctlContext) -> bool:
    name = ctx.name()
    if name != "net/ipv4/ip_local_port_range":
        return name != "net/ipv4/tcp_rmem"
    seen[0] += ctx.write
    if ctx.write:
        if ctx.new_value() == "40000 41000":
            ctx.set_new_value("42000 43000")
    elif ctx.current_value().startswith("4"):
        seen[1] += 1
    return True


def test_sysctl() -> None:
    place = Path("/proc/sys/net/ipv4/ip_local_port_range")

    def change() -> list[str]:
        os.unshare(os.CLONE_NEWNET) if hasattr(os, "unshare") else _unshare_network()
        place.write_text("40000 41000")
        return place.read_text().split()

    with attached("cgroup/sysctl", another_port_range) as (obj, path):
        assert inside(path, change) == ["42000", "43000"]
        assert dict(obj[seen]) == {0: 1, 1: 2}  # the second read finds the end of the file
        with pytest.raises(PermissionError):
            inside(path, Path("/proc/sys/net/ipv4/tcp_rmem").read_text)
        fired("cgroup/sysctl")


def _unshare_network() -> None:
    import ctypes

    assert ctypes.CDLL(None).unshare(0x40000000) == 0


# --- socket options


class Number(Struct):
    value: i32


@cgroup.getsockopt
def another_answer(ctx: GetsockoptContext) -> bool:
    if ctx.level == socket.SOL_SOCKET and ctx.optname == socket.SO_SNDBUF:
        number = ctx.value(Number)
        if number is not None:
            seen[0] += number.value
            number.value = 4711
            ctx.retval = 0
    return ctx.optname != socket.SO_RCVBUF


@cgroup.setsockopt
def another_question(ctx: SetsockoptContext) -> bool:
    if ctx.level == socket.SOL_SOCKET and ctx.optname == socket.SO_PRIORITY:
        number = ctx.value(Number)
        if number is None or number.value > 6:
            return False
        number.value = number.value + 1
        seen[0] += ctx.optlen
    if ctx.level == 0x1234:
        ctx.optlen = -1
    return True


def test_getsockopt() -> None:
    def option(name: int) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            return sock.getsockopt(socket.SOL_SOCKET, name)

    with attached("cgroup/getsockopt", another_answer) as (obj, path):
        assert inside(path, lambda: option(socket.SO_SNDBUF)) == 4711
        assert obj[seen][0] == option(socket.SO_SNDBUF)
        with pytest.raises(PermissionError):
            inside(path, lambda: option(socket.SO_RCVBUF))
        fired("cgroup/getsockopt")


def test_setsockopt() -> None:
    def set_and_read(value: int) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, value)
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY)

    def unknown() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(0x1234, 1, struct.pack("<i", 1))

    with attached("cgroup/setsockopt", another_question) as (obj, path):
        assert inside(path, lambda: set_and_read(2)) == 3
        assert obj[seen][0] == 4
        with pytest.raises(PermissionError):
            inside(path, lambda: set_and_read(9))
        inside(path, unknown)  # the program dealt with it
        assert failing(unknown) == errno.ENOPROTOOPT  # not in the cgroup
        fired("cgroup/setsockopt")


# --- devices


@cgroup.dev
def no_urandom(ctx: DeviceContext) -> bool:
    if ctx.type == 2 and ctx.major == 1 and ctx.minor == 9:
        seen[0] += ctx.access
        return False
    return True


def test_dev() -> None:
    with attached("cgroup/dev", no_urandom) as (obj, path):
        with pytest.raises(PermissionError):
            inside(path, lambda: os.close(os.open("/dev/urandom", os.O_RDONLY)))
        inside(path, lambda: os.close(os.open("/dev/zero", os.O_RDONLY)))
        assert obj[seen][0] == 2  # read
        fired("cgroup/dev")


# --- attaching


@cgroup.dev
def first_of_all(ctx: DeviceContext) -> bool:
    seen[1] = seen.get(0, 0)
    return True


def test_targets(tmp_path: Path) -> None:
    with load(no_urandom) as obj:
        with pytest.raises(AttachError, match="to which cgroup"):
            obj.attach()
        with pytest.raises(AttachError, match="no cgroup of version 2; those are directories below /sys/fs/cgroup"):
            obj.attach(no_urandom=str(tmp_path))
        with pytest.raises(AttachError, match="No such file or directory\nhelp: make it first: mkdir"):
            obj.attach(no_urandom=f"{tmp_path}/nothing")
        with own_cgroup() as path:
            with obj.attach(no_urandom=os.path.basename(path)):  # below the mount of cgroup2
                assert failing(lambda: inside(path, lambda: os.open("/dev/urandom", os.O_RDONLY))) == errno.EPERM
            assert inside(path, lambda: os.close(os.open("/dev/urandom", os.O_RDONLY))) is None
            directory = os.open(path, os.O_RDONLY)
            with obj.attach(no_urandom=directory):
                os.close(directory)
                assert failing(lambda: inside(path, lambda: os.open("/dev/urandom", os.O_RDONLY))) == errno.EPERM


def test_order() -> None:
    """A program that refuses does not keep those behind it from running: the order is what they see of the others."""
    with own_cgroup() as path, load(no_urandom, first_of_all) as obj:
        link = obj.programs["no_urandom"].attach(path)
        with pytest.raises(AttachError, match="`before` and `after` take a link"):
            obj.programs["first_of_all"].attach(path, before="no_urandom")
        try:
            obj.programs["first_of_all"].attach(path, before=link).detach()
        except AttachError as error:
            assert "this kernel has no order (Linux 6.17)" in str(error)
            pytest.skip("this kernel has no order of programs at a cgroup (Linux 6.17)")
        for option, expected in (("before", 0), ("after", 2)):
            with obj.programs["first_of_all"].attach(path, **{option: link}):
                obj[seen].clear()
                failing(lambda: inside(path, lambda: os.open("/dev/urandom", os.O_RDONLY)))
                assert obj[seen][1] == expected
