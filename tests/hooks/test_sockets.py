"""Programs at sockets: TCP's events, what sockets of a map send and receive, and which socket listens."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pybpf import (
    SK,
    AttachError,
    HashMap,
    PybpfError,
    ReusePortSockArray,
    SkLookupContext,
    SkMsgContext,
    SkReuseportContext,
    SkSkbContext,
    SockHash,
    SockMap,
    SockOp,
    SockOpsContext,
    SockOpsFlag,
    Struct,
    TcpState,
    be16,
    be32,
    load,
    releasing,
    sk_lookup,
    sk_msg,
    sk_reuseport,
    sk_skb,
    sockops,
    u8,
    u32,
    u64,
)
from pybpf.net import ipv4, udphdr
from tests.hooks.groups import inside, own_cgroup
from tests.proofs import prove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

seen = HashMap[u32, u64](max_entries=64)
socks = SockMap(8)
by_port = SockHash[u32](max_entries=8)
ports = ReusePortSockArray(4)
HERE = "127.0.0.1"


class Byte(Struct):
    value: u8


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection: the end that connected, and the one that was connected to."""
    with socket.create_server((HERE, 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=5)
        other, _ = server.accept()
    other.settimeout(5)
    with client, other:
        yield client, other


def in_own_network(work: Callable[[], None]) -> None:
    """Run it in a thread with a network namespace of its own, where the loopback interface is up."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), "unshare")
            with socket.socket() as sock:
                fcntl.ioctl(sock, 0x8914, struct.pack("<16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


# --- sockops


class Option(Struct, packed=True):
    """A TCP option for experiments (RFC 6994)."""

    kind: u8
    len: u8
    magic: be16
    value: be32


@sockops
def tcp_events(ops: SockOpsContext) -> bool:
    if ops.op == SockOp.TCP_CONNECT_CB:
        ops.set_flags(SockOpsFlag.STATE_CB | SockOpsFlag.WRITE_HDR_OPT_CB)
        seen[0] += ops.remote_ip4
        seen[1] += ops.remote_port
    elif ops.op == SockOp.TCP_LISTEN_CB:
        ops.set_flags(SockOpsFlag.PARSE_UNKNOWN_HDR_OPT_CB)
    elif ops.op == SockOp.RWND_INIT:
        ops.reply = 17
    elif ops.op == SockOp.ACTIVE_ESTABLISHED_CB:
        sk = ops.sk
        seen[2] += by_port.add(ops, ops.remote_port) == 0
        seen[3] += sk.protocol if sk is not None else 0
        seen[4] += ops.snd_cwnd
    elif ops.op == SockOp.STATE_CB and ops.args[1] == TcpState.CLOSE:
        seen[5] += ops.args[0]
        seen[6] += ops.bytes_acked
    elif ops.op == SockOp.HDR_OPT_LEN_CB:
        ops.reserve_option(8)
    elif ops.op == SockOp.WRITE_HDR_OPT_CB:
        ops.store_option(Option(kind=253, len=8, magic=0xEB9F, value=4711))
    elif ops.op == SockOp.PARSE_HDR_OPT_CB:
        option = Option(kind=253, len=4, magic=0xEB9F, value=0)
        if ops.load_option(option) == 8:
            seen[7] = option.value
            seen[8] = ops.skb_len
    return True


def test_sockops() -> None:
    def talk() -> int:
        with socket.create_server((HERE, 0)) as server:
            port: int = server.getsockname()[1]
            with socket.create_connection((HERE, port), timeout=5) as client:
                other, _ = server.accept()
                client.send(b"hello")
                assert other.recv(64) == b"hello"
                other.close()
                client.shutdown(socket.SHUT_WR)
                assert client.recv(64) == b""
        return port

    with own_cgroup() as path, load(tcp_events) as obj:
        prove("hook", "sockops", "loaded")
        with obj.attach(tcp_events=path):
            prove("hook", "sockops", "attached")
            port = inside(path, talk)
        found = dict(obj[seen])
        assert (found[0], found[1]) == (ipv4(HERE), port)
        assert (found[2], found[3]) == (1, socket.IPPROTO_TCP)
        assert found[4] >= 1
        assert found[7] == 4711  # an option that the one end wrote and the other one read
        prove("hook", "sockops", "fired")
        prove("map", "SOCKHASH", "in program")


# --- messages


@sk_msg
def send_by_another(msg: SkMsgContext) -> SK:
    first = msg.parse(Byte)
    seen[0] += msg.size
    seen[1] += msg.remote_port
    if first is not None and first.value == ord("X"):
        return SK.DROP
    return socks.redirect(msg, 1)


@sk_msg
def send_by_key(msg: SkMsgContext) -> SK:
    return by_port.redirect(msg, 7)


def test_sk_msg() -> None:
    with load(send_by_another) as obj, pair() as (one, one_end), pair() as (two, two_end):
        prove("hook", "sk_msg", "loaded")
        with obj.attach():  # to the object's only SockMap
            prove("hook", "sk_msg", "attached")
            obj[socks][0] = one
            obj[socks][1] = two.fileno()
            prove("map", "SOCKMAP", "update")
            one.send(b"hello")
            assert two_end.recv(64) == b"hello"
            assert obj[seen][0] == 5
            assert obj[seen][1] == one_end.getsockname()[1]
            with pytest.raises(PermissionError):
                one.send(b"Xhello")
            prove("hook", "sk_msg", "fired")
            prove("map", "SOCKMAP", "in program")
        two.send(b"direct")
        assert two_end.recv(64) == b"direct"


def test_sk_msg_by_key() -> None:
    with load(send_by_key) as obj, pair() as (one, _), pair() as (two, two_end):
        link = obj.programs["send_by_key"].attach(by_port)
        obj[by_port][1] = one
        obj[by_port][7] = two
        assert sorted(obj[by_port]) == [1, 7]
        one.send(b"hello")
        assert two_end.recv(64) == b"hello"
        prove("map", "SOCKHASH", "update")
        prove("map", "SOCKHASH", "iterate")
        link.detach()
        assert not link.attached


@sk_msg(map=socks)
def in_brackets(msg: SkMsgContext) -> SK:
    """A byte in front, one taken out behind, and the first one written over."""
    if msg.size < 4 or not msg.push_data(0, 1) or not msg.pop_data(msg.size - 1, 1) or not msg.pull_data(0, 2):
        return SK.DROP
    first = msg.parse(Byte)
    if first is not None:
        first.value = ord("<")
    return SK.PASS


@sk_msg(map=socks)
def all_at_once(msg: SkMsgContext) -> SK:
    seen[0] += 1
    if msg.size < 10:
        return SK.PASS if msg.cork_bytes(10) == 0 else SK.DROP
    seen[1] = msg.size
    return SK.PASS


def test_message_data() -> None:
    with load(in_brackets) as obj, pair() as (one, one_end), obj.attach():
        obj[socks][0] = one
        one.send(b"hello!")
        assert one_end.recv(64) == b"<hello"
    with load(all_at_once) as obj, pair() as (one, one_end), obj.attach():
        obj[socks][0] = one
        one.send(b"hello")
        one.send(b"world")
        assert one_end.recv(64) == b"helloworld"
        assert dict(obj[seen]) == {0: 2, 1: 10}


# --- received data


@sk_skb.stream_parser
def two_bytes(skb: SkSkbContext) -> int:
    return 2


@sk_skb.stream_verdict
def to_another(skb: SkSkbContext) -> SK:
    seen[0] += 1
    seen[99] = skb.local_port
    return socks.redirect(skb, 1)


@sk_skb.verdict(map=socks)
def no_x(skb: SkSkbContext) -> SK:
    first = skb.parse(Byte)
    seen[0] += 1
    return SK.DROP if first is not None and first.value == ord("X") else SK.PASS


@sk_skb(map=socks)
def pass_on(skb: SkSkbContext) -> SK:
    seen[0] += skb.len
    return SK.PASS


def test_stream_parser_and_verdict() -> None:
    with load(two_bytes, to_another) as obj, pair() as (one, one_end), pair() as (two, two_end):
        obj[socks][1] = two
        prove("hook", "sk_skb/stream_parser", "loaded")
        prove("hook", "sk_skb/stream_verdict", "loaded")
        with obj.attach():
            obj[socks][0] = one_end
            prove("hook", "sk_skb/stream_parser", "attached")
            prove("hook", "sk_skb/stream_verdict", "attached")
            one.send(b"hello!")
            got = b""
            while len(got) < 6:
                got += two_end.recv(64)
            assert got == b"hello!"
            assert dict(obj[seen]) == {0: 3, 99: one_end.getsockname()[1]}  # three messages of two bytes
            prove("hook", "sk_skb/stream_parser", "fired")
            prove("hook", "sk_skb/stream_verdict", "fired")


def test_verdict() -> None:
    with load(no_x) as obj, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        prove("hook", "sk_skb/verdict", "loaded")
        server.bind((HERE, 0))
        server.settimeout(5)
        with obj.attach(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            prove("hook", "sk_skb/verdict", "attached")
            obj[socks][0] = server
            sock.sendto(b"X-rated", server.getsockname())
            sock.sendto(b"hello", server.getsockname())
            assert server.recv(64) == b"hello"
            assert obj[seen][0] == 2
            prove("hook", "sk_skb/verdict", "fired")


def test_bare_sk_skb() -> None:
    with load(pass_on) as obj, pair() as (one, one_end):
        prove("hook", "sk_skb", "loaded")
        with pytest.raises(AttachError, match=r"as what\?[\s\S]*kind=\"stream_verdict\""):
            obj.attach(pass_on=socks)
        with obj.attach(pass_on={"kind": "verdict"}):
            prove("hook", "sk_skb", "attached")
            obj[socks][0] = one_end
            one.send(b"hello")
            assert one_end.recv(64) == b"hello"
            assert obj[seen][0] == 5
            prove("hook", "sk_skb", "fired")


def test_which_map() -> None:
    @sk_msg
    def two_maps(msg: SkMsgContext) -> SK:
        by_port.redirect(msg, 7)
        return socks.redirect(msg, 1)

    with load(two_maps) as obj:
        with pytest.raises(AttachError, match=r"has (by_port, socks|socks, by_port); name one"):
            obj.attach()
        with obj.attach(two_maps=socks), load(two_maps) as other, pytest.raises(KeyError):
            other.attach(two_maps=ports)
        first = obj.programs["two_maps"].attach(socks)
        with load(send_by_another) as other, pytest.raises(AttachError, match="the map has a program of this kind"):
            other.attach(send_by_another=obj[socks].fd)
        first.detach()


# --- which socket listens


@sk_lookup
def one_port_for_all(ctx: SkLookupContext) -> SK:
    if ctx.protocol != socket.IPPROTO_TCP or ctx.local_port < 7000:
        return SK.PASS
    seen[0] += ctx.local_port
    seen[1] += ctx.remote_ip4
    seen[2] = ctx.remote_port
    with releasing(socks.get(0)) as sk:
        if sk is None:
            return SK.DROP
        if ctx.assign(sk) == 0:
            seen[3] += sk.src_port
    return SK.PASS


def test_sk_lookup() -> None:
    def work() -> None:
        with load(one_port_for_all) as obj, socket.create_server((HERE, 6000)) as server:
            prove("hook", "sk_lookup", "loaded")
            with obj.attach():
                prove("hook", "sk_lookup", "attached")
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection((HERE, 7777), timeout=5)
                obj[seen].clear()
                obj[socks][0] = server
                with socket.create_connection((HERE, 7777), timeout=5) as client:
                    other, _ = server.accept()
                    assert other.getsockname() == (HERE, 7777)
                    assert dict(obj[seen]) == {0: 7777, 1: ipv4(HERE), 2: client.getsockname()[1], 3: 6000}
                    other.close()
                prove("hook", "sk_lookup", "fired")
                prove("map", "SOCKMAP", "lookup")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HERE, 7777), timeout=5)
            with pytest.raises(AttachError, match="it is no network namespace"):
                obj.attach(one_port_for_all="/proc/self/ns/uts")
            with pytest.raises(AttachError, match="network namespace 'nowhere-at-all': No such file"):
                obj.attach(one_port_for_all="nowhere-at-all")
            with obj.attach(one_port_for_all=f"/proc/self/task/{threading.get_native_id()}/ns/net"):
                assert len(obj.links) == 1

    in_own_network(work)


# --- which socket of a group


@sk_reuseport
def by_first_byte(pkt: SkReuseportContext) -> SK:
    udp = pkt.parse(udphdr)
    first = pkt.parse(Byte)
    if udp is None or first is None:
        return SK.DROP
    seen[0] += pkt.ip_protocol
    seen[1] += pkt.len
    seen[2] = udp.source
    return SK.PASS if ports.select(pkt, first.value & 1) == 0 else SK.DROP


@sk_reuseport.migrate
def move_to_the_second(pkt: SkReuseportContext) -> SK:
    if pkt.migrating_sk is None:
        return SK.PASS if ports.select(pkt, 0) == 0 else SK.DROP
    seen[0] += 1
    return SK.PASS if ports.select(pkt, 1) == 0 else SK.DROP


@sk_reuseport
def of_a_sockmap(pkt: SkReuseportContext) -> SK:
    return SK.PASS if socks.select(pkt, 1) == 0 and by_port.select(pkt, 2) == 0 else SK.DROP


@sk_lookup
def emptying(ctx: SkLookupContext) -> SK:
    if ctx.local_port == 7777:
        seen[0] = socks.delete(0) == 0
        seen[1] = socks.delete(0) == -22
        seen[2] = by_port.delete(1) == 0
        with releasing(by_port.get(1)) as sk:
            seen[3] = sk is None
    return SK.PASS


def test_maps_of_sockets_in_programs() -> None:
    with (
        load(of_a_sockmap) as obj,
        sharing(socket.SOCK_DGRAM) as zero,
        sharing(socket.SOCK_DGRAM, zero.getsockname()[1]) as one,
        obj.attach(of_a_sockmap=zero),
    ):
        obj[socks][1] = zero
        obj[by_port][2] = one
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"hello", zero.getsockname())
        assert one.recv(64) == b"hello"

    def work() -> None:
        with load(emptying) as obj, obj.attach(), socket.create_server((HERE, 6000)) as server:
            obj[socks][0] = server
            obj[by_port][1] = server
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HERE, 7777), timeout=5)
            assert dict(obj[seen]) == {0: 1, 1: 1, 2: 1, 3: 1}
            assert not obj[socks]

    in_own_network(work)


def sharing(kind: int, port: int = 0) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((HERE, port))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    sock.settimeout(5)
    return sock


def test_sk_reuseport() -> None:
    with load(by_first_byte) as obj, sharing(socket.SOCK_DGRAM) as zero:
        prove("hook", "sk_reuseport", "loaded")
        with sharing(socket.SOCK_DGRAM, zero.getsockname()[1]) as one, obj.attach(by_first_byte=zero):
            prove("hook", "sk_reuseport", "attached")
            obj[ports][0] = zero
            obj[ports][1] = one
            assert len(obj[ports]) == 2
            assert obj[ports][0] != obj[ports][1]
            for operation in ("update", "lookup", "iterate"):
                prove("map", "REUSEPORT_SOCKARRAY", operation)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind((HERE, 0))
                sock.sendto(b"1", zero.getsockname())
                sock.sendto(b"2", zero.getsockname())
                assert one.recv(64) == b"1"
                assert zero.recv(64) == b"2"
                assert dict(obj[seen]) == {0: 2 * socket.IPPROTO_UDP, 1: 18, 2: sock.getsockname()[1]}
            prove("hook", "sk_reuseport", "fired")
            prove("map", "REUSEPORT_SOCKARRAY", "in program")
        with pytest.raises(AttachError, match="to which group of sockets"):
            obj.attach()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone,
            pytest.raises(AttachError, match="set SO_REUSEPORT on it first"),
        ):
            alone.bind((HERE, 0))
            obj.attach(by_first_byte=alone)


def test_migrate() -> None:
    with load(move_to_the_second) as obj:
        prove("hook", "sk_reuseport/migrate", "loaded")
        first = sharing(socket.SOCK_STREAM)
        with sharing(socket.SOCK_STREAM, first.getsockname()[1]) as second, obj.attach(move_to_the_second=second):
            prove("hook", "sk_reuseport/migrate", "attached")
            obj[ports][0] = first
            obj[ports][1] = second
            with socket.create_connection(first.getsockname(), timeout=5) as client:
                client.send(b"hello")
                first.close()  # which has not accepted it
                other, _ = second.accept()
                with other:
                    other.settimeout(5)
                    assert other.recv(64) == b"hello"
                assert obj[seen][0] == 1
                prove("hook", "sk_reuseport/migrate", "fired")


# --- the maps from user space


def test_sockmap() -> None:
    with load(send_by_another) as obj, pair() as (one, one_end):
        held = obj[socks]
        held[3] = one
        cookie = int.from_bytes(one.getsockopt(socket.SOL_SOCKET, 57, 8), "little")  # SO_COOKIE
        assert dict(held) == {3: cookie}
        assert 3 in held
        assert 0 not in held
        prove("map", "SOCKMAP", "create")
        prove("map", "SOCKMAP", "lookup")
        prove("map", "SOCKMAP", "iterate")
        del held[3]
        prove("map", "SOCKMAP", "delete")
        with pytest.raises(KeyError):
            held[3]
        with pytest.raises(KeyError):
            del held[3]
        with pytest.raises(IndexError, match="map 'socks' has no slot 8: it has 8, from 0 on"):
            held[8] = one
        with pytest.raises(TypeError, match="takes a socket or its file descriptor, not 'eth0'"):
            held[0] = "eth0"
        with socket.socket() as alone, pytest.raises(PybpfError, match="takes connected TCP sockets"):
            held[0] = alone
        with open(os.devnull) as file, pytest.raises(PybpfError, match="is no socket's"):
            held[0] = file
        held[0] = one_end
        one_end.close()
        assert dict(held) == {}  # closed, and gone


def test_sockhash() -> None:
    with load(send_by_key) as obj, pair() as (one, one_end):
        held = obj[by_port]
        held[70000] = one
        held[2] = one_end
        assert sorted(held) == [2, 70000]
        prove("map", "SOCKHASH", "create")
        prove("map", "SOCKHASH", "lookup")
        del held[2]
        prove("map", "SOCKHASH", "delete")
        with pytest.raises(KeyError):
            del held[2]
        with pytest.raises(OverflowError, match="key of map 'by_port'"):
            held[1 << 32] = one


def test_reuseport_array() -> None:
    with load(by_first_byte) as obj, sharing(socket.SOCK_DGRAM) as zero, pair() as (one, _):
        held = obj[ports]
        held[2] = zero
        prove("map", "REUSEPORT_SOCKARRAY", "create")
        with pytest.raises(PybpfError, match="it is in such a map already"):
            held[1] = zero
        with pytest.raises(PybpfError, match="takes TCP and UDP sockets with SO_REUSEPORT"):
            held[1] = one
        del held[2]
        prove("map", "REUSEPORT_SOCKARRAY", "delete")
        assert not held
