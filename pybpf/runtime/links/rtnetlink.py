"""What netlink attached, as entries that guard.py can find again and take away: with the number of the BPF program,
which the kernel gives to no other.

In: what a filter, a queueing discipline or a route was made with. Out: an entry of guard.py.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["clsact_entry", "filter_entry", "route_entry", "route_name"]

_REQUEST, _ACK, _DUMP = 1, 4, 0x300  # NLM_F_*
_DEL_QDISC, _DEL_FILTER, _GET_FILTER, _DEL_ROUTE, _GET_ROUTE = 37, 45, 46, 25, 26  # RTM_*
_ALL = 0x0300  # ETH_P_ALL, in network order
_CLSACT = 0xFFFFFFF1  # TC_H_CLSACT, linux/pkt_sched.h
# Attributes within attributes, down to the program: TCA_OPTIONS, and
_PROGRAM = {
    "bpf": [2, 11],  # TCA_BPF_ID
    "matchall": [2, 2, 1, 2, 9],  # TCA_MATCHALL_ACT, the first action, TCA_ACT_OPTIONS, TCA_ACT_BPF_ID
}
_ENCAP = {"in": [22, 1, 2], "out": [22, 2, 2], "xmit": [22, 3, 2]}  # RTA_ENCAP, LWT_BPF_*, LWT_BPF_PROG_NAME
_SEGMENT = [22, 8, 1]  # RTA_ENCAP, SEG6_LOCAL_BPF, SEG6_LOCAL_BPF_PROG
_DST, _OIF, _GATEWAY, _PRIORITY, _TABLE = 1, 4, 5, 6, 15  # RTA_*
_MAIN, _NOWHERE = 254, 255  # RT_TABLE_MAIN, RT_SCOPE_NOWHERE


def _message(kind: int, flags: int, head: bytes, attributes: Sequence[tuple[int, bytes]] = ()) -> str:
    body = head
    for number, value in attributes:
        body += struct.pack("<HH", 4 + len(value), number) + value + bytes(-len(value) % 4)
    return (struct.pack("<IHHII", 16 + len(body), kind, _REQUEST | flags, 1, 0) + body).hex()


def _tc(index: int, handle: int, parent: int, info: int) -> bytes:
    return struct.pack("<BxxxiIII", 0, index, handle, parent, info)


def filter_entry(kind: str, index: int, parent: int, priority: int, handle: int, program: int) -> dict[str, Any]:
    """A filter of type `kind` at an interface; `program` is the number of its BPF program."""
    head = _tc(index, handle, parent, priority << 16 | _ALL)
    named = [(1, kind.encode() + b"\0")]  # TCA_KIND
    return {
        "kind": "filter",
        "query": _message(_GET_FILTER, 0, head, named),
        "path": _PROGRAM[kind],
        "value": struct.pack("<I", program).hex(),
        "undo": _message(_DEL_FILTER, _ACK, head, named),
    }


def clsact_entry(index: int, parents: Sequence[int]) -> dict[str, Any]:
    """The queueing discipline clsact of an interface, once it has no filters."""
    return {
        "kind": "empty",
        "queries": [_message(_GET_FILTER, _DUMP, _tc(index, 0, parent, 0)) for parent in parents],
        "undo": _message(_DEL_QDISC, _ACK, _tc(index, _CLSACT & 0xFFFF0000, _CLSACT, 0), [(1, b"clsact\0")]),
    }


def _route(family: int, length: int, table: int, scope: int) -> bytes:
    return struct.pack("<BBBBBBBBI", family, length, 0, 0, table, 0, scope, 0, 0)


def route_name(name: str, program: int) -> str:
    """What the kernel shows of a route's program: it has no place for the number."""
    return f"{name}#{program}"


def route_entry(
    place: str, target: str, index: int, via: str, table: int, priority: int, name: str, program: int
) -> dict[str, Any]:
    """A route out of interface `index` whose program runs at `place`: in, out, xmit, seg6local."""
    gateway = ipaddress.ip_address(via) if via else None
    if target == "default":
        target = "::/0" if gateway is not None and gateway.version == 6 else "0.0.0.0/0"
    to = ipaddress.ip_network(target, strict=False)
    family = 10 if to.version == 6 else 2
    table = table or _MAIN
    attributes = [(_OIF, struct.pack("<I", index)), (_TABLE, struct.pack("<I", table))]
    undone = [*attributes]
    if to.prefixlen:
        undone.append((_DST, to.network_address.packed))
    if gateway is not None and gateway.version == to.version:
        undone.append((_GATEWAY, gateway.packed))
    if priority:
        undone.append((_PRIORITY, struct.pack("<I", priority)))
    value = struct.pack("<I", program) if place == "seg6local" else route_name(name, program).encode() + b"\0"
    small = table if table < 256 else 0
    return {
        "kind": "filter",
        "query": _message(_GET_ROUTE, _DUMP, _route(family, 0, small, 0), attributes),
        "head": struct.pack("<BB", family, to.prefixlen).hex(),
        "and": [[_DST], to.network_address.packed.hex()] if to.prefixlen else [],
        "path": _SEGMENT if place == "seg6local" else _ENCAP[place],
        "value": value.hex(),
        "undo": _message(_DEL_ROUTE, _ACK, _route(family, to.prefixlen, small, _NOWHERE), undone),
    }
