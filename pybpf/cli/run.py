"""`pybpf run x.py`: load and attach the programs of a file, and print what they say until Ctrl-C.

Printed are events of ring buffers and perf event arrays, a line each, and `printk` lines; at the end, how many were
lost, and what histograms, counters and other summaries hold. What the file itself does under
`if __name__ == "__main__":` is not run; for that there is `python x.py`.
"""

from __future__ import annotations

import sys

from pybpf.cli.messages import UserError
from pybpf.cli.options import BTF, FILE, SET, settings, use_btf
from pybpf.cli.table import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.runtime.events import EventSource
    from pybpf.runtime.object import LoadedObject
    from pybpf.runtime.printk import Printk

__all__ = ["COMMAND", "event_text"]

ATTACH = Option(
    "--attach", metavar="PROGRAM=TARGET", multiple=True, help="Where a program goes: --attach firewall=eth0."
)
SECONDS = Option("--seconds", metavar="N", help="Stop after that many seconds.")
MAPS = Option("--maps", flag=True, help="At the end, print what the maps hold.")

_PRINTERS = (6, 177)  # bpf_trace_printk, bpf_trace_vprintk
_SHOWN = 20  # elements of a map


def run(values: dict[str, Any]) -> int:
    import contextlib

    from pybpf.cli.module import import_file, programs_of
    from pybpf.loading import load

    seconds = _seconds(values["seconds"])
    targets = _targets(values["attach"])
    consts = settings(values["set"])
    use_btf(values)
    module = import_file(values["file"])
    programs = programs_of(module)
    with contextlib.ExitStack() as stack:
        try:
            obj = stack.enter_context(load(*programs, **consts))
        except (TypeError, ValueError, OverflowError) as error:
            if not str(error).startswith("global "):  # else a value of --set that does not fit its type
                raise
            raise UserError(str(error)) from None
        printk = stack.enter_context(_printk()) if _prints(obj.elf) else None
        _attach(obj, targets)
        if not _print_iterators(obj):
            return 0
        _say(f"{', '.join(obj.programs)}: running" + ("" if seconds else "; Ctrl-C ends"))
        with contextlib.suppress(KeyboardInterrupt):
            _watch(obj, printk, seconds)
        obj.detach()
        shown = _print_summaries(obj, vars(module))
        if values["maps"]:
            _print_maps(obj, shown)
    return 0


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UserError(f"--seconds {text}: not a number of seconds")
    return seconds


def _targets(pairs: list[str]) -> dict[str, Any]:
    targets: dict[str, Any] = {}
    for pair in pairs:
        name, equals, target = pair.partition("=")
        if not equals or not name:
            raise UserError(f"--attach {pair}: not PROGRAM=TARGET", "write it as --attach firewall=eth0")
        targets[name] = int(target) if target.isdecimal() else target
    return targets


def _attach(obj: LoadedObject, targets: dict[str, Any]) -> None:
    from pybpf.runtime.errors import AttachError

    try:
        obj.attach(**targets)
    except AttachError as error:
        _, call, example = error.help.partition("obj.attach(")
        if not call:
            raise
        words = [word.strip('"{}') for word in example.partition(")")[0].split(",")[0].split("=")]
        raise UserError(error.message, f"say where it goes: --attach {'='.join(words)}") from None


def _print_iterators(obj: LoadedObject) -> bool:
    """Print what iterators write, at once: nothing else calls them. Says whether there are other programs too."""
    from pybpf.runtime.errors import AttachError

    others = False
    for program in obj.programs.values():
        if not program.section.startswith("iter"):
            others = True
            continue
        try:
            written = program.read()
        except AttachError as error:  # over which map, or from which cgroup
            raise UserError(error.message, f"python can say it, --attach can't: {error.help}") from None
        if "\0" in written:  # Structs, by seq_write()
            _say(f"{program.name}: wrote Structs, which obj[{program.name}].records(...) reads")
        else:
            sys.stdout.write(written)
    sys.stdout.flush()
    return others


def _prints(elf: bytes) -> bool:
    """True if a program of the object calls a printing helper."""
    from pybpf.listing import listings

    calls = tuple(f"printk#{number}" for number in _PRINTERS)
    return any(row.text.endswith(calls) for each in listings(elf) for row in each.rows)


def _printk() -> Printk:
    from pybpf.runtime.printk import Printk

    return Printk()


def _watch(obj: LoadedObject, printk: Printk | None, seconds: float | None) -> None:
    """Print events and lines as they come, until the time is over."""
    import select
    import time

    from pybpf.runtime.events import EventSource

    rings = [map for map in obj.maps.values() if isinstance(map, EventSource)]
    poller = select.poll()
    for ring in rings:
        for fd in ring.fds:
            poller.register(fd, select.POLLIN)
    if printk is not None:
        poller.register(printk.fd, select.POLLIN)
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        ready = poller.poll(None if left is None else left * 1000 + 1)
        for ring in rings:
            for event in ring.read():
                print(event_text(event, ring.name if len(rings) > 1 else ""))
        for line in printk.read() if printk else ():
            print(f"{line.task}-{line.pid}: {line.text}")
        sys.stdout.flush()
        if (not ready and left is not None) or left == 0:
            _say_lost(rings)
            return


def _say_lost(rings: list[EventSource[Any]]) -> None:
    """Warn of events that found no room, as far as they are counted."""
    from pybpf.cli.messages import message
    from pybpf.runtime.errors import PybpfError

    for ring in rings:
        try:
            count = ring.lost
        except PybpfError:  # nobody counts them
            continue
        if count:
            message(f"{count} events of {ring.name} were lost", ("declare it larger, or send less",), "warning")


def event_text(event: Any, name: str = "") -> str:
    """An event as one line, `pid=12 comm='cat'`, with the ring buffer's name in front where there are several."""
    fields = getattr(getattr(type(event), "__bpf__", None), "fields", None)
    text = " ".join([f"{f.name}={getattr(event, f.name)!r}" for f in fields]) if fields else repr(event)
    return f"{name}: {text}" if name else text


def _print_summaries(obj: LoadedObject, values: dict[str, Any]) -> set[str]:
    """Print the summaries among a module's variables that the programs use. Returns the names of their maps."""
    shown = set()
    for it in {id(value): value for value in values.values()}.values():
        if isinstance(it, type) or not hasattr(it, "__bpf_view__"):
            continue
        name = getattr(it, "slots", it).__bpf__.name
        if name in obj.maps:
            shown.add(name)
            obj[it].print()
    return shown


def _print_maps(obj: LoadedObject, shown: set[str]) -> None:
    """Print what the other maps hold."""
    from pybpf.runtime.maps import LoadedMap

    for name, map in obj.maps.items():
        if name in shown or not isinstance(map, LoadedMap):
            continue
        items = list(map.items())
        print(f"{name}: {len(items)} element{'s' * (len(items) != 1)}")
        for key, value in items[:_SHOWN]:
            print(f"  {event_text(key)}: {event_text(value)}")
        if len(items) > _SHOWN:
            print(f"  ... {len(items) - _SHOWN} more")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


COMMAND = Command(
    "run",
    run,
    "Load and attach a file's programs, and print their events; at the end histograms and other summaries.\n\n"
    "Ends with Ctrl-C. Needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN.",
    arguments=(FILE,),
    options=(SET, ATTACH, SECONDS, MAPS, BTF),
)
