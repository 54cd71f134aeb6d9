"""Programs of a cgroup, and what a process inside it then meets."""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import (
    Array,
    AttachError,
    CgroupBind,
    CgroupEgress,
    CgroupSkbContext,
    DeviceContext,
    GetsockoptContext,
    HashMap,
    L,
    PostBind4Context,
    PostBind6Context,
    SendMsg4Context,
    SendMsg6Context,
    SetsockoptContext,
    SockAddr4Context,
    SockAddr6Context,
    SockAddrUnixContext,
    SockContext,
    Struct,
    SysctlContext,
    be32,
    cgroup,
    helpers,
    i32,
    load,
    u32,
    u64,
)
from pybpf.net import iphdr, ipv4
from tests.hooks.groups import inside, own_cgroup
from tests.proofs import prove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.runtime.object import LoadedObject

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

seen = HashMap[u32, u64](max_entries=64)
HERE = "127.0.0.1"


@contextmanager
def attached(section: str, program: Any, **options: Any) -> Iterator[tuple[LoadedObject, str]]:
    """The program at a cgroup of its own. That it ran is what `fired` says afterwards."""
    with own_cgroup() as path, load(program) as obj:
        prove("hook", section, "loaded")
        with obj.attach(**{program.name: {"target": path, **options}}):
            prove("hook", section, "attached")
            yield obj, path


def fired(section: str) -> None:
    prove("hook", section, "fired")


