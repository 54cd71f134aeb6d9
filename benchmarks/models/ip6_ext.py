"""IPv6 extension headers: what each chain must lead to, and how long it is."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import IP, IPV6, TCP, UDP, case, frame, inits, ip6

HOP, ROUTING, FRAGMENT, AH, DEST, MOBILITY, ESP, NONE = 0, 43, 44, 51, 60, 135, 50, 59
EXTENSIONS = {HOP, ROUTING, FRAGMENT, AH, DEST, MOBILITY}


def _chain(kinds: list[tuple[int, int, int]], last: int) -> tuple[int, bytes]:
    """(kind, length field, type) of each header: the first's number, and their bytes."""
    out = b""
    for index, (kind, length, form) in enumerate(kinds):
        following = kinds[index + 1][0] if index + 1 < len(kinds) else last
        size = 8 if kind == FRAGMENT else (length + 2) * 4 if kind == AH else (length + 1) * 8
        body = bytes([following, length, form, 0]) + b"\xee" * (size - 4)
        out += body
    return (kinds[0][0] if kinds else last), out


def _walk(data: bytes) -> tuple[int, int, int] | None:
    """(protocol, headers, where), None to drop. After Ethernet."""
    if data[14] >> 4 != 6:
        return None
    kind, at, count = data[20], 54, 0
    while kind in EXTENSIONS and count < 8:
        if at + 8 > len(data) or (kind == ROUTING and data[at + 2] == 0):
            return None
        length = data[at + 1]
        following = data[at]
        at += 8 if kind == FRAGMENT else (length + 2) * 4 if kind == AH else (length + 1) * 8
        if at > len(data):
            return None
        kind = following
        count += 1
    return None if count == 8 else (kind, count, at)


def spec() -> dict[str, Any]:
    cases = []

    def add(name: str, data: bytes) -> None:
        if len(data) < 54 or data[12:14] != b"\x86\xdd":
            cases.append(case(name, data, 2, data))
            return
        found = _walk(data)
        if found is None:
            cases.append(case(name, data, 1, data))
            return
        value = struct.pack("<QQQ", 1, len(data), found[1])
        cases.append(case(name, data, 2, data, protocols={struct.pack("<I", found[0]): value}))

    def packet(kinds: list[tuple[int, int, int]], last: int = TCP, more: bytes = bytes(20)) -> bytes:
        first, body = _chain(kinds, last)
        return frame(ip6(body + more, first), IPV6)

    plain = [(HOP, 0, 5), (DEST, 1, 4), (FRAGMENT, 0, 0)]
    add("three headers", packet(plain))
    add("tcp", packet([]))
    add("udp", packet([], UDP))
    for kind in sorted(EXTENSIONS):
        add(f"header {kind}", packet([(kind, 2, 3)], UDP))
        add(f"header {kind}, nothing behind", packet([(kind, 2, 3)], UDP, b""))
        add(f"header {kind} cut", packet([(kind, 2, 3)], UDP, b"")[:-1])
        add(f"long header {kind}", packet([(kind, 60, 3)], UDP))
    add("routing type 0", packet([(ROUTING, 0, 0)]))
    add("routing type 4", packet([(ROUTING, 0, 4)]))
    add("esp", packet([(HOP, 0, 1), (ESP, 0, 0)]))
    add("none", packet([], NONE, b""))
    for count in range(1, 11):
        add(f"{count} headers", packet([(DEST, 0, 1)] * count, UDP))
    add("version", packet(plain)[:14] + b"\x40" + packet(plain)[15:])
    add("not IPv6", frame(packet(plain)[14:], IP))
    whole = packet(plain, TCP, b"")
    for size in range(15, len(whole) + 1, 5):
        add(f"cut at {size}", whole[:size])
    some = random.Random(6)
    for index in range(120):
        kinds = [
            (
                some.choice([HOP, ROUTING, FRAGMENT, AH, DEST, MOBILITY]),
                some.choice([0, 0, 0, 1, 2, 7]),
                some.choice([0, 2, 4, 4, 4]),
            )
            for _ in range(some.randrange(0, 10))
        ]
        data = packet(kinds, some.choice([TCP, UDP, 58, NONE, 200]), some.randbytes(some.randrange(0, 30)))
        add(f"random {index}", data[: some.randrange(54, len(data) + 1)] if some.random() < 0.2 else data)
    table = {"type": "array", "key_size": 4, "value_size": 24, "max_entries": 256, "flags": 0}
    return {
        "name": "ip6_ext", "prog": "ip6_ext", "type": "xdp", "maps": {"protocols": table}, "bench": "three headers",
        "cases": cases, "inits": inits(empty={}),
    }  # fmt: skip
