"""Events of calls that begin and end: what is kept, counted and forgotten then."""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import MACS, UDP, case, inits, ip4, udp

ENTER, EXIT, SLOTS = 1, 2, 27
START = {77: (1_000_000, 7), 78: (5_000_000_000, 8), 79: (2**63, 9)}
STATS = {8: (3, 1, 4000, 2000), 9: (2**64 - 1, 0, 2**64 - 1, 2**64 - 1)}


def _key(number: int) -> bytes:
    return struct.pack("<I", number)


def spec() -> dict[str, Any]:
    starts = {_key(tid): struct.pack("<QIxxxx", *row) for tid, row in START.items()}
    stats = {_key(pid): struct.pack("<4Q", *row) for pid, row in STATS.items()}
    cases: list[dict[str, Any]] = []

    def packet(kind: int, pid: int, tid: int, time: int, comm: bytes = b"nginx", error: int = 0) -> bytes:
        event = struct.pack("<4IQ", kind, pid, tid, error, time) + comm.ljust(16, b"\0")
        return MACS + b"\x08\0" + ip4(udp(event), UDP)

    def add(
        name: str, kind: int, pid: int, tid: int, time: int, comm: bytes = b"nginx", error: int = 0, cut: int = 0
    ) -> None:
        data = packet(kind, pid, tid, time, comm, error)
        kept, figures, hist, answer = dict(starts), dict(stats), {}, 0
        if cut:
            data = data[:-cut]
        elif comm.ljust(6, b"\0")[:6] != b"nginx\0":
            pass
        elif kind == ENTER:
            kept[_key(tid)] = struct.pack("<QIxxxx", time, pid)
            answer = 1
        elif kind == EXIT and _key(tid) in kept:
            took = (time - struct.unpack("<QIxxxx", kept.pop(_key(tid)))[0]) % 2**64 // 1000
            slot = min(max(took.bit_length() - 1, 0), SLOTS - 1)
            hist = {_key(slot): struct.pack("<Q", 1)}
            calls, errors, total, top = struct.unpack("<4Q", figures.get(_key(pid), bytes(32)))
            row = ((calls + 1) % 2**64, errors + bool(error), (total + took) % 2**64, max(top, took))
            figures[_key(pid)] = struct.pack("<4Q", *row)
            answer = 2
        cases.append(case(name, data, answer, None, "some", starts=kept, stats=figures, hist=hist))

    some = random.Random(26)
    add("enter", ENTER, 7, 70, 123_456_789)
    add("exit", EXIT, 7, 77, 3_000_000)
    add("exit, failed", EXIT, 8, 78, 5_000_100_000, error=5)
    add("exit, large", EXIT, 9, 79, 2**64 - 1)
    add("exit, before it began", EXIT, 9, 79, 5)
    add("exit, unknown", EXIT, 7, 76, 3_000_000)
    add("enter again", ENTER, 9, 77, 3_000_000)
    for kind in (0, 3, 2**32 - 1):
        add(f"kind {kind}", kind, 7, 77, 3_000_000)
    for comm in (b"", b"ngin", b"nginx\0x", b"nginx2", b"Nginx", b"xnginx", b"nginy", b"nginx" * 3):
        add(f"enter, {comm!r}", ENTER, 7, 70, 1, comm)
        add(f"exit, {comm!r}", EXIT, 7, 77, 2_000_000, comm)
    for cut in (1, 8, 16, 39):
        add(f"cut by {cut}", ENTER, 7, 70, 1, cut=cut)
    for power in range(0, 64, 3):
        add(f"took 2**{power}", EXIT, 8, 77, (1_000_000 + 2**power) % 2**64)
    for index in range(60):
        add(
            f"random {index}", some.choice((ENTER, EXIT, EXIT)), some.randrange(7, 11), some.randrange(76, 80),
            some.getrandbits(some.randrange(20, 64)), error=some.choice((0, 1)),
        )  # fmt: skip
    return {
        "name": "latency", "prog": "latency", "type": "socket_filter", "bench": "enter",
        "maps": {
            "starts": {"type": "hash", "key_size": 4, "value_size": 16, "max_entries": 10240, "flags": 0},
            "stats": {"type": "hash", "key_size": 4, "value_size": 32, "max_entries": 1024, "flags": 0},
            "hist": {"type": "array", "key_size": 4, "value_size": 8, "max_entries": SLOTS, "flags": 0},
        },
        "cases": cases, "inits": inits(some={"starts": starts, "stats": stats}),
    }  # fmt: skip
