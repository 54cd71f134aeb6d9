"""Traffic control: filters by netlink, TCX links, netkit; on a veth pair, with real frames."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pybpf import (
    NETKIT,
    TC,
    TCX,
    ArrayMap,
    AttachError,
    TcContext,
    action,
    classifier,
    const,
    helpers,
    load,
    netkit,
    tc,
    tcx,
    u32,
    u64,
)
from pybpf.net import ETH_P_8021AD, ETH_P_8021Q, ethhdr
from tests.hooks.network import ETHERTYPE, frame
from tests.proofs import prove

if TYPE_CHECKING:
    from pybpf.runtime import LoadedObject
    from tests.hooks.network import Network

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

seen = ArrayMap[u64](8)
other = const(u32, 0)


def is_ours(skb: TcContext) -> bool:
    """Whether it is a frame of the test: there are none of others, but the kernel may send some by itself."""
    return skb.protocol == 0x88B5


@tc
def drop(skb: TcContext) -> TC:
    if not is_ours(skb):
        return TC.OK
    seen[0] += 1
    return TC.SHOT


@tc
def first(skb: TcContext) -> TC:
    if is_ours(skb):
        seen[1] = seen[1] * 10 + 1
    return TC.UNSPEC


@tc
def second(skb: TcContext) -> TC:
    if is_ours(skb):
        seen[1] = seen[1] * 10 + 2
    return TC.UNSPEC


@classifier
def older(skb: TcContext) -> TC:
    if is_ours(skb):
        seen[2] += 1
    return TC.OK


@tc
def forward(skb: TcContext) -> TC:
    """To another interface, with another source address."""
    eth = skb.parse(ethhdr)
    if eth is None or eth.h_proto != 0x88B5:
        return TC.OK
    eth.h_source[5] = 0x77
    return skb.redirect(other)


@tc.ingress
def inward(skb: TcContext) -> TC:
    if is_ours(skb):
        seen[3] += 1
    return TC.UNSPEC


@tc.egress
def outward(skb: TcContext) -> TC:
    if not is_ours(skb):
        return TC.OK
    seen[4] += 1
    return TC.SHOT


@action
def act(skb: TcContext) -> TC:
    if not is_ours(skb):
        return TC.OK
    seen[5] += 1
    return TC.SHOT


def qdiscs(network: Network, interface: str = "right") -> str:
    return network.run("tc", "qdisc", "show", "dev", interface)


def test_filter_drops_and_leaves_nothing(network: Network) -> None:
    assert "clsact" not in qdiscs(network)
    with load(drop) as obj:
        prove("hook", "tc", "loaded")
        with obj.programs["drop"].attach("right", netns=network.name) as link:
            prove("hook", "tc", "attached")
            assert link.kind == "tc" and link.target == "right ingress priority 49152"
            assert "clsact" in qdiscs(network)
            shown = network.run("tc", "filter", "show", "dev", "right", "ingress")
            assert "direct-action" in shown and "drop" in shown and "pref 49152" in shown
            network.send(3)
            assert obj[seen][0] == 3
            prove("hook", "tc", "fired")
        network.send(1)
        assert obj[seen][0] == 3
    assert "clsact" not in qdiscs(network)


def test_egress_filter_makes_the_sender_fail(network: Network) -> None:
    with load(drop) as obj, obj.programs["drop"].attach("left", netns=network.name, direction="egress"):
        with pytest.raises(OSError):
            network.send(1)
        assert obj[seen][0] == 1
    network.send(1)


def test_priorities(network: Network) -> None:
    with load(first, second) as obj:
        one, two = obj.programs["first"], obj.programs["second"]
        with one.attach("right", netns=network.name, priority=2), two.attach("right", netns=network.name, priority=1):
            network.send(1)
            assert obj[seen][1] == 21
            with pytest.raises(AttachError, match="filter of priority 1 and handle 1 already"):
                one.attach("right", netns=network.name, priority=1)
            with one.attach("right", netns=network.name, priority=1, replace=True):
                obj[seen][1] = 0
                network.send(1)
                assert obj[seen][1] == 11
        obj[seen][1] = 0
        # without a priority the newest comes first
        with one.attach("right", netns=network.name), two.attach("right", netns=network.name) as later:
            assert later.target == "right ingress priority 49151"
            network.send(1)
            assert obj[seen][1] == 21
    assert "clsact" not in qdiscs(network)


def test_the_discipline_of_others_stays(network: Network) -> None:
    network.run("tc", "qdisc", "add", "dev", "right", "clsact")
    with load(drop) as obj:
        obj.programs["drop"].attach("right", netns=network.name)
    assert "clsact" in qdiscs(network)
    network.run("tc", "qdisc", "del", "dev", "right", "clsact")
    with load(drop) as obj:
        obj.programs["drop"].attach("right", netns=network.name)
        network.run("tc", "filter", "add", "dev", "right", "egress", "bpf", "bytecode", "1,6 0 0 0")
    assert "clsact" in qdiscs(network), "it has a filter of somebody else"


def test_detaching_what_is_gone(network: Network) -> None:
    with load(drop) as obj:
        link = obj.programs["drop"].attach("right", netns=network.name)
        network.run("tc", "qdisc", "del", "dev", "right", "clsact")
        link.detach()
        obj.programs["drop"].attach("right", netns=network.name)
        network.ip("link", "del", "right")


def test_older_section_name(network: Network) -> None:
    with load(older) as obj, obj.programs["older"].attach("right", netns=network.name):
        network.send(2)
        assert obj[seen][2] == 2
        for what in ("loaded", "attached", "fired"):
            prove("hook", "classifier", what)


def test_redirect_with_another_source(network: Network) -> None:
    network.add_pair("out", "far")
    receiver = network.packets("far")
    with load(forward, other=network.index("out")) as obj, obj.programs["forward"].attach("right", netns=network.name):
        network.send(1)
        got = receiver.recv(2000)
    assert got[6:12] == b"\x02\0\0\0\0\x77" and got[12:14] == ETHERTYPE.to_bytes(2, "big")


@pytest.mark.parametrize("options", [{}, {"priority": 3}])
def test_directions(network: Network, options: dict[str, int]) -> None:
    """Sections tc/ingress and tc/egress: by a link where the kernel has TCX, else, or where told, by netlink."""
    with load(inward, outward) as obj:
        link = obj.programs["inward"].attach("right", netns=network.name, **options)
        obj.programs["outward"].attach("left", netns=network.name, **options)
        assert ("clsact" in qdiscs(network)) == (bool(options) or not has_tcx())
        assert bool(options) == (link.fd == -1) or not has_tcx()
        with pytest.raises(OSError):
            network.send(1)
        network.send(1, out="right")
        assert (obj[seen][3], obj[seen][4]) == (0, 1)
        link.detach()
        obj.programs["inward"].attach("left", netns=network.name, **options)
        network.send(1, out="right")
        assert (obj[seen][3], obj[seen][4]) == (1, 1)
        for row in ("tc/ingress", "tc/egress"):
            for what in ("loaded", "attached", "fired"):
                prove("hook", row, what)
    assert "clsact" not in qdiscs(network)


def test_errors(network: Network) -> None:
    with load(drop, outward) as obj:
        attach = obj.programs["drop"].attach
        with pytest.raises(AttachError, match="to which interface"):
            attach()
        with pytest.raises(AttachError, match="no direction 'in'\nhelp: use"):
            attach("right", direction="in", netns=network.name)
        with pytest.raises(AttachError, match="there is no interface nonesuch of network namespace"):
            attach("nonesuch", netns=network.name)
        with pytest.raises(AttachError, match="no priority 70000"):
            attach("right", priority=70000, netns=network.name)
        with pytest.raises(AttachError, match="unknown option 'before'"):
            attach("right", before="all")
        with pytest.raises(AttachError, match="unknown option 'direction'"):
            obj.programs["outward"].attach("right", direction="ingress")
    assert "clsact" not in qdiscs(network)


def test_without_pyroute2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    with load(drop) as obj, pytest.raises(AttachError, match=r'needs pyroute2.*\nhelp: pip install "pybpf\[network\]"'):
        obj.programs["drop"].attach("lo")


def test_python_that_ends_by_an_exception_leaves_nothing(network: Network) -> None:
    code = """if True:
        import sys
        from tests.hooks.test_tc import drop
        from pybpf import load
        obj = load(drop)
        obj.programs["drop"].attach("right", netns=sys.argv[1])
        raise SystemExit(7)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, network.name], env={**os.environ, "PYTHONPATH": "."}
    )
    assert done.returncode == 7 and "clsact" not in qdiscs(network)


