"""A connection's state machine: each state meets each combination of flags from both ends, in time and too late.

When entries run out depends on the clock, so what is compared are answers and the counts of changes.
"""

from __future__ import annotations

import random
import struct
from typing import Any

from .frames import ICMP, IPV6, TCP, case, frame, inits, ip4, tcp

NONE, SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSED = range(6)
FIN, SYN, RST, ACK = 1, 2, 4, 0x10
NEVER = 2**63
ENDS = ((0x0A000001, 4000), (0x0A000002, 80))
SAME = ((0x7F000001, 1000), (0x7F000001, 2000))


def _next(state: int, origin: int, closer: int, direction: int, flags: int) -> int:
    if flags & RST:
        return CLOSED
    ours = direction == origin
    if state == SYN_SENT:
        if not ours and flags & SYN and flags & ACK:
            return SYN_RECV
        return SYN_SENT if ours and flags & SYN and not flags & ACK else NONE
    if state == SYN_RECV:
        return ESTABLISHED if ours and flags & ACK and not flags & SYN else SYN_RECV
    if state == ESTABLISHED:
        return FIN_WAIT if flags & FIN else ESTABLISHED
    if state == FIN_WAIT:
        return CLOSED if flags & FIN and direction != closer else FIN_WAIT
    if state == CLOSED:
        return NONE if flags & SYN else CLOSED
    return NONE


def _entry(state: int, origin: int, closer: int, expires: int = NEVER) -> bytes:
    return struct.pack("<QQQQQBBBxxxxx", expires, 1, 2, 3, 4, state, origin, closer)


def spec() -> dict[str, Any]:
    starts: dict[str, dict[str, dict[bytes, bytes]]] = {"empty": {}}
    cases: list[dict[str, Any]] = []

    def add(
        name: str,
        source: tuple[int, int],
        dest: tuple[int, int],
        flags: int,
        was: tuple[int, int, int] | None,
        late: bool = False,
        **more: Any,
    ) -> None:
        direction = int(source > dest)
        init = "empty"
        if was is not None:
            init = f"{was} {late} {source} {dest}"
            low, high = sorted((source, dest))
            key = struct.pack(">IIHH", low[0], high[0], low[1], high[1])
            starts[init] = {"conns": {key: _entry(*was, *([0] if late else []))}}
        data = frame(ip4(tcp(b"data", source[1], dest[1], flags), TCP, source[0], dest[0], **more))
        if was is None or late:
            state, old = SYN_SENT if flags & (SYN | ACK | RST | FIN) == SYN else NONE, 0
        else:
            state, old = _next(*was, direction, flags), was[0] & 7
        count = {struct.pack("<I", old << 3 | state): struct.pack("<Q", 1)}
        cases.append(case(name, data, 2 if state == NONE else 0, data, init, changes=count))

    def other(name: str, data: bytes) -> None:
        cases.append(case(name, data, 0, data))

    some = random.Random(22)
    add("data", *ENDS, ACK, (ESTABLISHED, 0, 0))
    for way, (source, dest) in {
        "there": ENDS,
        "back": ENDS[::-1],
        "same address": SAME,
        "same, back": SAME[::-1],
    }.items():
        for flags in (SYN, SYN | ACK, ACK, FIN | ACK, RST, RST | ACK, 0, SYN | FIN):
            add(f"new, {way}, {flags:x}", source, dest, flags, None)
            for state in range(1, 7):
                origin, closer = some.randrange(2), some.randrange(2)
                add(f"{state}, {way}, {flags:x}, {origin}", source, dest, flags, (state, origin, closer))
            add(f"too late, {way}, {flags:x}", source, dest, flags, (ESTABLISHED, 0, 0), late=True)
    add("first fragment", *ENDS, SYN, None, frag=0x2000)
    whole = frame(ip4(tcp(b"", 1, 2, SYN), TCP))
    for size in range(34, len(whole), 4):
        other(f"cut at {size}", whole[:size])
    other("later fragment", frame(ip4(tcp(b"", 1, 2, SYN), TCP, frag=0x10)))
    other("options", frame(ip4(tcp(b"", 1, 2, SYN), TCP, options=bytes(4))))
    other("icmp", frame(ip4(bytes(30), ICMP)))
    other("not IPv4", frame(whole[14:], IPV6))
    for index in range(60):
        ends = [(some.getrandbits(32), some.getrandbits(16)) for _ in range(2)]
        add(
            f"random {index}",
            ends[0],
            ends[1],
            some.choice((SYN, ACK, SYN | ACK, FIN, RST)),
            some.choice((None, (some.randrange(1, 6), some.randrange(2), some.randrange(2)))),
        )
    table = {"type": "percpu_array", "key_size": 4, "value_size": 8, "max_entries": 64, "flags": 0}
    return {
        "name": "conntrack", "prog": "conntrack", "type": "sched_cls", "bench": "data",
        "maps": {"changes": table}, "cases": cases, "inits": inits(**starts),
    }  # fmt: skip
