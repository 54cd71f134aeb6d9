"""Filters of sockets: which packets come in, and how much of them."""

from __future__ import annotations

import os
import socket
import tempfile
from typing import TYPE_CHECKING

import pytest

from pybpf import (
    ArrayMap,
    AttachError,
    LircContext,
    LoadError,
    SocketFilterContext,
    Struct,
    be16,
    build,
    lirc_mode2,
    load,
    socket_filter,
    u8,
    u64,
)
from tests.hooks.network import frame
from tests.proofs import prove

if TYPE_CHECKING:
    from tests.hooks.network import Network

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

facts = ArrayMap[u64](8)


class Datagram(Struct):
    """UDP's header and a first byte."""

    source: be16
    dest: be16
    length: be16
    check: be16
    kind: u8
    more: u8


@socket_filter
def choose(skb: SocketFilterContext) -> int:
    """Datagrams that begin with "k" are kept, "c" cut to 4 bytes behind the header, others dropped."""
    head = Datagram(source=0, dest=0, length=0, check=0, kind=0, more=0)
    if not skb.load_bytes(0, head):
        return 0
    facts[0] += 1
    sk = skb.sk
    if sk is not None:
        facts[6] = sk.src_port
    if head.kind == 0x6B:
        return -1
    return 12 if head.kind == 0x63 else 0


@socket_filter
def look(skb: SocketFilterContext) -> None:
    facts[1] += 1
    facts[2] = skb.len
    facts[3] = skb.protocol
    facts[4] = skb.ifindex
    skb.cb[0] = 77
    facts[5] = skb.cb[0]


def test_which_datagrams_come_in() -> None:
    with load(choose) as obj, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        prove("hook", "socket", "loaded")
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.connect(receiver.getsockname())
        with sender, obj.programs["choose"].attach(receiver) as link:
            prove("hook", "socket", "attached")
            assert link.kind == "socket" and link.attached
            for text in (b"drop", b"keep it all", b"cut it here", b"kept"):
                sender.send(text)
            assert [receiver.recv(100) for _ in range(3)] == [b"keep it all", b"cut ", b"kept"]
            assert obj[facts][0] == 4
            assert obj[facts][6] == receiver.getsockname()[1], "the packet is the receiver's while it is filtered"
            prove("hook", "socket", "fired")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.connect(receiver.getsockname())
            again.send(b"drop")
            assert receiver.recv(100) == b"drop"
        assert obj[facts][0] == 4


def test_what_a_packet_socket_sees(network: Network) -> None:
    """Without an answer the filter keeps every packet whole."""
    receiver = network.packets("right")
    with load(look) as obj, obj.programs["look"].attach(receiver.fileno()):
        network.send(1, frame(size=200))
        assert len(receiver.recv(1000)) == 200
        live = obj[facts]
        assert [live[i] for i in range(1, 6)] == [1, 200, 0x88B5, network.index("right"), 77]


def test_sockets_that_are_gone() -> None:
    with load(choose) as obj:
        program = obj.programs["choose"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            link = program.attach(sock)
        with open(os.devnull, "rb"):  # takes the number that the socket had
            link.detach()
        with pytest.raises(AttachError, match="the socket is closed"):
            program.attach(sock)
        with pytest.raises(AttachError, match=r"to which socket.\nhelp: give one"):
            program.attach()
        with tempfile.TemporaryFile() as file, pytest.raises(AttachError, match=r"ENOTSOCK.*\nhelp: it is no socket"):
            program.attach(file)
        assert not obj.attach().links, "attaching all leaves it out"


# --- infrared: there is no receiver here


@lirc_mode2
def decode(ctx: LircContext) -> int:
    if ctx.is_pulse() and ctx.duration() > 500:
        facts[0] += 1
    return 0


def test_infrared() -> None:
    assert build(decode).elf
    try:
        obj = load(decode)
    except LoadError as error:
        assert "LIRC_MODE2" in str(error)
        pytest.skip("this kernel has no programs of infrared receivers")
    with obj:
        prove("hook", "lirc_mode2", "loaded")
        with pytest.raises(AttachError, match=r"EINVAL.*\nhelp: it is no infrared receiver"):
            obj.programs["decode"].attach("/dev/null")
        with pytest.raises(AttachError, match="to which receiver"):
            obj.programs["decode"].attach()
        with pytest.raises(AttachError, match="No such file"):
            obj.programs["decode"].attach("/dev/lirc77")
