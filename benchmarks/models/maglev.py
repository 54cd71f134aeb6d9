"""Consistent hashing: which backend each flow must go to, and that those that are down get nothing."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import ICMP, IPV6, TCP, UDP, case, frame, inits, ip4, tcp, udp

SLOTS, BACKENDS = 251, 16
VIPS = {0x0A0000C8: 0, 0x0A0000C9: 0x12345678, 0xC6336401: 0xFFFFFFF0}


def _jhash(a: int, b: int, c: int, initval: int) -> int:
    """jhash_3words() of include/linux/jhash.h."""

    def rol(word: int, shift: int) -> int:
        return (word << shift | word >> 32 - shift) & 0xFFFFFFFF

    a, b, c = [(word + initval + 0xDEADBEEF + 12) & 0xFFFFFFFF for word in (a, b, c)]
    for shifts in ((14, 11, 25), (16, 4, 14)):
        c = ((c ^ b) - rol(b, shifts[0])) & 0xFFFFFFFF
        a = ((a ^ c) - rol(c, shifts[1])) & 0xFFFFFFFF
        b = ((b ^ a) - rol(a, shifts[2])) & 0xFFFFFFFF
    return ((c ^ b) - rol(b, 24)) & 0xFFFFFFFF


def spec() -> dict[str, Any]:
    some = random.Random(251)
    slots = [some.randrange(BACKENDS) for _ in range(SLOTS)]
    backends = [(bytes([2, 0, 0, 0, 1, n]), n not in (3, 11)) for n in range(BACKENDS)]
    start = {
        "vips": {struct.pack(">I", vip): struct.pack("<I", seed) for vip, seed in VIPS.items()},
        "ring": {struct.pack("<I", n): struct.pack("<I", slot) for n, slot in enumerate(slots)},
        "backends": {struct.pack("<I", n): mac + struct.pack("<H", up) for n, (mac, up) in enumerate(backends)},
    }
    cases: list[dict[str, Any]] = []

    def add(name: str, data: bytes, flow: tuple[int, int, int, int, int] | None) -> None:
        if flow is None or flow[1] not in VIPS:
            cases.append(case(name, data, 2, data, "table"))
            return
        saddr, daddr, source, dest, proto = flow
        chosen = slots[_jhash(saddr, daddr, source << 16 | dest, VIPS[daddr] + proto) % SLOTS]
        mac, up = backends[chosen]
        if not up:
            cases.append(case(name, data, 1, data, "table"))
            return
        counted = {struct.pack("<I", chosen): struct.pack("<QQ", 1, len(data))}
        cases.append(case(name, data, 3, mac + data[:6] + data[12:], "table", stats=counted))

    def packet(saddr: int, daddr: int, source: int, dest: int, proto: int, **more: Any) -> bytes:
        return frame(ip4((tcp if proto == TCP else udp)(b"data", source, dest), proto, saddr, daddr, **more))

    vip = 0x0A0000C8
    flow = (0x0A000001, vip, 40000, 443, TCP)
    add("tcp", packet(*flow), flow)
    for name, other in (("udp", (1, vip, 4000, 53, UDP)), ("another address", (1, vip + 7, 4000, 53, UDP))):
        add(name, packet(*other), other)
    add("fragment", packet(*flow, frag=0x2000), None)
    add("options", packet(*flow, options=bytes(4)), None)
    add("icmp", frame(ip4(bytes(30), ICMP, 1, vip)), None)
    add("not IPv4", frame(packet(*flow)[14:], IPV6), None)
    whole = packet(*flow)
    for size in range(14, 38, 3):
        add(f"cut at {size}", whole[:size], None)
    add("only ports", whole[:38], flow)
    for index in range(120):
        flow = (
            some.getrandbits(32),
            some.choice(list(VIPS)),
            some.getrandbits(16),
            some.getrandbits(16),
            some.choice([TCP, UDP]),
        )
        add(f"random {index}", packet(*flow), flow)
    array = {"type": "array", "key_size": 4, "flags": 0}
    return {
        "name": "maglev", "prog": "maglev", "type": "xdp", "bench": "tcp",
        "maps": {
            "vips": {"type": "hash", "key_size": 4, "value_size": 4, "max_entries": 64, "flags": 0},
            "ring": {**array, "value_size": 4, "max_entries": SLOTS},
            "backends": {**array, "value_size": 8, "max_entries": BACKENDS},
            "stats": {"type": "percpu_array", "key_size": 4, "value_size": 16, "max_entries": BACKENDS, "flags": 0},
        },
        "cases": cases, "inits": inits(table=start),
    }  # fmt: skip