def test_an_action(network: Network) -> None:
    with load(act) as obj:
        prove("hook", "action", "loaded")
        try:
            obj.programs["act"].attach("right", netns=network.name, otherwise="ok")
        except AttachError as error:
            assert "cls_matchall" in str(error)
            pytest.skip("this kernel has no actions of BPF programs")
        prove("hook", "action", "attached")
        network.send(3)
        assert obj[seen][5] == 3
        prove("hook", "action", "fired")
    assert "clsact" not in qdiscs(network)


# --- the socket that a packet belongs to


@tc
def whose(skb: TcContext) -> TC:
    sk = skb.sk
    if sk is None or skb.protocol != 0x0800:
        return TC.UNSPEC
    seen[6] = sk.src_port
    full = helpers.bpf_sk_fullsock(sk)
    if full is not None:
        seen[7] = full.mark
        skb.priority = 5
        skb.tc_classid = 0x10001
    return TC.UNSPEC


def test_the_socket_of_a_packet(network: Network) -> None:
    network.ip("addr", "add", "10.77.0.1/24", "dev", "left")
    network.ip("neigh", "add", "10.77.0.2", "lladdr", "02:00:00:00:00:02", "dev", "left")
    sender = network.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, 36, 0x55)  # SO_MARK
    with load(whose) as obj, obj.programs["whose"].attach("left", direction="egress", netns=network.name):
        sender.sendto(b"hello", ("10.77.0.2", 9))
        assert (obj[seen][6], obj[seen][7]) == (sender.getsockname()[1], 0x55)


