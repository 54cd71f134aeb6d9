"""GRE taken off: with each combination of its optional fields, what is inside, and packets that end too early."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import IP, IPV6, MACS, UDP, case, frame, inits, ip4, ip6, udp

GRE, TEB = 47, 0x6558
CSUM, ROUTING, KEY, SEQ = 0x8000, 0x4000, 0x2000, 0x1000
TUNNELS = ((0x0A000001, 0), (0x0A000001, 7), (0xC0A80001, 0xFFFFFFFF), (0, 0x12345678))


def _gre(payload: bytes, proto: int, flags: int, key: int) -> bytes:
    out = struct.pack(">HH", flags, proto)
    out += struct.pack(">HH", 0xABCD, 0) if flags & CSUM else b""
    out += struct.pack(">I", key) if flags & KEY else b""
    out += struct.pack(">I", 99) if flags & SEQ else b""
    return out + payload


def _model(data: bytes) -> tuple[int, bytes, tuple[int, int] | None]:
    """The answer, the packet then, and the tunnel."""
    if len(data) < 34 or data[12:14] != b"\x08\0" or data[14] & 15 != 5 or data[23] != GRE:
        return 2, data, None
    if struct.unpack_from(">H", data, 20)[0] & 0x3FFF:
        return 2, data, None
    if len(data) < 38:
        return 1, data, None
    flags, proto = struct.unpack_from(">HH", data, 34)
    if flags & (ROUTING | 7):
        return 1, data, None
    at = 38 + (4 if flags & CSUM else 0)
    end = at + (4 if flags & KEY else 0) + (4 if flags & SEQ else 0)
    if len(data) < end:
        return 1, data, None
    key = struct.unpack_from(">I", data, at)[0] if flags & KEY else 0
    tunnel = (struct.unpack_from(">I", data, 26)[0], key)
    if tunnel not in TUNNELS:
        return 2, data, None
    if proto == TEB:  # a frame has an Ethernet header at least
        return (2, data[end:], tunnel) if len(data) - end >= 14 else (1, data, tunnel)
    if proto not in (IP, IPV6):
        return 1, data, tunnel
    return 2, data[:12] + struct.pack(">H", proto) + data[end:], tunnel


def spec() -> dict[str, Any]:
    start = {struct.pack(">II", *tunnel): bytes(16) for tunnel in TUNNELS}
    cases = []

    def add(name: str, data: bytes) -> None:
        answer, out, tunnel = _model(data)
        after = dict(start)
        if tunnel is not None:
            after[struct.pack(">II", *tunnel)] = struct.pack("<QQ", 1, len(data))
        cases.append(case(name, data, answer, out if answer == 2 else None, "tunnels", tunnels=after))

    def packet(
        inner: bytes, proto: int = IP, flags: int = 0, tunnel: tuple[int, int] = TUNNELS[0], **more: Any
    ) -> bytes:
        return frame(ip4(_gre(inner, proto, flags, tunnel[1]), GRE, tunnel[0], **more))

    some = random.Random(21)
    inner, inner6 = ip4(udp(b"inside"), UDP, 1, 2), ip6(udp(b"inside"), UDP)
    add("unknown key", packet(inner, flags=CSUM | KEY | SEQ, tunnel=(0x0A000001, 8)))
    add("plain", packet(inner))
    add("udp", frame(ip4(udp(b"payload"), UDP)))
    add("not IPv4", frame(packet(inner)[14:], IPV6))
    add("options", packet(inner, options=bytes(4)))
    add("fragment", packet(inner, frag=0x2000))
    add("don't fragment", packet(inner, frag=0x4000))
    add("routing", packet(inner, flags=ROUTING))
    add("PPTP", packet(inner, flags=1))
    add("other remote", packet(inner, tunnel=(0x0B000001, 0)))
    for flags in range(8):
        bits = (flags & 4) << 13 | (flags & 2) << 12 | (flags & 1) << 12
        tunnel = TUNNELS[1] if bits & KEY else TUNNELS[0]
        add(f"IPv4, flags {bits:x}", packet(inner, IP, bits, tunnel))
        add(f"IPv6, flags {bits:x}", packet(inner6, IPV6, bits, tunnel))
        add(f"Ethernet, flags {bits:x}", packet(MACS[::-1] + b"\x08\0" + inner, TEB, bits, tunnel))
        add(f"ARP, flags {bits:x}", packet(inner, 0x0806, bits, tunnel))
        whole = packet(inner, IP, bits, tunnel)
        for size in range(32, 54, 3):
            add(f"flags {bits:x} cut at {size}", whole[:size])
    for index in range(60):
        bits = some.choice((0, CSUM, KEY, SEQ, CSUM | KEY, KEY | SEQ, CSUM | KEY | SEQ))
        proto = some.choice((IP, IP, IPV6, TEB))
        tunnel = some.choice(TUNNELS[1:] if bits & KEY else TUNNELS[:1])
        add(f"random {index}", packet(some.randbytes(some.randrange(14, 200)), proto, bits, tunnel))
    table = {"type": "hash", "key_size": 8, "value_size": 16, "max_entries": 1024, "flags": 0}
    return {
        "name": "gre_decap", "prog": "gre_decap", "type": "xdp", "maps": {"tunnels": table}, "bench": "unknown key",
        "cases": cases, "inits": inits(tunnels={"tunnels": start}),
    }  # fmt: skip
