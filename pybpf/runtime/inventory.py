"""What of BPF is in the kernel now, of all processes: programs, maps and links by id. Needs CAP_SYS_ADMIN."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pybpf.runtime.kinds import map_kind
from pybpf.runtime.links.opened import ids, open_link, open_program

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["inventory"]


def _program(number: int) -> tuple[Any, ...]:
    with open_program(number) as program:
        info = program.info()
    return info.id, info.type.lower(), info.name, info.runs, round(info.mean_ns), info.misses, list(info.maps)


def _map(number: int) -> tuple[Any, ...]:
    from pybpf.runtime.links.opened import fd_by_id
    from pybpf.runtime.maps.handle import read_info

    fd = fd_by_id("map", number)
    try:
        info = read_info(fd)
    finally:
        os.close(fd)
    kind = map_kind(info.type).name.lower()
    return info.id, kind, info.name, info.key_size, info.value_size, info.max_entries


def _link(number: int) -> tuple[Any, ...]:
    from pybpf.compiler.schema.record import fields

    with open_link(number) as link:
        info = link.info()
    told = [f"{name} {getattr(info, name)}" for name in fields(info)[3:] if getattr(info, name) not in (0, "", ())]
    return info.id, info.type, info.program_id, ", ".join(told)


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[int], tuple[Any, ...]]]] = {
    "programs": (("id", "type", "name", "runs", "mean_ns", "misses", "maps"), _program),
    "maps": (("id", "type", "name", "key", "value", "max_entries"), _map),
    "links": (("id", "type", "program", "what"), _link),
}


def inventory(what: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The columns, and a row for each of the kernel's "programs", "maps" or "links". Raises NotPermitted."""
    heads, describe = _KINDS[what]
    rows = []
    for number in ids(what.removesuffix("s")):
        try:
            rows.append(describe(number))
        except KeyError:  # it has gone meanwhile
            continue
    return heads, rows
