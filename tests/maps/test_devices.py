"""Maps that XDP programs redirect to: interfaces, CPUs, AF_XDP sockets, with real frames."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from pybpf import (
    XDP,
    CpuEntry,
    CpuMap,
    DeclarationError,
    DevEntry,
    DevMap,
    DevMapHash,
    XdpContext,
    XskMap,
    load,
    xdp,
)
from pybpf.net import ethhdr
from pybpf.runtime import AttachError, ObjectClosed, PybpfError
from tests.hooks.network import frame, make_network
from tests.hooks.xsk import Xsk
from tests.proofs import prove

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hooks.network import Network

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

array = DevMap(4)
table = DevMapHash(4)
cpus = CpuMap(2)
socks = XskMap(2)


def is_ours(pkt: XdpContext) -> bool:
    eth = pkt.parse(ethhdr)
    return eth is not None and eth.h_proto == 0x88B5


@xdp
def by_array(pkt: XdpContext) -> XDP:
    return array.redirect(1, XDP.PASS) if is_ours(pkt) else XDP.PASS


@xdp
def by_table(pkt: XdpContext) -> XDP:
    return table.redirect(1_000_000, XDP.DROP) if is_ours(pkt) else XDP.PASS


@xdp
def to_all(pkt: XdpContext) -> XDP:
    return array.broadcast() if is_ours(pkt) else XDP.PASS


@xdp
def to_socket(pkt: XdpContext) -> XDP:
    return socks.redirect(pkt.rx_queue_index, XDP.PASS) if is_ours(pkt) else XDP.PASS


@xdp
def to_cpu(pkt: XdpContext) -> XDP:
    return cpus.redirect(0, XDP.DROP) if is_ours(pkt) else XDP.PASS


@xdp
def passer(pkt: XdpContext) -> XDP:
    return XDP.PASS


@pytest.fixture
def network() -> Iterator[Network]:
    yield from make_network()


def count(receiver: socket.socket) -> int:
    """Frames that came in."""
    found = 0
    receiver.settimeout(0.2)
    try:
        while True:
            found += receiver.recvfrom(4000)[1][2] != 4  # PACKET_OUTGOING
    except TimeoutError:
        return found


def test_interfaces_by_slot(network: Network) -> None:
    network.add_pair("out", "far")
    here, there = network.packets("right"), network.packets("far")
    with load(by_array, passer) as obj:
        prove("map", "DEVMAP", "create")
        ports = obj[array]
        obj.attach(by_array="right", netns=network.name, passer=None)
        obj.programs["passer"].attach("far", netns=network.name)
        network.send(1)
        assert (count(here), count(there)) == (1, 0), "an empty slot: what the program says"
        ports[1] = DevEntry("out", netns=network.name)
        prove("map", "DEVMAP", "update")
        network.send(2)
        assert (count(here), count(there)) == (0, 2)
        prove("map", "DEVMAP", "in program")
        assert ports[1] == DevEntry(network.index("out")) and 1 in ports and 0 not in ports
        prove("map", "DEVMAP", "lookup")
        assert list(ports) == [1] and len(ports) == 1 and dict(ports) == {1: DevEntry(network.index("out"))}
        prove("map", "DEVMAP", "iterate")
        del ports[1]
        prove("map", "DEVMAP", "delete")
        with pytest.raises(KeyError):
            del ports[1]
        with pytest.raises(KeyError):
            ports[1]
        assert not list(ports)


def test_interfaces_by_any_number(network: Network) -> None:
    network.add_pair("out", "far")
    there = network.packets("far")
    with load(by_table, passer) as obj:
        prove("map", "DEVMAP_HASH", "create")
        ports = obj[table]
        obj.programs["passer"].attach("far", netns=network.name)
        with obj.programs["by_table"].attach("right", netns=network.name):
            network.send(1)
            assert count(there) == 0
            ports[1_000_000] = DevEntry("out", netns=network.name)
            prove("map", "DEVMAP_HASH", "update")
            network.send(1)
            assert count(there) == 1
            prove("map", "DEVMAP_HASH", "in program")
        ports[7] = DevEntry("left", netns=network.name)
        assert sorted(ports) == [7, 1_000_000] and ports[7].interface == network.index("left")
        prove("map", "DEVMAP_HASH", "lookup")
        prove("map", "DEVMAP_HASH", "iterate")
        del ports[7]
        prove("map", "DEVMAP_HASH", "delete")
        assert list(ports) == [1_000_000]


def test_broadcast(network: Network) -> None:
    receivers = []
    with load(to_all, passer) as obj:
        for i in (1, 2):
            network.add_pair(f"out{i}", f"far{i}")
            receivers.append(network.packets(f"far{i}"))
            obj[array][i] = DevEntry(f"out{i}", netns=network.name)
            obj.programs["passer"].attach(f"far{i}", netns=network.name)
        with obj.programs["to_all"].attach("right", netns=network.name, mode="native"):
            obj.programs["passer"].attach("left", netns=network.name)
            network.send(1)
            assert [count(receiver) for receiver in receivers] == [1, 1]


def test_wrong_entries(network: Network) -> None:
    with load(by_array, passer) as obj:
        ports = obj[array]
        for wrong, what, text in (
            ("nonesuch", AttachError, "no interface nonesuch"),
            (None, TypeError, "takes an interface or a DevEntry, not None"),
            (999_999, PybpfError, "map 'array' does not take the entry 0\nhelp: there is no such interface"),
            (DevEntry("lo", program=passer), TypeError, r"section 'xdp': decorate it with @xdp.devmap"),
            (DevEntry("lo", program="p"), PybpfError, "is no program of object"),
        ):
            with pytest.raises(what, match=text):
                ports[0] = wrong  # type: ignore[assignment]
        with pytest.raises(IndexError, match="4 is not there: the map has 4 entries"):
            ports[4] = "lo"
        with pytest.raises(TypeError, match="takes an int, not 'a'"):
            ports["a"] = "lo"  # type: ignore[index]
    with pytest.raises(ObjectClosed):
        list(ports)


def test_cpus() -> None:
    with load(to_cpu) as obj:
        prove("map", "CPUMAP", "create")
        live = obj[cpus]
        live[0] = 128
        prove("map", "CPUMAP", "update")
        assert live[0] == CpuEntry(128) and list(live) == [0]
        prove("map", "CPUMAP", "lookup")
        prove("map", "CPUMAP", "iterate")
        with pytest.raises(OverflowError, match="1 to 16384 frames, not 0"):
            live[0] = 0
        with pytest.raises(TypeError, match="takes a CpuEntry, not 'x'"):
            live[0] = "x"  # type: ignore[assignment]
        del live[0]
        prove("map", "CPUMAP", "delete")
        assert 0 not in live


def test_redirect_to_a_cpu(network: Network) -> None:
    here = network.packets("right")
    with load(to_cpu) as obj, obj.programs["to_cpu"].attach("right", netns=network.name):
        network.send(1)
        assert count(here) == 0
        obj[cpus][0] = CpuEntry(64)
        network.send(3)
        assert count(here) == 3
        prove("map", "CPUMAP", "in program")


def test_af_xdp(network: Network) -> None:
    """Frames that the network stack never sees, in memory of this process."""
    here = network.packets("right")
    xsk = network.inside(lambda: Xsk("right"))
    try:
        with load(to_socket) as obj, obj.programs["to_socket"].attach("right", netns=network.name, mode="generic"):
            prove("map", "XSKMAP", "create")
            network.send(1)
            assert count(here) == 1
            obj[socks][0] = xsk.socket
            prove("map", "XSKMAP", "update")
            network.send(1, frame(b"for you", size=90))
            got = xsk.receive()
            assert got[14:21] == b"for you" and len(got) == 90 and count(here) == 0
            prove("map", "XSKMAP", "in program")
            del obj[socks][0]
            prove("map", "XSKMAP", "delete")
            network.send(1)
            assert count(here) == 1 and xsk.receive(0.1) == b""
            with socket.socket() as other, pytest.raises(PybpfError, match="it is no AF_XDP socket"):
                obj[socks][0] = other
            with pytest.raises(TypeError, match="can't be read back"):
                obj[socks][0]
            with pytest.raises(TypeError, match="the kernel does not tell"):
                list(obj[socks])
    finally:
        xsk.close()


def test_declarations() -> None:
    with pytest.raises(DeclarationError, match="DevMap takes no types"):
        DevMap[int](4)  # type: ignore[misc]
    with pytest.raises(DeclarationError, match="CpuMap"):
        CpuMap(0)
    with pytest.raises(RuntimeError, match="works inside a BPF program only"):
        array.redirect(1)
