"""Attaching to perf events.

Options:
    event      (also as `target`) its name, below; or its (type, config) as perf_event_open(2) takes them
    period     a sample after so many events; or `frequency`, samples per second. By default each event; 99 per second
               of clocks and of what the hardware counts
    pid        only in this process, its threads and what they start; else everywhere: an event on each CPU
    cpu        only on this CPU
    address, length, access    of a "breakpoint": where, how many bytes (1, 2, 4, 8), and "r", "w", "rw" or "x"
    cookie     a number that `ctx.cookie()` gives (Linux 5.15). Of a process, only the threads that there are then take
               part: what is started later inherits the event without its cookie
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.links.base import Link, refused

if TYPE_CHECKING:
    from pybpf.runtime.program import LoadedProgram

__all__ = ["EVENTS", "attach_perf_event"]

# Names as `perf list` has them: PERF_TYPE_SOFTWARE is 1, PERF_TYPE_HARDWARE 0 (linux/perf_event.h).
EVENTS: dict[str, tuple[int, int]] = {
    "cpu-clock": (1, 0), "task-clock": (1, 1), "page-faults": (1, 2), "context-switches": (1, 3),
    "cpu-migrations": (1, 4), "minor-faults": (1, 5), "major-faults": (1, 6), "alignment-faults": (1, 7),
    "emulation-faults": (1, 8), "cgroup-switches": (1, 11),
    "cpu-cycles": (0, 0), "cycles": (0, 0), "instructions": (0, 1), "cache-references": (0, 2), "cache-misses": (0, 3),
    "branches": (0, 4), "branch-misses": (0, 5), "bus-cycles": (0, 6), "stalled-cycles-frontend": (0, 7),
    "stalled-cycles-backend": (0, 8), "ref-cycles": (0, 9),
}  # fmt: skip
_BREAKPOINT = 5  # PERF_TYPE_BREAKPOINT
_ACCESS = {"r": 1, "w": 2, "rw": 3, "x": 4}  # HW_BREAKPOINT_R ...
_INHERIT, _FREQUENCY = 1 << 1, 1 << 10
_DEFAULT_FREQUENCY = 99


def attach_perf_event(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """One event for each CPU, or for each thread of a process, all closed together."""
    kind, config, name = _event(program, options)
    period, flags = _pace(program, options, kind, config)
    address, length, access = 0, 0, 0
    if kind == _BREAKPOINT:
        address, length, access = _breakpoint(program, options)
        name = f"breakpoint {address:#x}"
    pid, cookie = options.get("pid"), int(options.get("cookie") or 0)
    fds: list[int] = []
    try:
        for thread, cpu in _places(program, pid, options.get("cpu")):
            event = syscall.open_perf_event(
                kind, config, config1=address, config2=length, pid=thread, cpu=cpu, period=period,
                flags=flags | (_INHERIT if thread != -1 and not cookie else 0), breakpoint=access,
            )  # fmt: skip
            fds.append(syscall.perf_attach(event, program.fd, cookie))
    except BaseException as error:
        for fd in fds:
            os.close(fd)
        if isinstance(error, OSError) and not isinstance(error, AttachError):
            refused(program, f"perf event {name}", error, _why(error, kind, pid))
        raise

    def close() -> None:
        for fd in fds:
            with suppress(OSError):
                os.close(fd)

    return Link(program, "perf_event", name, fds[0], close)


def _event(program: LoadedProgram, options: dict[str, Any]) -> tuple[int, int, str]:
    event = options.get("event", options.get("target"))
    if event is None:
        raise AttachError(
            f"attaching {program.name!r}: which perf event?",
            f'name it: obj.attach({program.name}="cpu-clock"), or {program.name}={{"event": "cpu-clock", '
            f'"frequency": 99}}; None leaves it out',
        )
    if isinstance(event, tuple):
        kind, config = event
        return int(kind), int(config), f"{kind}:{config:#x}"
    if event == "breakpoint":
        return _BREAKPOINT, 0, "breakpoint"
    if event not in EVENTS:
        from difflib import get_close_matches

        near = get_close_matches(str(event), EVENTS, 1)
        help = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(EVENTS)}, breakpoint"
        raise AttachError(f"attaching {program.name!r}: no perf event {event!r}", help)
    return (*EVENTS[event], str(event))


def _pace(program: LoadedProgram, options: dict[str, Any], kind: int, config: int) -> tuple[int, int]:
    """The sample period, or frequency, and the flag that says which."""
    period, frequency = options.get("period"), options.get("frequency")
    if period is not None and frequency is not None:
        raise AttachError(f"attaching {program.name!r}: give a period or a frequency, not both")
    if period is None and frequency is None:
        if kind != 0 and (kind, config) not in ((1, 0), (1, 1)):
            period = 1
        else:
            frequency = _DEFAULT_FREQUENCY
    pace = int(period if period is not None else frequency or 0)
    if pace < 1:
        raise AttachError(f"attaching {program.name!r}: a period or frequency of {pace}")
    return pace, _FREQUENCY if period is None else 0


def _breakpoint(program: LoadedProgram, options: dict[str, Any]) -> tuple[int, int, int]:
    address, access = options.get("address"), options.get("access", "rw")
    length = int(options.get("length", 8))  # that of code is the word's (HW_BREAKPOINT_X)
    if address is None or access not in _ACCESS or length not in (1, 2, 4, 8):
        raise AttachError(
            f"attaching {program.name!r}: a breakpoint needs an address, a length of 1, 2, 4 or 8, and what is watched",
            'as in {"event": "breakpoint", "address": 0x7f0000001000, "length": 4, "access": "w"}',
        )
    return int(address), length, _ACCESS[access]


def _places(program: LoadedProgram, pid: int | None, cpu: int | None) -> list[tuple[int, int]]:
    """(thread, CPU) of each event; -1 for any."""
    if pid is None:
        if cpu is not None:
            return [(-1, int(cpu))]
        return [(-1, number) for number in _online()]
    try:
        threads = [int(name) for name in os.listdir(f"/proc/{int(pid)}/task")]
    except OSError:
        raise AttachError(f"attaching {program.name!r}: no process {pid}") from None
    return [(thread, -1 if cpu is None else int(cpu)) for thread in sorted(threads)]


def _online() -> list[int]:
    with open("/sys/devices/system/cpu/online", encoding="ascii") as file:
        ranges = [part.split("-") for part in file.read().strip().split(",")]
    return [number for ends in ranges for number in range(int(ends[0]), int(ends[-1]) + 1)]


def _why(error: OSError, kind: int, pid: int | None) -> str:
    if error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV) and kind == 0:
        return 'this machine counts no such thing (virtual machines often do not): use "cpu-clock"'
    if error.errno == errno.ESRCH:
        return f"no process {pid}"
    if error.errno == errno.ENOSPC and kind == _BREAKPOINT:
        return "all breakpoints of the processor are in use"
    return ""