@tc
def next_mark(skb: TcContext) -> TC:
    skb.mark += 1
    skb.cb[0] = skb.mark
    return TC.PIPE


def test_run_with_a_context() -> None:
    given = struct.pack("<8xI180x", 41)
    with load(next_mark) as obj:
        result = obj.programs["next_mark"].test(frame(), context=given)
        assert result.retval == TC.PIPE and struct.unpack_from("<8xI36xI", result.context) == (42, 42)


# --- TCX

order = ArrayMap[u64](1)


@tcx.ingress
def number_one(skb: TcContext) -> TCX:
    if is_ours(skb):
        order[0] = order[0] * 10 + 1
    return TCX.NEXT


@tcx.ingress
def number_two(skb: TcContext) -> TCX:
    if is_ours(skb):
        order[0] = order[0] * 10 + 2
    return TCX.NEXT


@tcx.ingress
def number_three(skb: TcContext) -> TCX:
    if is_ours(skb):
        order[0] = order[0] * 10 + 3
    return TCX.NEXT


@tcx.egress
def leave(skb: TcContext) -> TCX:
    if not is_ours(skb):
        return TCX.NEXT
    order[0] += 1
    return TCX.DROP


def has_tcx() -> bool:
    return tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 6)


needs_tcx = pytest.mark.skipif(not has_tcx(), reason="this kernel has no TCX")


def in_order(obj: LoadedObject, network: Network) -> int:
    obj[order][0] = 0
    network.send(1)
    return int(obj[order][0])


@needs_tcx
def test_order_of_links(network: Network) -> None:
    with load(number_one, number_two, number_three) as obj:
        one, two, three = (obj.programs[f"number_{n}"] for n in ("one", "two", "three"))
        for what in ("loaded", "attached"):
            prove("hook", "tcx/ingress", what)
        link = one.attach("right", netns=network.name)
        with two.attach("right", netns=network.name):
            assert in_order(obj, network) == 12
            with three.attach("right", netns=network.name, before=link):
                assert in_order(obj, network) == 312
            with three.attach("right", netns=network.name, after=one):
                assert in_order(obj, network) == 132
            with three.attach("right", netns=network.name, before=two.info().id):
                assert in_order(obj, network) == 132
            with three.attach("right", netns=network.name, before="all"):
                assert in_order(obj, network) == 312
            prove("hook", "tcx/ingress", "fired")
            with pytest.raises(AttachError, match=r"ENOENT.*\nhelp: .*not attached there"):
                three.attach("right", netns=network.name, before=three)
            with pytest.raises(AttachError, match=r"ESTALE.*\nhelp: other programs were attached"):
                three.attach("right", netns=network.name, expected_revision=99)
            with pytest.raises(AttachError, match="give one of them"):
                three.attach("right", netns=network.name, before=one, after=two)
            with pytest.raises(AttachError, match="before or after 'one'"):
                three.attach("right", netns=network.name, before="one")
        assert in_order(obj, network) == 1


