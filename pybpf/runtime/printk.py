"""Reading what programs print with `printk`.

    with Printk() as lines:
        ...
        for line in lines.read(): print(line.task, line.pid, line.text)

`bpf_trace_printk` writes to the kernel's trace buffer. The buffer of all, `trace_pipe`, gives each line to one reader
only; so a trace instance of our own is made (a directory under tracefs `instances`), with only the event
`bpf_trace:bpf_trace_printk` on, and removed at the end. Where instances can't be made, the common `trace_pipe` is read.

The kernel does not say which program printed a line, only in which task; `pid` keeps the lines of one process.
"""

from __future__ import annotations

import os
import re
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pybpf.compiler.schema.record import Record, replace
from pybpf.runtime.errors import ObjectClosed, PybpfError, errno_name, not_permitted
from pybpf.runtime.tracefs import open_tracefs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

__all__ = ["Printk", "PrintkLine", "parse_line"]

_LINE = re.compile(
    r"^\s*(.+)-(\d+)\s+(?:\(\s*[-\d]+\)\s+)?\[(\d+)\]\s+(?:(\S{4,5})\s+)?([\d.]+): bpf_trace_printk: (.*)$", re.DOTALL
)
_PREFIX = "pybpf-"
_UNNAMED = "<...>"  # what the kernel writes for tasks whose name it did not note


class PrintkLine(Record):
    """A printed line: the task that ran meanwhile, its thread id, the CPU, the kernel's clock in seconds, the text."""

    task: str
    pid: int
    cpu: int
    time: float
    text: str

    def __str__(self) -> str:
        return self.text


def parse_line(line: str) -> PrintkLine | None:
    """A line of `trace_pipe`; None for those of other events and for notes such as lost events."""
    match = _LINE.match(line)
    if match is None:
        return None
    return PrintkLine(match[1].strip(), int(match[2]), int(match[3]), float(match[5]), match[6])


def _task_name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return _UNNAMED


class Printk:
    """Collects printed lines from now on; a context manager. `pid` keeps those of that thread id."""

    def __init__(self, pid: int | None = None) -> None:
        self._pid = pid
        self._rest = b""
        self._root = open_tracefs()
        self._instance = ""
        self._pipe = -1
        try:
            self._open()
        except BaseException as error:
            self.close()
            if isinstance(error, PermissionError):
                raise not_permitted("reading the trace buffer") from None
            if isinstance(error, OSError):
                raise PybpfError(f"reading the trace buffer: {errno_name(error.errno or 0)}") from None
            raise

    def _open(self) -> None:
        self._remove_stale()
        directory = ""
        for number in range(100):
            name = f"instances/{_PREFIX}{os.getpid()}-{number}"
            try:
                os.mkdir(name, dir_fd=self._root)
            except FileExistsError:
                continue
            except OSError:
                break
            self._instance, directory = name, name + "/"
            self._write(f"{name}/events/bpf_trace/bpf_trace_printk/enable", b"1")
            break
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        self._pipe = os.open(f"{directory}trace_pipe", flags, dir_fd=self._root)

    def _write(self, path: str, text: bytes) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._root)
        try:
            os.write(fd, text)
        finally:
            os.close(fd)

    def _remove_stale(self) -> None:
        """Remove instances that killed processes of ours left behind."""
        fd = os.open("instances", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._root)
        try:
            for name in os.listdir(fd):
                owner = name.removeprefix(_PREFIX).partition("-")[0]
                if name.startswith(_PREFIX) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
                    with suppress(OSError):
                        os.rmdir(name, dir_fd=fd)
        finally:
            os.close(fd)

    # ---------------------------------------------------------------------- reading

    @property
    def fd(self) -> int:
        """A descriptor that is readable while there are lines."""
        if self._pipe < 0:
            raise ObjectClosed("printk reader")
        return self._pipe

    def read(self) -> list[PrintkLine]:
        """The lines that are there now."""
        lines: list[PrintkLine] = []
        while True:
            try:
                chunk = os.read(self.fd, 65536)
            except BlockingIOError:
                return lines
            if not chunk:
                return lines
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            for raw in whole:
                line = parse_line(raw.decode("utf-8", "surrogateescape"))
                if line is not None and (self._pid is None or line.pid == self._pid):
                    lines.append(line if line.task != _UNNAMED else replace(line, task=_task_name(line.pid)))

    def poll(self, timeout: float | None = None) -> list[PrintkLine]:
        """Wait for a line, for at most `timeout` seconds; then all that are there. Empty when the time is over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            lines = self.read()
            left = None if deadline is None else deadline - time.monotonic()
            if lines or (left is not None and left <= 0):
                return lines
            select.select([self.fd], [], [], left)

    def __iter__(self) -> Iterator[PrintkLine]:
        return self.poll_for(None)

    def poll_for(self, seconds: float | None) -> Iterator[PrintkLine]:
        """Lines as they come, for some seconds (None: for ever), or until the reader is closed."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._pipe >= 0:
            left = 0.5 if deadline is None else min(0.5, deadline - time.monotonic())
            if left < 0:
                return
            yield from self.poll(left)

    def close(self) -> None:
        """Stop reading and remove the trace instance. May be called twice."""
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)
        instance, self._instance = self._instance, ""
        if instance:
            with suppress(OSError):
                os.rmdir(instance, dir_fd=self._root)
        root, self._root = self._root, -1
        if root >= 0:
            os.close(root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_pipe"):
            self.close()
