"""Destination NAT: the packet that comes out is one with checksums computed anew."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import ICMP, IPV6, TCP, UDP, case, checksum, frame, inits, ip4, tcp, udp

RULES = {
    (0x0A000064, 80, TCP): (0xC0A80102, 8080),
    (0x0A000064, 53, UDP): (0xC0A80103, 5353),
    (0xFFFFFFFF, 65535, TCP): (0, 0),
    (0, 1, UDP): (0xFFFFFFFF, 0xFFFF),
    (0x0A000065, 443, TCP): (0x0A000065, 443),
}


def _key(rule: tuple[int, int, int]) -> bytes:
    return struct.pack(">IHBx", *rule)


def _value(to: tuple[int, int], packets: int, size: int) -> bytes:
    return struct.pack(">IHxx", *to) + struct.pack("<QQ", packets, size)


def _packet(
    saddr: int, daddr: int, sport: int, dport: int, proto: int, data: bytes, plain: bool = False, **more: Any
) -> bytes:
    pseudo = None if plain else struct.pack(">II", saddr, daddr)
    body = (tcp if proto == TCP else udp)(data, sport, dport, pseudo=pseudo)
    return frame(ip4(body, proto, saddr, daddr, **more))


def _mended(data: bytes, to: tuple[int, int], proto: int) -> bytes:
    """By the rule of RFC 1624, which never gives +0 for a sum that is not 0."""
    at = 34 + (16 if proto == TCP else 6)
    old, new = data[30:34], struct.pack(">I", to[0])
    out = bytearray(data)

    def mend(where: int, gone: bytes, came: bytes) -> None:
        inverse = bytes(255 - byte for byte in gone)
        out[where : where + 2] = struct.pack(
            ">H", checksum(bytes(255 - byte for byte in out[where : where + 2]) + inverse + came)
        )

    if proto == TCP or data[at : at + 2] != b"\0\0":
        mend(at, old, new)
        mend(at, data[36:38], struct.pack(">H", to[1]))
        if proto == UDP and out[at : at + 2] == b"\0\0":
            out[at : at + 2] = b"\xff\xff"
    mend(24, old, new)
    out[30:34] = new
    out[36:38] = struct.pack(">H", to[1])
    return bytes(out)


def spec() -> dict[str, Any]:
    start = {_key(rule): _value(to, 0, 0) for rule, to in RULES.items()}
    cases = []

    def add(name: str, data: bytes, rule: tuple[int, int, int] | None) -> None:
        if rule is None:
            cases.append(case(name, data, 2, data, "rules", rules=start))
            return
        to = RULES[rule]
        after = {**start, _key(rule): _value(to, 1, len(data))}
        cases.append(case(name, data, 3, _mended(data, to, rule[2]), "rules", rules=after))

    some = random.Random(11)
    hit, dns = (0x0A000064, 80, TCP), (0x0A000064, 53, UDP)
    add("tcp", _packet(0x0A000001, *hit[:1], 4000, 80, TCP, b"GET / HTTP/1.1"), hit)
    add("udp", _packet(0x0A000001, dns[0], 4000, 53, UDP, b"question"), dns)
    add("udp without checksum", _packet(0x0A000001, dns[0], 4000, 53, UDP, b"question", plain=True), dns)
    add("tcp port of udp", _packet(0x0A000001, dns[0], 4000, 53, TCP, b"x"), None)
    add("other port", _packet(0x0A000001, hit[0], 4000, 81, TCP, b"x"), None)
    add("other address", _packet(0x0A000001, 0x0A000063, 4000, 80, TCP, b"x"), None)
    add("first fragment", _packet(0x0A000001, hit[0], 4000, 80, TCP, b"x", frag=0x2000), None)
    add("later fragment", _packet(0x0A000001, hit[0], 4000, 80, TCP, b"x", frag=0x0010), None)
    add("don't fragment", _packet(0x0A000001, hit[0], 4000, 80, TCP, b"x", frag=0x4000), hit)
    add("options", _packet(0x0A000001, hit[0], 4000, 80, TCP, b"x", options=b"\x01\x01\x01\x00"), None)
    add("icmp", frame(ip4(b"\x08\0" + bytes(30), ICMP, 1, hit[0])), None)
    add("not IPv4", frame(_packet(1, hit[0], 4000, 80, TCP, b"x")[14:], IPV6), None)
    whole = _packet(0x0A000001, hit[0], 4000, 80, TCP, b"")
    for size in range(14, len(whole), 3):
        add(f"tcp cut at {size}", whole[:size], None)
    whole = _packet(0x0A000001, dns[0], 4000, 53, UDP, b"")
    add("udp, header only", whole, dns)
    add("udp cut", whole[:-1], None)
    for index in range(80):
        rule = some.choice(list(RULES))
        data = some.randbytes(some.randrange(0, 60))
        plain = some.random() < 0.2
        add(
            f"random {index}",
            _packet(some.getrandbits(32), rule[0], some.getrandbits(16), rule[1], rule[2], data, plain),
            rule,
        )
    table = {"type": "hash", "key_size": 8, "value_size": 24, "max_entries": 256, "flags": 0}
    return {
        "name": "nat", "prog": "nat", "type": "xdp", "maps": {"rules": table}, "bench": "tcp",
        "cases": cases, "inits": inits(rules={"rules": start}),
    }  # fmt: skip
