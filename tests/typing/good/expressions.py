"""match, :=, in, texts, unions, bit fields: what a type checker must take."""

from __future__ import annotations

from enum import IntEnum

from pybpf import (
    XDP,
    Array,
    Bits,
    Bytes,
    HashMap,
    L,
    Struct,
    Text,
    Union,
    XdpContext,
    be16,
    be32,
    load,
    offsetof,
    sizeof,
    u8,
    u16,
    u32,
    u64,
    xdp,
)
from pybpf.net import ethhdr, iphdr, tcphdr


class Kind(IntEnum):
    TCP = 6
    UDP = 17


class Address(Union):
    v4: be32
    v6: Bytes[L[16]]


class Flags(Struct):
    urgent: Bits[bool, L[1]]
    level: Bits[u8, L[3]] = 0
    kind: Bits[Kind, L[8]] = Kind.TCP


class Flow(Struct):
    source: Address
    flags: Flags
    kind: Kind
    name: Text[L[16]]
    raw: Bytes[L[8]]
    ports: Array[be16, L[4]]


flows = HashMap[u32, Flow](max_entries=16)
kinds = HashMap[u32, Kind](max_entries=16)
counts = HashMap[u32, u64](max_entries=16)


@xdp
def watch(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None or (ip := pkt.parse(iphdr)) is None or ip.version != 4 or ip.ihl < 5:
        return XDP.PASS
    if (tcp := pkt.parse(tcphdr)) is None or not tcp.syn:
        return XDP.PASS
    flow = flows.get(ip.saddr)
    if flow is None:
        flags = Flags(urgent=tcp.urg != 0, level=3)
        ports = Array[be16, L[4]]([1, 2, 3, 4])
        made = Flow(source=Address(v4=ip.saddr), flags=flags, kind=Kind.UDP, name="x", raw=bytes(8), ports=ports)
        flows[ip.saddr] = made
        return XDP.PASS
    flow.flags.level += 1
    flow.flags.urgent = False
    match flow.kind:
        case Kind.TCP | Kind.UDP:
            counts[1] += 1
        case _:
            return XDP.DROP
    match counts.get(1):
        case None:
            return XDP.PASS
        case 5:
            return XDP.DROP
        case n if n > offsetof(Flow, "name") + sizeof(Flow):
            return XDP.TX
        case _:
            pass
    match flow:
        case Flow(kind=Kind.TCP, flags=Flags(level=level)) if level in range(1, 4):
            return XDP.DROP
        case _:
            pass
    if flow.name[:3] == "eth" or flow.name.startswith("wl") or "x" in flow.name or len(flow.name) > 3:
        return XDP.DROP
    if flow.raw[2:4] == b"ab" or 5 in flow.raw or 80 in flow.ports or flow.ports[:2] == [1, 2]:
        return XDP.DROP
    if any(port == 80 for port in flow.ports) or sum(flow.ports) > 10 or max(flow.ports) == 4:
        return XDP.DROP
    if flow.source.v6[0] == 10 or flow.source == Address(v4=1) or counts.get(2) == 7:
        return XDP.DROP
    small: u16 = u16(flow.source.v4 ** 2)
    return XDP.PASS if small in (1, 2) else XDP.DROP


def user_space() -> None:
    with load(watch) as obj:
        kind: Kind = obj[kinds][1]
        print(kind.name, obj[flows][1].flags.kind.name, obj[flows][1].source.v4)
