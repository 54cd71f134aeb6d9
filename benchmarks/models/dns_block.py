"""DNS queries: names in any case, blocked or not, cut short, too long, with odd labels."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import IPV6, TCP, UDP, case, frame, inits, ip4, udp

BLOCKED = ("ads.example.com", "tracker.net", "a.b.c.d.e.f", "x" * 60, "xn--bcher-kva.example")


def _wire(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _hash(name: bytes) -> int:
    """FNV-1a of the name on the wire, in lower case, but for the last zero."""
    value = 0xCBF29CE484222325
    for byte in name[:-1]:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def _question(data: bytes) -> tuple[bytes, int] | None:
    """The name in lower case and the type of what is asked; None where it is not sound."""
    at, name = 54, b""
    while at < len(data) and data[at]:
        size = data[at]
        if size > 63 or at + size >= len(data):
            return None
        name += data[at : at + 1] + data[at + 1 : at + 1 + size].lower()
        at += 1 + size
    if at >= len(data) or len(name) + 1 > 64 or at + 5 > len(data):
        return None
    return name + b"\0", struct.unpack_from(">H", data, at + 1)[0]


def spec() -> dict[str, Any]:
    start = {struct.pack("<Q", _hash(_wire(name))): bytes(8) for name in BLOCKED}
    cases = []

    def add(name: str, data: bytes, ours: bool = True) -> None:
        if not ours or len(data) < 54:
            cases.append(case(name, data, 2, data, "names", blocked=start))
            return
        found = _question(data)
        if found is None:
            cases.append(case(name, data, 1, data, "names", blocked=start))
            return
        asked = {struct.pack("<I", found[1]): struct.pack("<Q", 1)} if found[1] < 256 else {}
        key = struct.pack("<Q", _hash(found[0]))
        after = {**start, key: struct.pack("<Q", 1)} if key in start else start
        cases.append(case(name, data, 1 if key in start else 2, data, "names", blocked=after, types=asked))

    def query(wire: bytes, qtype: int = 1, flags: int = 0x0100, count: int = 1, **more: Any) -> bytes:
        head = struct.pack(">6H", 7, flags, count, 0, 0, 0)
        return frame(ip4(udp(head + wire + struct.pack(">HH", qtype, 1), **more), UDP))

    add("www.example.com", query(_wire("www.example.com")))
    for name in BLOCKED:
        add(name, query(_wire(name)))
        add(name.upper(), query(_wire(name.upper()), 28))
    add("root", query(b"\0"))
    add("type 255", query(_wire("tracker.net"), 255))
    add("type 256", query(_wire("tracker.net"), 256))
    add("type 65", query(_wire("example.org"), 65))
    add("a prefix", query(_wire("ads.example.co")))
    add("[not letters]@", query(_wire("[ADS]@EXAMPLE.COM`{")))
    add("compressed", query(b"\x03www\xc0\x0c"))
    add("label of 64", query(b"\x40" + b"a" * 64 + b"\0"))
    add("too long", query(_wire("abcdefgh." * 7 + "a")))
    add("longest", query(_wire("a" * 62)))
    add("one more", query(_wire("a" * 63)))
    add("response", query(_wire("tracker.net"), flags=0x8180), False)
    add("two questions", query(_wire("tracker.net"), count=2), False)
    add("other port", query(_wire("tracker.net"), dest=54), False)
    add("from port 53", query(_wire("tracker.net"), source=53))
    add("tcp", frame(ip4(query(_wire("tracker.net"))[34:], TCP)), False)
    add("options", frame(ip4(query(_wire("tracker.net"))[34:], UDP, options=bytes(4))), False)
    add("not IPv4", frame(query(_wire("tracker.net"))[14:], IPV6), False)
    whole = query(_wire("ads.example.com"))
    for size in range(14, len(whole)):
        add(f"cut at {size}", whole[:size])
    some = random.Random(53)
    for index in range(60):
        if some.random() < 0.3:
            text = "".join(some.choice((c.upper(), c)) for c in some.choice(BLOCKED))
        else:
            text = ".".join(
                "".join(some.choices("abcXYZ-19_", k=some.randrange(1, 9))) for _ in range(some.randrange(1, 9))
            )
        add(f"random {index}: {text}", query(_wire(text), some.choice([1, 2, 15, 16, 28, 33, 65, 255, 257])))
    for index in range(30):
        add(f"noise {index}", query(some.randbytes(some.randrange(1, 80))))
    names = {"type": "hash", "key_size": 8, "value_size": 8, "max_entries": 1024, "flags": 0}
    types = {"type": "array", "key_size": 4, "value_size": 8, "max_entries": 256, "flags": 0}
    return {
        "name": "dns_block", "prog": "dns_block", "type": "xdp", "maps": {"blocked": names, "types": types},
        "bench": "www.example.com", "cases": cases, "inits": inits(names={"blocked": start}),
    }  # fmt: skip
