"""A sliding window of eight slots: what it holds after a packet in the same slot, a later, and an earlier one."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import ICMP, IPV6, UDP, case, frame, inits, ip4, udp

SLOTS, SLOT, LIMIT = 8, 125_000_000, 100
SOURCE = 0x0A000001


def _value(slot: int, counts: list[int], dropped: int) -> bytes:
    return struct.pack("<Q8IQ", slot, *counts, dropped)


def spec() -> dict[str, Any]:
    some = random.Random(25)
    starts: dict[str, tuple[int, list[int], int] | None] = {
        "empty": None,
        "quiet": (1000, [1, 2, 3, 4, 5, 6, 7, 8], 0),
        "full": (1003, [12, 13, 12, 13, 12, 13, 12, 13], 5),
        "burst": (1005, [0, 0, 0, 0, 0, 99, 0, 0], 0),
        "over": (1007, [100, 0, 0, 0, 0, 0, 0, 0], 2**64 - 1),
    }
    cases: list[dict[str, Any]] = []

    def add(name: str, data: bytes, init: str, ours: bool = True) -> None:
        start, key = starts[init], struct.pack(">I", SOURCE)
        before = {} if start is None else {key: _value(*start)}
        if not ours:
            cases.append(case(name, data, 2, data, init, windows=before))
            return
        slot = struct.unpack_from(">Q", data, 42)[0] // SLOT
        if data[26:30] != key or start is None:
            counts = [0] * SLOTS
            counts[slot % SLOTS] = 1
            cases.append(case(name, data, 2, data, init, windows={**before, data[26:30]: _value(slot, counts, 0)}))
            return
        last, counts, dropped = start[0], list(start[1]), start[2]
        if slot > last:
            for index in range(min(slot - last, SLOTS)):
                counts[(last + 1 + index) % SLOTS] = 0
            last = slot
        answer = 2
        if sum(counts) >= LIMIT:
            dropped, answer = (dropped + 1) % 2**64, 1
        else:
            counts[last % SLOTS] += 1
        cases.append(case(name, data, answer, data, init, windows={key: _value(last, counts, dropped)}))

    def packet(time: int, saddr: int = SOURCE, **more: Any) -> bytes:
        return frame(ip4(udp(struct.pack(">Q", time)), UDP, saddr, **more))

    add("later", packet(1003 * SLOT), "quiet")
    for init in starts:
        for slot in (0, 999, 1000, 1001, 1003, 1005, 1006, 1007, 1008, 1010, 1015, 1016, 5000, 2**64 // SLOT):
            add(f"{init}, {slot}", packet(min(slot * SLOT + 7, 2**64 - 1)), init)
        add(f"{init}, another", packet(1003 * SLOT, 0x0A000002), init)
    add("options", packet(1003 * SLOT, options=bytes(4)), "full", False)
    add("icmp", frame(ip4(bytes(30), ICMP, SOURCE)), "full", False)
    add("not IPv4", frame(packet(1)[14:], IPV6), "full", False)
    for size in range(14, 50, 4):
        add(f"cut at {size}", packet(1)[:size], "full", False)
    for index in range(60):
        add(
            f"random {index}",
            packet(some.randrange(990, 1025) * SLOT + some.randrange(SLOT)),
            some.choice(list(starts)),
        )
    table = {"type": "lru_hash", "key_size": 4, "value_size": 48, "max_entries": 4096, "flags": 0}
    return {
        "name": "window_limit", "prog": "window_limit", "type": "xdp", "maps": {"windows": table}, "bench": "later",
        "cases": cases,
        "inits": inits(**{
            name: {"windows": {} if start is None else {struct.pack(">I", SOURCE): _value(*start)}}
            for name, start in starts.items()
        }),
    }  # fmt: skip
