"""Programs of a cgroup that see addresses: of connections, of datagrams, and the names of sockets."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import (
    Array,
    CgroupBind,
    HashMap,
    L,
    PostBind4Context,
    PostBind6Context,
    SendMsg4Context,
    SendMsg6Context,
    SockAddr4Context,
    SockAddr6Context,
    SockAddrUnixContext,
    be32,
    cgroup,
    helpers,
    u32,
    u64,
)
from pybpf.net import ipv4
from tests.hooks.groups import HERE, attached, failing, fired, inside, listener

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

seen = HashMap[u32, u64](max_entries=64)


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
