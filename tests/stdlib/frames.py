"""Packets made by hand, with right lengths and checksums: a reference of our own beside what programs compute."""

from __future__ import annotations

import struct

__all__ = ["checksum", "ethernet", "ipv4", "ipv6", "tcp", "udp"]


def checksum(data: bytes) -> int:
    """RFC 1071, word by word."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(kind: int, payload: bytes, *tags: tuple[int, int]) -> bytes:
    """A frame; `tags` are (EtherType of the tag, VLAN)."""
    head = bytes.fromhex("020000000001 020000000002")
    for protocol, vlan in tags:
        head += struct.pack(">HH", protocol, vlan)
    return head + struct.pack(">H", kind) + payload


def ipv4(
    protocol: int, payload: bytes, *, options: bytes = b"", source: int = 0x0A000001, dest: int = 0x0A000002,
    fragment: int = 0, ttl: int = 64,
) -> bytes:  # fmt: skip
    length = 20 + len(options)
    head = struct.pack(
        ">BBHHHBBHII", 0x40 | length // 4, 0, length + len(payload), 7, fragment, ttl, protocol, 0, source, dest
    )
    head += options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ipv6(protocol: int, payload: bytes, *, source: bytes = b"\xfd" + bytes(14) + b"\1",
         dest: bytes = b"\xfd" + bytes(14) + b"\2") -> bytes:  # fmt: skip
    return struct.pack(">IHBB", 0x6000_0000, len(payload), protocol, 64) + source + dest + payload


def _pseudo(protocol: int, length: int, source: int | bytes, dest: int | bytes) -> bytes:
    if isinstance(source, int) and isinstance(dest, int):
        return struct.pack(">IIBBH", source, dest, 0, protocol, length)
    assert isinstance(source, bytes) and isinstance(dest, bytes)
    return source + dest + struct.pack(">II", length, protocol)


def tcp(
    payload: bytes = b"", *, options: bytes = b"", flags: int = 0x02, sport: int = 1234, dport: int = 80,
    source: int | bytes = 0x0A000001, dest: int | bytes = 0x0A000002,
) -> bytes:  # fmt: skip
    options += bytes(-len(options) % 4)
    length = 20 + len(options)
    made = struct.pack(">HHIIHHHH", sport, dport, 1, 2, length // 4 << 12 | flags, 1000, 0, 0) + options + payload
    check = checksum(_pseudo(6, len(made), source, dest) + made)
    return made[:16] + struct.pack(">H", check) + made[18:]


def udp(payload: bytes = b"", *, sport: int = 1234, dport: int = 53, source: int | bytes = 0x0A000001,
        dest: int | bytes = 0x0A000002) -> bytes:  # fmt: skip
    made = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    check = checksum(_pseudo(17, len(made), source, dest) + made) or 0xFFFF
    return made[:6] + struct.pack(">H", check) + made[8:]
