"""`pybpf list 'tracepoint:sched:*' -v`: what programs can be attached to, and what of BPF is in the kernel."""

from __future__ import annotations

import os
import sys

from pybpf.cli.messages import UserError, message
from pybpf.cli.table import Argument, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pybpf.attachable import Row

__all__ = ["COMMAND"]

VERBOSE = Option("-v", "--verbose", flag=True, help="Show fields and arguments with their types.")
FORMAT = Option("--format", choices=("text", "json"), default="text", help="How to print.")

_KPROBES = ("kprobe", "kretprobe", "ksyscall", "kretsyscall", "k", "kr")
_KPROBE_SOURCE = "/sys/bus/event_source/devices/kprobe"
_RUNNING = ("programs", "maps", "links")


def run(values: dict[str, Any]) -> int:
    pattern = values["pattern"]
    as_json = values["format"] == "json"
    if pattern is None:
        return _families(as_json)
    if pattern in _RUNNING:
        return _running(pattern, as_json)
    from pybpf.attachable import UnknownFamily, rows

    try:
        found = rows(pattern, values["verbose"])
        count = _print_json(found) if as_json else _print(found)
    except UnknownFamily as error:
        from difflib import get_close_matches

        near = get_close_matches(pattern.partition(":")[0], error.known, 1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(error.known)}"
        raise UserError(str(error), meant) from None
    if count and pattern.partition(":")[0] in _KPROBES and not os.path.exists(_KPROBE_SOURCE):
        message("this kernel was built without kprobes: none of these can be attached to", (), "warning")
    if not count:
        raise UserError(f"nothing matches {pattern}", "`pybpf list` shows what there is to look through")
    return 0


def _print(found: Iterable[Row]) -> int:
    count = 0
    write = sys.stdout.write
    for row in found:
        count += 1
        write(row.text + "\n")
        for line in row.details:
            write(f"    {line}\n")
    return count


def _print_json(found: Iterable[Row]) -> int:
    import json

    made = [
        {"family": row.family, "name": row.name, "details": list(row.details), "decorator": row.decorator}
        for row in found
    ]
    print(json.dumps(made, indent=2))
    return len(made)


def _families(as_json: bool) -> int:
    from pybpf.attachable import FAMILIES

    if as_json:
        import json

        print(json.dumps([{"family": family.name, "what": family.what} for family in FAMILIES], indent=2))
        return 0
    for family in FAMILIES:
        print(f"{family.name:<12} {family.what}")
    for what, text in zip(_RUNNING, ("that are loaded", "in the kernel", "that keep programs attached")):
        print(f"{what:<12} {what} {text}, of all users")
    return 0


def _running(what: str, as_json: bool) -> int:
    from pybpf.runtime.inventory import inventory

    heads, rows = inventory(what)
    if as_json:
        import json

        print(json.dumps([dict(zip(heads, row)) for row in rows], indent=2))
        return 0
    table = [heads, *[tuple([str(cell) for cell in row]) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    for row in table:
        print("  ".join([cell.ljust(width) for cell, width in zip(row, widths)]).rstrip())
    return 0


COMMAND = Command(
    "list",
    run,
    "List what programs can be attached to.\n\n"
    "A pattern is a kind, a colon, and names with * and ?: 'tracepoint:sched:*', 'kprobe:tcp_*', 'uprobe:libc:*alloc', "
    "'usdt:libpython3.11.so.1.0:*'; without a colon all kinds are looked through. `programs`, `maps` and `links` list "
    "what is in the kernel. Without a pattern, list the kinds.",
    arguments=(Argument("pattern", "[PATTERN]", optional=True),),
    options=(VERBOSE, FORMAT),
)
