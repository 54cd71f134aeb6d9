"""A count-min sketch: what is in each row after a packet, from rows that are empty, full, or about to overflow."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import ICMP, UDP, case, frame, inits, ip4, udp

ROWS, COLUMNS, THRESHOLD = 4, 512, 100


def _jhash(a: int, initval: int) -> int:
    """jhash_1word() of include/linux/jhash.h."""

    def rol(word: int, shift: int) -> int:
        return (word << shift | word >> 32 - shift) & 0xFFFFFFFF

    b = c = (initval + 0xDEADBEEF + 4) & 0xFFFFFFFF
    a = (a + b) & 0xFFFFFFFF
    for shifts in ((14, 11, 25), (16, 4, 14)):
        c = ((c ^ b) - rol(b, shifts[0])) & 0xFFFFFFFF
        a = ((a ^ c) - rol(c, shifts[1])) & 0xFFFFFFFF
        b = ((b ^ a) - rol(a, shifts[2])) & 0xFFFFFFFF
    return ((c ^ b) - rol(b, 24)) & 0xFFFFFFFF


Rows = list[list[int]]


def _map(rows: Rows) -> dict[bytes, bytes]:
    return {struct.pack("<I", n): struct.pack(f"<{COLUMNS}I", *row) for n, row in enumerate(rows)}


def spec() -> dict[str, Any]:
    some = random.Random(4)
    starts: dict[str, Rows] = {
        "empty": [[0] * COLUMNS for _ in range(ROWS)],
        "busy": [[some.randrange(90, 110) for _ in range(COLUMNS)] for _ in range(ROWS)],
        "full": [[some.choice((0, 99, 0xFFFFFFFF, 0xFFFFFFFE)) for _ in range(COLUMNS)] for _ in range(ROWS)],
    }
    cases: list[dict[str, Any]] = []

    def add(name: str, data: bytes, init: str, ours: bool = True) -> None:
        rows = [list(row) for row in starts[init]]
        if not ours:
            cases.append(case(name, data, 0, data, init, sketch=_map(rows)))
            return
        source = int.from_bytes(data[26:30], "big")
        least = 0xFFFFFFFF
        for n in range(ROWS):
            column = _jhash(source, n) % COLUMNS
            rows[n][column] = (rows[n][column] + 1) % 2**32
            least = min(least, rows[n][column])
        if least < THRESHOLD:
            cases.append(case(name, data, 0, data, init, sketch=_map(rows)))
        else:
            kept = {data[26:30]: struct.pack("<Q", least)}
            cases.append(case(name, data, 2, data, init, sketch=_map(rows), heavy=kept))

    def packet(saddr: int) -> bytes:
        return frame(ip4(udp(b"payload"), UDP, saddr))

    add("first", packet(0x0A000001), "empty")
    add("icmp", frame(ip4(bytes(20), ICMP, 0x0A000001)), "busy")
    add("ARP", frame(packet(1)[14:], 0x0806), "busy", False)
    add("header only", packet(1)[:34], "busy")
    for index in range(90):
        add(f"random {index}", packet(some.getrandbits(32)), some.choice(("empty", "busy", "busy", "full")))
    return {
        "name": "count_min", "prog": "count_min", "type": "sched_cls", "bench": "first",
        "maps": {
            "sketch": {"type": "array", "key_size": 4, "value_size": 4 * COLUMNS, "max_entries": ROWS, "flags": 0},
            "heavy": {"type": "lru_hash", "key_size": 4, "value_size": 8, "max_entries": 128, "flags": 0},
        },
        "cases": cases, "inits": inits(**{name: {"sketch": _map(rows)} for name, rows in starts.items()}),
    }  # fmt: skip