@contextmanager
def listener(family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> Iterator[socket.socket]:
    """A socket that is bound to a free port of this machine, outside the cgroup."""
    with socket.socket(family, kind) as sock:
        sock.bind((HERE if family == socket.AF_INET else "::1", 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        sock.settimeout(5)
        yield sock


def failing(work: Callable[[], Any]) -> int:
    """The error number that a call ends with; 0 where it does not fail."""
    try:
        work()
    except OSError as error:
        return error.errno or 0
    return 0


# --- connect


@cgroup.connect4
def to_the_listener(ctx: SockAddr4Context) -> bool:
    if ctx.user_ip4 != ipv4("192.0.2.1") or ctx.user_port != 4242:
        return ctx.user_port != 4243
    seen[0] += 1
    seen[1] += ctx.type
    seen[2] += ctx.protocol
    seen[3] += ctx.sk.family + ctx.family + ctx.user_family
    port = seen.get(9)
    if port is None:
        return False
    ctx.user_ip4 = ipv4("127.0.0.1")
    ctx.user_port = port
    return True


def test_connect4() -> None:
    with listener() as server, attached("cgroup/connect4", to_the_listener) as (obj, path):
        obj[seen][9] = server.getsockname()[1]

        def connect() -> tuple[str, int]:
            with socket.create_connection(("192.0.2.1", 4242), timeout=5) as sock:
                name: tuple[str, int] = sock.getpeername()
                return name

        assert inside(path, connect) == server.getsockname()
        assert [obj[seen][at] for at in range(4)] == [1, socket.SOCK_STREAM, socket.IPPROTO_TCP, 3 * socket.AF_INET]
        with pytest.raises(PermissionError):
            inside(path, lambda: socket.create_connection((HERE, 4243), timeout=5))
        assert failing(lambda: socket.create_connection((HERE, 4243), timeout=5)) == errno.ECONNREFUSED  # not in it
        fired("cgroup/connect4")


@cgroup.connect6
def to_the_listener6(ctx: SockAddr6Context) -> bool:
    port = seen.get(9)
    if ctx.user_ip6[0] == 0x20010DB8 and ctx.user_ip6[3] == 0x42 and port is not None:
        ctx.user_ip6[0] = 0
        ctx.user_ip6[1] = 0
        ctx.user_ip6[2] = 0
        ctx.user_ip6[3] = 1
        ctx.user_port = port
        seen[0] += 1
    return True


def test_connect6() -> None:
    with listener(socket.AF_INET6) as server, attached("cgroup/connect6", to_the_listener6) as (obj, path):
        obj[seen][9] = server.getsockname()[1]

        def connect() -> Any:
            with socket.socket(socket.AF_INET6) as sock:
                sock.settimeout(5)
                sock.connect(("2001:db8::42", 7))
                return sock.getpeername()[:2]

        assert inside(path, connect) == server.getsockname()[:2]
        assert obj[seen][0] == 1
        fired("cgroup/connect6")


@cgroup.connect4
def from_another_address(ctx: SockAddr4Context) -> bool:
    if ctx.user_port == 4243:
        helpers.bpf_set_retval(-errno.ENETUNREACH)
        return False
    return ctx.bind(ipv4("127.0.0.77")) == 0


@cgroup.connect6
def from_the_same_address(ctx: SockAddr6Context) -> bool:
    return ctx.bind(Array[be32, L[4]]([0, 0, 0, 1]), 4747) == 0


def test_bind_while_connecting() -> None:
    def connected(where: tuple[str, int]) -> Any:
        with socket.create_connection(where, timeout=5) as sock:
            return sock.getsockname()[:2]

    with listener() as server, attached("cgroup/connect4", from_another_address) as (_, path):
        assert inside(path, lambda: connected(server.getsockname()))[0] == "127.0.0.77"
        assert failing(lambda: inside(path, lambda: connected((HERE, 4243)))) == errno.ENETUNREACH
    with listener(socket.AF_INET6) as server, attached("cgroup/connect6", from_the_same_address) as (_, path):
        assert inside(path, lambda: connected(server.getsockname()[:2])) == ("::1", 4747)


# --- bind


@cgroup.bind4
def another_port(ctx: SockAddr4Context) -> CgroupBind:
    if ctx.user_port == 4242:
        ctx.user_port = 4343
        seen[0] += 1
    return CgroupBind.DENY if ctx.user_port == 4444 else CgroupBind.ALLOW_ANY_PORT


@cgroup.bind6
def not_that_one(ctx: SockAddr6Context) -> bool:
    seen[0] += 1
    return ctx.user_port != 4444


def bound(family: int, port: int) -> int:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((HERE if family == socket.AF_INET else "::1", port))
        found: int = sock.getsockname()[1]
        return found


def test_bind4() -> None:
    def low_port_of_nobody() -> int:
        os.setuid(65534)
        return bound(socket.AF_INET, 81)

    with attached("cgroup/bind4", another_port) as (obj, path):
        assert inside(path, lambda: bound(socket.AF_INET, 4242)) == 4343
        assert inside(path, low_port_of_nobody) == 81
        with pytest.raises(PermissionError):
            inside(path, lambda: bound(socket.AF_INET, 4444))
        assert obj[seen][0] == 1
        fired("cgroup/bind4")


def test_bind6() -> None:
    with attached("cgroup/bind6", not_that_one) as (obj, path):
        assert inside(path, lambda: bound(socket.AF_INET6, 4343)) == 4343
        with pytest.raises(PermissionError):
            inside(path, lambda: bound(socket.AF_INET6, 4444))
        assert obj[seen][0] == 2
        fired("cgroup/bind6")


@cgroup.post_bind4
def after_bind4(ctx: PostBind4Context) -> bool:
    seen[0] += ctx.src_ip4
    seen[1] += ctx.src_port
    return ctx.src_port != 4444


@cgroup.post_bind6
def after_bind6(ctx: PostBind6Context) -> bool:
    seen[0] += ctx.src_ip6[3] + (ctx.src_ip6[0] | ctx.src_ip6[1] | ctx.src_ip6[2])
    seen[1] += ctx.src_port
    return ctx.src_port != 4444


@pytest.mark.parametrize(
    ("section", "program", "family", "address"),
    [
        ("cgroup/post_bind4", after_bind4, socket.AF_INET, ipv4(HERE)),
        ("cgroup/post_bind6", after_bind6, socket.AF_INET6, 1),
    ],
)
def test_post_bind(section: str, program: Any, family: int, address: int) -> None:
    with attached(section, program) as (obj, path):
        assert inside(path, lambda: bound(family, 4343)) == 4343
        assert dict(obj[seen]) == {0: address, 1: 4343}
        with pytest.raises(PermissionError):
            inside(path, lambda: bound(family, 4444))
        fired(section)


# --- datagrams


@cgroup.sendmsg4
def sent_elsewhere(ctx: SendMsg4Context) -> bool:
    port = seen.get(9)
    if ctx.user_port == 4242 and port is not None:
        ctx.user_ip4 = ipv4("127.0.0.1")
        ctx.user_port = port
        ctx.msg_src_ip4 = ipv4("127.0.0.5")
        return True
    return ctx.user_port != 4444


@cgroup.sendmsg6
def sent_elsewhere6(ctx: SendMsg6Context) -> bool:
    port = seen.get(9)
    if ctx.user_port == 4242 and port is not None:
        ctx.user_ip6[0] = 0
        ctx.user_ip6[3] = 1
        ctx.user_port = port
        seen[0] += 1
        seen[1] += ctx.msg_src_ip6[3]
        return True
    return ctx.user_port != 4444


@cgroup.recvmsg4
def came_from_elsewhere(ctx: SockAddr4Context) -> None:
    seen[0] += 1
    ctx.user_ip4 = ipv4("192.0.2.7")
    ctx.user_port = 77


@cgroup.recvmsg6
def came_from_elsewhere6(ctx: SockAddr6Context) -> None:
    seen[0] += 1
    ctx.user_ip6[0] = 0x20010DB8
    ctx.user_port = 77


@pytest.mark.parametrize(
    ("section", "program", "family", "address", "source"),
    [
        ("cgroup/sendmsg4", sent_elsewhere, socket.AF_INET, "192.0.2.1", "127.0.0.5"),
        ("cgroup/sendmsg6", sent_elsewhere6, socket.AF_INET6, "2001:db8::1", "::1"),
    ],
)
def test_sendmsg(section: str, program: Any, family: int, address: str, source: str) -> None:
    with listener(family, socket.SOCK_DGRAM) as server, attached(section, program) as (obj, path):
        obj[seen][9] = server.getsockname()[1]

        def send(port: int) -> int:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                return sock.sendto(b"hello", (address, port))

        assert inside(path, lambda: send(4242)) == 5
        data, whence = server.recvfrom(64)
        assert (data, whence[0]) == (b"hello", source)
        with pytest.raises(PermissionError):
            inside(path, lambda: send(4444))
        fired(section)


@pytest.mark.parametrize(
    ("section", "program", "family", "address"),
    [
        ("cgroup/recvmsg4", came_from_elsewhere, socket.AF_INET, "192.0.2.7"),
        ("cgroup/recvmsg6", came_from_elsewhere6, socket.AF_INET6, "2001:db8::1"),
    ],
)
def test_recvmsg(section: str, program: Any, family: int, address: str) -> None:
    with attached(section, program) as (obj, path):

        def receive() -> Any:
            with listener(family, socket.SOCK_DGRAM) as server, socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"hello", server.getsockname())
                return server.recvfrom(64)

        data, whence = inside(path, receive)
        assert (data, whence[:2]) == (b"hello", (address, 77))
        assert obj[seen][0] == 1
        fired(section)


# --- names


@cgroup.getpeername4
def another_peer(ctx: SockAddr4Context) -> None:
    ctx.user_ip4 = ipv4("192.0.2.9")
    ctx.user_port += 1


@cgroup.getsockname4
def another_self(ctx: SockAddr4Context) -> None:
    ctx.user_ip4 = ipv4("192.0.2.8")
    ctx.user_port = 7


@cgroup.getpeername6
def another_peer6(ctx: SockAddr6Context) -> None:
    ctx.user_ip6[0] = 0x20010DB8
    ctx.user_port += 1


@cgroup.getsockname6
def another_self6(ctx: SockAddr6Context) -> None:
    ctx.user_ip6[0] = 0x20010DB8
    ctx.user_port = 7


@pytest.mark.parametrize(
    ("section", "program", "family", "address"),
    [
        ("cgroup/getpeername4", another_peer, socket.AF_INET, "192.0.2.9"),
        ("cgroup/getsockname4", another_self, socket.AF_INET, "192.0.2.8"),
        ("cgroup/getpeername6", another_peer6, socket.AF_INET6, "2001:db8::1"),
        ("cgroup/getsockname6", another_self6, socket.AF_INET6, "2001:db8::1"),
    ],
)
def test_names(section: str, program: Any, family: int, address: str) -> None:
    peer = "peer" in section
    with listener(family) as server, attached(section, program) as (_, path):
        there = server.getsockname()

        def ask() -> Any:
            with socket.socket(family) as sock:
                sock.connect(there[:2])
                return (sock.getpeername() if peer else sock.getsockname())[:2]

        assert inside(path, ask) == (address, there[1] + 1 if peer else 7)
        fired(section)


# --- Unix sockets


@cgroup.connect_unix
def unix_connect(ctx: SockAddrUnixContext) -> bool:
    seen[0] += ctx.sk.family
    return ctx.type != socket.SOCK_SEQPACKET


@cgroup.sendmsg_unix
def unix_sendmsg(ctx: SockAddrUnixContext) -> bool:
    seen[0] += ctx.user_family
    return True


@cgroup.recvmsg_unix
def unix_recvmsg(ctx: SockAddrUnixContext) -> None:
    seen[0] += ctx.user_family


@cgroup.getpeername_unix
def unix_getpeername(ctx: SockAddrUnixContext) -> None:
    seen[0] += ctx.family


@cgroup.getsockname_unix
def unix_getsockname(ctx: SockAddrUnixContext) -> None:
    seen[0] += ctx.family


def needs_unix_hooks() -> None:
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 7):
        pytest.skip("this kernel has no hooks for Unix sockets (Linux 6.7)")


def test_unix_streams(tmp_path: Path) -> None:
    needs_unix_hooks()
    for section, program, call in (
        ("cgroup/connect_unix", unix_connect, lambda sock: None),
        ("cgroup/getpeername_unix", unix_getpeername, lambda sock: sock.getpeername()),
        ("cgroup/getsockname_unix", unix_getsockname, lambda sock: sock.getsockname()),
    ):
        place = str(tmp_path / program.name)
        with socket.socket(socket.AF_UNIX) as server, attached(section, program) as (obj, path):
            server.bind(place)
            server.listen()

            def connect(place: str = place, call: Any = call) -> None:
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.bind(f"{place}-client")  # the name of a socket without one is not asked for
                    sock.connect(place)
                    call(sock)

            inside(path, connect)
            assert obj[seen][0] == socket.AF_UNIX
            fired(section)
            if program is unix_connect:
                with pytest.raises(PermissionError):
                    inside(path, lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect("/none"))


def test_unix_datagrams(tmp_path: Path) -> None:
    needs_unix_hooks()
    for section, program in (("cgroup/sendmsg_unix", unix_sendmsg), ("cgroup/recvmsg_unix", unix_recvmsg)):
        place = str(tmp_path / program.name)
        with attached(section, program) as (obj, path):

            def send(place: str = place) -> Any:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
                    server.bind(place)
                    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                        sock.bind(f"{place}-client")
                        sock.sendto(b"hello", place)
                        return server.recvfrom(64)

            assert inside(path, send) == (b"hello", f"{place}-client")
            assert obj[seen][0] == socket.AF_UNIX
            fired(section)


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
