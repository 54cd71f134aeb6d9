"""ClientHellos: names that are blocked or not, in any place among the extensions, cut short, with lengths that lie."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import IPV6, TCP, UDP, case, frame, inits, ip4, tcp

BLOCKED = (b"ads.example.com", b"tracker.net", b"x" * 64, b"a")


def _hash(name: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in name:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def _name(name: bytes, kind: int = 0) -> tuple[int, bytes]:
    return 0, struct.pack(">HBH", len(name) + 3, kind, len(name)) + name


def _hello(
    extensions: list[tuple[int, bytes]],
    session: bytes = bytes(32),
    ciphers: int = 16,
    compression: bytes = b"\0",
    kind: int = 1,
    record: int = 22,
) -> bytes:
    body = struct.pack(">H", 0x0303) + bytes(range(32)) + bytes([len(session)]) + session
    body += struct.pack(">H", 2 * ciphers) + b"\x13\x01" * ciphers + bytes([len(compression)]) + compression
    text = b"".join(struct.pack(">HH", number, len(data)) + data for number, data in extensions)
    body += struct.pack(">H", len(text)) + text
    body = bytes([kind]) + len(body).to_bytes(3, "big") + body
    return struct.pack(">BHH", record, 0x0301, len(body)) + body


def _server(data: bytes) -> bytes | None:
    """The name that is asked for. `data` begins with Ethernet."""
    if (
        len(data) < 54
        or data[12:14] != b"\x08\0"
        or data[14] & 15 != 5
        or data[23] != TCP
        or data[36:38] != b"\x01\xbb"
    ):
        return None
    if data[46] >> 4 < 5:
        return None
    at = 34 + (data[46] >> 4) * 4
    if len(data) < at + 44 or data[at] != 22 or data[at + 5] != 1:
        return None
    at += 44 + data[at + 43]
    if len(data) < at + 2:
        return None
    at += 2 + int.from_bytes(data[at : at + 2], "big")
    if len(data) < at + 1:
        return None
    at += 3 + data[at]
    for _ in range(16):
        if len(data) < at + 4:
            return None
        kind, size = struct.unpack_from(">HH", data, at)
        at += 4
        if kind == 0:
            break
        at += size
    else:
        return None
    if len(data) < at + 5 or data[at + 2] != 0:
        return None
    size = int.from_bytes(data[at + 3 : at + 5], "big")
    return None if size > 64 or len(data) < at + 5 + size else data[at + 5 : at + 5 + size]


def spec() -> dict[str, Any]:
    start = {struct.pack("<Q", _hash(name)): bytes(8) for name in BLOCKED}
    cases: list[dict[str, Any]] = []

    def add(name: str, data: bytes) -> None:
        server = _server(data)
        key = struct.pack("<Q", _hash(server)) if server is not None else None
        if key in start:
            cases.append(case(name, data, 1, data, "names", blocked={**start, key: struct.pack("<Q", 1)}))
        else:
            cases.append(case(name, data, 2, data, "names", blocked=start))

    def packet(hello: bytes, dest: int = 443, **more: Any) -> bytes:
        return frame(ip4(tcp(hello, 40000, dest, 0x18, **more), TCP))

    some = random.Random(23)
    before = [(0x2B, b"\x08\x03\x04\x03\x03\x7f\x1c\x7f\x1b"), (0x0A, bytes(10)), (0x17, b"")]
    add("blocked", packet(_hello([*before, _name(BLOCKED[0])])))
    for name in (*BLOCKED, b"www.example.com", b"", b"x" * 63, b"x" * 65, b"ads.example.con"):
        add(f"name {name.decode()!r}", packet(_hello([_name(name)])))
        add(f"name {name.decode()!r} last", packet(_hello([*before, _name(name)])))
    for count in range(13, 19):
        add(
            f"{count} before it", packet(_hello([(0x10, bytes(index)) for index in range(count)] + [_name(BLOCKED[1])]))
        )
    add("no name", packet(_hello(before)))
    add("other kind of name", packet(_hello([_name(BLOCKED[0], 1)])))
    add("no session", packet(_hello([_name(BLOCKED[0])], b"")))
    add("long session", packet(_hello([_name(BLOCKED[0])], bytes(255))))
    add("many ciphers", packet(_hello([_name(BLOCKED[0])], ciphers=300)))
    add("compressions", packet(_hello([_name(BLOCKED[0])], compression=bytes(7))))
    add("ServerHello", packet(_hello([_name(BLOCKED[0])], kind=2)))
    add("data", packet(_hello([_name(BLOCKED[0])], record=23)))
    add("options", packet(_hello([_name(BLOCKED[0])]), options=b"\x01" * 12))
    add("other port", packet(_hello([_name(BLOCKED[0])]), 80))
    add("ACK", packet(b""))
    add("udp", frame(ip4(packet(_hello([_name(BLOCKED[0])]))[34:], UDP)))
    add("not IPv4", frame(packet(_hello([_name(BLOCKED[0])]))[14:], IPV6))
    whole = packet(_hello([*before, _name(BLOCKED[0])]))
    for size in range(20, len(whole), 5):
        add(f"cut at {size}", whole[:size])
    for index in range(80):
        extensions = [(some.randrange(1, 60), some.randbytes(some.randrange(30))) for _ in range(some.randrange(12))]
        extensions.insert(some.randrange(len(extensions) + 1), _name(some.choice((*BLOCKED, b"example.org"))))
        hello = bytearray(packet(_hello(extensions, bytes(some.choice((0, 16, 32))), some.randrange(1, 40))))
        if some.random() < 0.4:
            hello[some.randrange(54, len(hello))] = some.getrandbits(8)
        add(f"random {index}", bytes(hello))
    table = {"type": "hash", "key_size": 8, "value_size": 8, "max_entries": 1024, "flags": 0}
    return {
        "name": "tls_sni", "prog": "tls_sni", "type": "xdp", "maps": {"blocked": table}, "bench": "blocked",
        "cases": cases, "inits": inits(names={"blocked": start}),
    }  # fmt: skip