@needs_tcx
def test_egress_link(network: Network) -> None:
    with load(leave) as obj, obj.programs["leave"].attach("left", netns=network.name):
        with pytest.raises(OSError):
            network.send(1)
        assert obj[order][0] == 1
        for what in ("loaded", "attached", "fired"):
            prove("hook", "tcx/egress", what)


# --- netkit


@netkit.primary
def of_primary(skb: TcContext) -> NETKIT:
    order[0] += 1
    return NETKIT.DROP


@netkit.peer
def of_peer(skb: TcContext) -> NETKIT:
    order[0] += 10
    return NETKIT.PASS


def test_netkit(network: Network) -> None:
    try:
        network.inside(make_netkit)
    except OSError:
        pytest.skip("this kernel has no netkit devices")
    for name in ("nk0", "nk1"):
        network.ip("link", "set", name, "up")
    with load(of_primary, of_peer) as obj:
        with obj.programs["of_primary"].attach("nk0", netns=network.name):
            obj.programs["of_peer"].attach("nk0", netns=network.name)
            obj[order][0] = 0
            network.send(1, out="nk1")
            assert obj[order][0] == 10
            with pytest.raises(OSError):
                network.send(1, out="nk0")
            assert obj[order][0] == 11
        for row in ("netkit/primary", "netkit/peer"):
            for what in ("loaded", "attached", "fired"):
                prove("hook", row, what)


def make_netkit() -> None:
    """A netkit pair nk0 and nk1 that carry Ethernet frames: include/uapi/linux/if_link.h."""
    def attribute(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)

    def named(name: str) -> bytes:
        return attribute(3, name.encode() + b"\0")  # IFLA_IFNAME

    peer = attribute(1, bytes(16) + named("nk1"))  # IFLA_NETKIT_PEER_INFO: struct ifinfomsg and attributes
    data = peer + attribute(5, struct.pack("<I", 0))  # IFLA_NETKIT_MODE: NETKIT_L2
    info = attribute(1, b"netkit") + attribute(2, data)
    body = bytes(16) + named("nk0") + attribute(18, info)  # IFLA_LINKINFO
    request = struct.pack("<IHHII", 16 + len(body), 16, 0x605, 1, 0) + body  # RTM_NEWLINK, create, exclusive, ack
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.bind((0, 0))
        link.send(request)
        (code,) = struct.unpack_from("<i", link.recv(4096), 16)
    if code:
        raise OSError(-code, os.strerror(-code))


@tc
def tagging(skb: TcContext) -> TC:
    """An outer 802.1ad tag around an inner 802.1Q one. What the kernel reads as another protocol it makes 802.1Q."""
    if not skb.vlan_push(ETH_P_8021Q, 7):
        return TC.SHOT
    seen[4] = skb.vlan_proto
    if not skb.vlan_push(ETH_P_8021AD, 0x2064):
        return TC.SHOT
    seen[5] = skb.vlan_proto
    seen[6] = skb.vlan_tci
    return TC.OK


def test_the_protocol_of_a_tag() -> None:
    sent = frame(b"tagged")
    with load(tagging) as obj:
        result = obj.programs["tagging"].test(sent)
        assert result.retval == TC.OK
        assert [obj[seen][i] for i in (4, 5, 6)] == [ETH_P_8021Q, ETH_P_8021AD, 0x2064]
        assert result.packet[12:18] == struct.pack(">HHH", ETH_P_8021Q, 7, ETHERTYPE)
