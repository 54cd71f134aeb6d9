"""Packets that are marked: the DSCP and the checksum that IPv4 has then, IPv6's traffic class, counts by class."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import ICMP, IPV6, TCP, UDP, case, checksum, frame, inits, ip4, ip6, tcp, udp

SERVICES = {(TCP, 80): 1, (TCP, 443): 1, (UDP, 53): 2, (UDP, 5060): 3, (TCP, 22): 15, (UDP, 9): 16}
CLASSES = [(index * 7, index % 3 and 100 + index, index * 11 % 64, index % 8) for index in range(16)]  # mark, VLAN, ...


def _mark(data: bytes) -> tuple[bytes, int] | None:
    """The packet then, and its class; None for what is left alone."""
    if len(data) < 14:
        return None
    kind, ports = struct.unpack_from(">H", data, 12)[0], 0
    if kind == 0x0800 and len(data) >= 34 and data[14] & 15 >= 5:
        proto, ports = data[23], 14 + (data[14] & 15) * 4
    elif kind == IPV6 and len(data) >= 54:
        proto, ports = data[20], 54
    else:
        return None
    number = 0
    if proto in (TCP, UDP):
        if len(data) < ports + 4:
            return None
        source, dest = struct.unpack_from(">HH", data, ports)
        number = SERVICES.get((proto, dest), SERVICES.get((proto, source), 0))
    if number >= len(CLASSES):
        return None
    dscp, out = CLASSES[number][2], bytearray(data)
    if kind == IPV6:
        out[14] = out[14] & 0xF0 | dscp >> 2
        out[15] = out[15] & 0x3F | dscp << 6 & 0xFF
    elif out[15] >> 2 != dscp:
        tos = dscp << 2 | out[15] & 3
        change = bytes([*(255 - byte for byte in (*out[24:26], 0, out[15])), 0, tos])
        out[24:26] = struct.pack(">H", checksum(change))
        out[15] = tos
    return bytes(out), number


def spec() -> dict[str, Any]:
    table = {
        "services": {struct.pack(">BxH", *key): struct.pack("<I", number) for key, number in SERVICES.items()},
        "classes": {struct.pack("<I", n): struct.pack("<IHBB", *row) for n, row in enumerate(CLASSES)},
    }
    cases: list[dict[str, Any]] = []

    def add(name: str, data: bytes) -> None:
        found = _mark(data)
        out, counts = data, {}
        if found is not None:
            out, number = found
            counts = {struct.pack("<I", number): struct.pack("<QQ", 1, len(data))}
        cases.append(case(name, data, 0, out, "table", counts=counts))

    def tagged(body: bytes, tos: int, **more: Any) -> bytes:
        """IPv4 with a traffic class and its checksum."""
        packet = bytearray(ip4(body, more.pop("proto", UDP), **more))
        packet[1], packet[10:12] = tos, b"\0\0"
        packet[10:12] = struct.pack(">H", checksum(bytes(packet[: (packet[0] & 15) * 4])))
        return frame(bytes(packet))

    some = random.Random(24)
    add("sip", tagged(udp(b"INVITE", 4000, 5060), 0))
    for tos in (0, 1, 3, 0x28, 0xB8, 0xFF, CLASSES[2][2] << 2, CLASSES[2][2] << 2 | 2):
        add(f"dns, {tos:x}", tagged(udp(b"query"), tos))
        add(f"answer, {tos:x}", tagged(udp(b"query", 53, 4000), tos))
        add(f"ssh, {tos:x}", tagged(tcp(b"", 4000, 22), tos, proto=TCP))
        add(f"icmp, {tos:x}", tagged(bytes(8), tos, proto=ICMP))
    add("tcp port of udp", tagged(udp(b"", 4000, 80), 0))
    add("no such class", tagged(udp(b"", 4000, 9), 0))
    add("options", tagged(udp(b"query"), 4, options=bytes(12)))
    add("wrong length", tagged(udp(b"query"), 4, ihl=4))
    add("ARP", frame(bytes(40), 0x0806))
    for proto, body in ((UDP, udp(b"query")), (TCP, tcp(b"", 4000, 443)), (58, bytes(8)), (UDP, udp(b"", 1, 2))):
        add(f"IPv6, {proto}", frame(ip6(body, proto), IPV6))
        add(f"IPv6, {proto}, marked", frame(b"\x6f\xff\xff\xff" + ip6(body, proto)[4:], IPV6))
    for whole in (tagged(udp(b"query"), 0), frame(ip6(udp(b""), UDP), IPV6)):
        for size in range(34 if whole[12] == 8 else 54, len(whole), 3):
            add(f"{len(whole)} cut at {size}", whole[:size])
    for index in range(80):
        proto, port = some.choice(list(SERVICES))
        ports = [some.getrandbits(16), port]
        some.shuffle(ports)
        body = (tcp if proto == TCP else udp)(some.randbytes(some.randrange(60)), *ports)
        add(f"random {index}", tagged(body, some.getrandbits(8), proto=proto, saddr=some.getrandbits(32)))
    return {
        "name": "qos_mark", "prog": "qos_mark", "type": "sched_cls", "bench": "sip",
        "maps": {
            "services": {"type": "hash", "key_size": 4, "value_size": 4, "max_entries": 512, "flags": 0},
            "classes": {"type": "array", "key_size": 4, "value_size": 8, "max_entries": 16, "flags": 0},
            "counts": {"type": "percpu_array", "key_size": 4, "value_size": 16, "max_entries": 16, "flags": 0},
        },
        "cases": cases, "inits": inits(table=table),
    }  # fmt: skip
