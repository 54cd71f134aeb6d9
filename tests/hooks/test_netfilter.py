"""Netfilter programs in a network namespace: datagrams that come in, go out, or are dropped."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from pybpf import NETFILTER, ArrayMap, AttachError, NetfilterContext, Target, build, const, load, netfilter, u32, u64
from tests.proofs import prove

if TYPE_CHECKING:
    from tests.hooks.network import Network

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.guest,
    pytest.mark.skipif(
        tuple(map(int, os.uname().release.split(".")[:2])) < (6, 4), reason="this kernel has no netfilter programs"
    ),
]

facts = ArrayMap[u64](8)
verdict = const(u32, 1)


@netfilter
def judge(ctx: NetfilterContext) -> NETFILTER:
    facts[0] += 1
    facts[1] = ctx.state.hook
    facts[2] = ctx.state.pf
    facts[3] = ctx.skb.len
    return NETFILTER(verdict)


@netfilter
def first(ctx: NetfilterContext) -> NETFILTER:
    facts[4] = facts[4] * 10 + 1
    return NETFILTER.ACCEPT


@netfilter
def second(ctx: NetfilterContext) -> NETFILTER:
    facts[4] = facts[4] * 10 + 2
    return NETFILTER.ACCEPT


def pair(network: Network) -> tuple[socket.socket, socket.socket]:
    """A receiver and a sender on the namespace's loopback interface."""
    network.ip("link", "set", "lo", "up")
    receiver, sender = (network.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    receiver.bind(("127.0.0.1", 0))
    sender.connect(receiver.getsockname())
    return receiver, sender


def test_incoming_datagrams(network: Network) -> None:
    receiver, sender = pair(network)
    with load(judge) as obj:
        prove("hook", "netfilter", "loaded")
        with obj.programs["judge"].attach("local_in", netns=network.name) as link:
            prove("hook", "netfilter", "attached")
            assert link.target == "ipv4 local_in"
            sender.send(b"hello")
            assert receiver.recv(100) == b"hello"
            assert [obj[facts][i] for i in range(4)] == [1, 1, 2, 20 + 8 + 5]
            prove("hook", "netfilter", "fired")
        sender.send(b"again")
        assert receiver.recv(100) == b"again" and obj[facts][0] == 1


def test_dropped(network: Network) -> None:
    receiver, sender = pair(network)
    receiver.settimeout(0.2)
    with load(judge, verdict=NETFILTER.DROP) as obj, obj.programs["judge"].attach("local_out", netns=network.name):
        with pytest.raises(PermissionError):
            sender.send(b"hello")
        with pytest.raises(TimeoutError):
            receiver.recv(100)
        assert obj[facts][0] == 1


def test_ipv6(network: Network) -> None:
    network.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6")
    network.ip("link", "set", "lo", "up")
    receiver, sender = (network.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(2))
    receiver.bind(("::1", 0))
    sender.connect(receiver.getsockname())
    with load(judge) as obj, obj.programs["judge"].attach("local_in", family="ipv6", netns=network.name):
        sender.send(b"hello")
        assert receiver.recv(100) == b"hello" and (obj[facts][2], obj[facts][3]) == (10, 40 + 8 + 5)


def test_priorities(network: Network) -> None:
    receiver, sender = pair(network)
    with load(first, second) as obj:
        one, two = obj.programs["first"], obj.programs["second"]
        with one.attach("local_in", priority=20, netns=network.name):
            two.attach("local_in", priority=10, netns=network.name)
            sender.send(b"x")
            assert receiver.recv(10) == b"x" and obj[facts][4] == 21
            with pytest.raises(AttachError, match=r"EBUSY.*\nhelp: another one has that priority|already"):
                two.attach("local_in", priority=20, netns=network.name)


def test_errors() -> None:
    with load(first) as obj:
        attach = obj.programs["first"].attach
        with pytest.raises(AttachError, match=r"which hook of netfilter.\nhelp: one of prerouting, local_in"):
            attach()
        with pytest.raises(AttachError, match=r"which hook of netfilter. Not 'input'"):
            attach("input")
        with pytest.raises(AttachError, match=r"which family of netfilter. Not 'ip'"):
            attach("local_in", family="ip")
        with pytest.raises(AttachError, match="no priority 'high'"):
            attach("local_in", priority="high")


def test_older_targets() -> None:
    """It can be compiled for any kernel: what can't be loaded there is the loader's to say."""
    assert build(first, target=Target(kernel=(6, 12))).elf
