"""Packets for the models' cases, written with `struct` alone, and the Internet checksum."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MACS = bytes.fromhex("020000000002020000000001")
TCP, UDP, ICMP = 6, 17, 1
IP, IPV6, VLAN, QINQ = 0x0800, 0x86DD, 0x8100, 0x88A8


def checksum(data: bytes, start: int = 0) -> int:
    """Of RFC 1071; `start` is a sum to go on from."""
    data += b"\0" * (len(data) % 2)
    total = start + sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def frame(payload: bytes, proto: int = IP, tags: Iterable[tuple[int, int]] = ()) -> bytes:
    """Ethernet, with VLAN tags as (TPID, TCI)."""
    out = MACS
    for tpid, tci in tags:
        out += struct.pack(">HH", tpid, tci)
    return out + struct.pack(">H", proto) + payload


def ip4(
    payload: bytes, proto: int, saddr: int = 0x0A000001, daddr: int = 0x0A000002, *, ttl: int = 64,
    options: bytes = b"", frag: int = 0, ihl: int | None = None, version: int = 4,
) -> bytes:  # fmt: skip
    words = 5 + len(options) // 4 if ihl is None else ihl
    size = 20 + len(options) + len(payload)
    head = (
        struct.pack(">BBHHHBBHII", version << 4 | words, 0, size, 0x1234, frag, ttl, proto, 0, saddr, daddr) + options
    )
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ip6(
    payload: bytes, nexthdr: int, saddr: bytes = b"\xfd" + bytes(15), daddr: bytes = b"\xfd" + bytes(14) + b"\x02"
) -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(payload), nexthdr, 64) + saddr + daddr + payload


def udp(payload: bytes, source: int = 4000, dest: int = 53, pseudo: bytes | None = None) -> bytes:
    """With its checksum where `pseudo`, the pseudo header's two addresses, is given."""
    head = struct.pack(">HHHH", source, dest, 8 + len(payload), 0)
    if pseudo is None:
        return head + payload
    body = head + payload
    found = checksum(pseudo + struct.pack(">BBH", 0, UDP, len(body)) + body) or 0xFFFF
    return head[:6] + struct.pack(">H", found) + payload


def tcp(
    payload: bytes, source: int = 4000, dest: int = 80, flags: int = 0x10, seq: int = 1, ack: int = 2,
    pseudo: bytes | None = None, options: bytes = b"", window: int = 1000,
) -> bytes:  # fmt: skip
    doff = 5 + len(options) // 4
    head = struct.pack(">HHIIBBHHH", source, dest, seq, ack, doff << 4, flags, window, 0, 0) + options
    if pseudo is None:
        return head + payload
    body = head + payload
    found = checksum(pseudo + struct.pack(">BBH", 0, TCP, len(body)) + body)
    return head[:16] + struct.pack(">H", found) + head[18:] + payload


def case(
    name: str, data: bytes, retval: int, out: bytes | None, init: str = "empty", **maps: dict[bytes, bytes]
) -> dict[str, Any]:
    """A row of `cases`. What a map holds afterwards is given by the map's name."""
    rows = {key: [[k.hex(), v.hex()] for k, v in sorted(content.items())] for key, content in maps.items()}
    return {
        "name": name, "init": init, "data_in": data.hex(), "retval": retval,
        "data_out": None if out is None else out.hex(), "map_expect": rows,
    }  # fmt: skip


def inits(**given: dict[str, dict[bytes, bytes]]) -> dict[str, Any]:
    """The named contents that maps start with."""
    return {
        name: {table: [[k.hex(), v.hex()] for k, v in rows.items()] for table, rows in tables.items()}
        for name, tables in given.items()
    }
