"""SYN cookies: the whole answer to a SYN, and which ACKs are right."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import IPV6, TCP, UDP, case, checksum, frame, inits, ip4, tcp

KEYS = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
PORTS = (22, 80, 443, 65535)
FIN, SYN, RST, ACK = 1, 2, 4, 16
WORD = 2**64 - 1


def _round(v: list[int]) -> None:
    def rotl(word: int, count: int) -> int:
        return (word << count | word >> 64 - count) & WORD

    v[0] = (v[0] + v[1]) & WORD
    v[1] = rotl(v[1], 13) ^ v[0]
    v[0] = rotl(v[0], 32)
    v[2] = (v[2] + v[3]) & WORD
    v[3] = rotl(v[3], 16) ^ v[2]
    v[0] = (v[0] + v[3]) & WORD
    v[3] = rotl(v[3], 21) ^ v[0]
    v[2] = (v[2] + v[1]) & WORD
    v[1] = rotl(v[1], 17) ^ v[2]
    v[2] = rotl(v[2], 32)


def _cookie(message: int) -> int:
    v = [
        KEYS[0] ^ 0x736F6D6570736575,
        KEYS[1] ^ 0x646F72616E646F6D,
        KEYS[0] ^ 0x6C7967656E657261,
        KEYS[1] ^ 0x7465646279746573,
    ]
    v[3] ^= message
    for _ in range(2):
        _round(v)
    v[0] ^= message
    v[2] ^= 0xFF
    for _ in range(4):
        _round(v)
    return (v[0] ^ v[1] ^ v[2] ^ v[3]) & 0xFFFFFFFF


def _answer(data: bytes, cookie: int) -> bytes:
    saddr, daddr = data[30:34], data[26:30]
    head = data[14:16] + struct.pack(">H", 40) + data[18:22] + b"\x40\x06\0\0" + saddr + daddr
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    sequence = (int.from_bytes(data[38:42], "big") + 1) & 0xFFFFFFFF
    flags = struct.pack(">BB", 5 << 4 | data[46] & 15, data[47] | ACK)
    body = data[36:38] + data[34:36] + struct.pack(">II", cookie, sequence) + flags + bytes(4) + data[52:54]
    found = checksum(saddr + daddr + struct.pack(">HH", TCP, 20) + body)
    return data[6:12] + data[:6] + data[12:14] + head + body[:16] + struct.pack(">H", found) + body[18:]


def spec() -> dict[str, Any]:
    start = {
        "secret": {bytes(4): struct.pack("<QQ", *KEYS)},
        "ports": {struct.pack("<H", port): struct.pack("<H", 1460) for port in PORTS},
    }
    cases: list[dict[str, Any]] = []

    def add(name: str, data: bytes, ours: bool = True) -> None:
        source, dest = struct.unpack_from(">HH", data, 34) if ours else (0, 0)
        flags = data[47] if ours else 0
        if not ours or dest not in PORTS or flags & (FIN | RST) or bool(flags & SYN) == bool(flags & ACK):
            cases.append(case(name, data, 2, data, "open"))
            return
        saddr, daddr = struct.unpack_from(">II", data, 26)
        cookie = _cookie((saddr << 32 | daddr) ^ (source << 16 | dest))
        counted, retval, out = (1, 0, 0), 3, _answer(data, cookie)
        if flags & ACK:
            right = struct.unpack_from(">I", data, 42)[0] == (cookie + 1) & 0xFFFFFFFF
            counted, retval, out = ((0, 1, 0), 2, data) if right else ((0, 0, 1), 1, data)
        cases.append(case(name, data, retval, out, "open", seen={bytes(4): struct.pack("<QQQ", *counted)}))

    def packet(saddr: int, daddr: int, source: int, dest: int, flags: int, payload: bytes = b"", **more: Any) -> bytes:
        return frame(ip4(tcp(payload, source, dest, flags, **more), TCP, saddr, daddr))

    ends = (0x0A000001, 0x0A000002, 40000, 443)
    right = _cookie((ends[0] << 32 | ends[1]) ^ (ends[2] << 16 | ends[3]))
    add("syn", packet(*ends, SYN))
    add("syn with options", packet(*ends, SYN, options=b"\x02\x04\x05\xb4\x01\x03\x03\x07"))
    add("syn with data", packet(*ends, SYN, b"early"))
    add("right ack", packet(*ends, ACK, ack=(right + 1) & 0xFFFFFFFF))
    add("right ack with data", packet(*ends, ACK, b"GET /", ack=(right + 1) & 0xFFFFFFFF))
    add("wrong ack", packet(*ends, ACK, ack=right))
    add("last sequence number", packet(*ends, SYN, seq=0xFFFFFFFF))
    for flags in range(64):
        add(f"flags {flags}", packet(*ends, flags))
    add("closed port", packet(*ends[:3], 81, SYN))
    add("udp", frame(ip4(tcp(b"", *ends[2:], SYN), UDP, *ends[:2])), False)
    add("options of IP", frame(ip4(tcp(b"", *ends[2:], SYN), TCP, *ends[:2], options=bytes(4))), False)
    add("not IPv4", frame(packet(*ends, SYN)[14:], IPV6), False)
    for size in range(14, 54, 7):
        add(f"cut at {size}", packet(*ends, SYN)[:size], False)
    some = random.Random(24)
    for index in range(80):
        ends = (some.getrandbits(32), some.getrandbits(32), some.getrandbits(16), some.choice(PORTS))
        found = _cookie((ends[0] << 32 | ends[1]) ^ (ends[2] << 16 | ends[3]))
        if some.random() < 0.5:
            add(
                f"random syn {index}",
                packet(
                    *ends, SYN | some.choice((0, 0xC0)), some.randbytes(some.randrange(9)), seq=some.getrandbits(32)
                ),
            )
        else:
            add(f"random ack {index}", packet(*ends, ACK, ack=(found + some.choice((0, 1, 1, 2))) & 0xFFFFFFFF))
    array = {"type": "array", "key_size": 4, "max_entries": 1, "flags": 0}
    return {
        "name": "syn_cookie", "prog": "syn_cookie", "type": "xdp", "bench": "right ack",
        "maps": {
            "secret": {**array, "value_size": 16},
            "ports": {"type": "hash", "key_size": 2, "value_size": 2, "max_entries": 64, "flags": 0},
            "seen": {**array, "type": "percpu_array", "value_size": 24},
        },
        "cases": cases, "inits": inits(open=start),
    }  # fmt: skip
