"""Names for addresses of code: the kernel's from /proc/kallsyms, a process's from the files that it has mapped.

A process's address lies in a mapping of a file (/proc/PID/maps), at an offset in it. A PT_LOAD segment says which of
the file's own addresses that is, wherever the loader has put it (PIE, libraries); the symbol table (.symtab, else that
of the file's separate debugging symbols, by its build id, and .dynsym) says in which function it is. What a runtime
compiles itself is looked for in /tmp/perf-PID.map, where it says so.

    symbols = UserSymbols(1234)
    symbols.find(0x7f2f32d2f7b9)      Frame(address, "readline", 9, "/usr/bin/bash")
    symbols.stack(event.user)         a Stack of the addresses that an event has, up to the first zero
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Frame", "KernelSymbols", "Stack", "Symbols", "UserSymbols", "functions_in", "kernel_symbols"]

_FUNCTIONS = (2, 10)  # STT_FUNC, STT_GNU_IFUNC
_DEBUG = "/usr/lib/debug/.build-id"


class Frame(Record):
    """An address of code. `name` is the function around it ("" where none is known), `offset` how far into it it is.

    `module` is the file, or the kernel's module; "" for the kernel itself.
    """

    address: int
    name: str = ""
    offset: int = 0
    module: str = ""

    def __str__(self) -> str:
        return f"{self.name}+{self.offset}" if self.name else f"{self.address:#x}"


class Stack(tuple[Frame, ...]):
    """Frames, the innermost first. As text, a line each as bpftrace prints them."""

    __slots__ = ()

    def format(self, mode: str = "bpftrace", indent: int = 4) -> str:
        """As bpftrace prints stacks: "bpftrace" (`readline+9`), "perf" (with address and file), "raw" (addresses)."""
        if mode == "bpftrace":
            lines = [f"{' ' * indent}{frame}" for frame in self]
        elif mode == "perf":
            lines = [
                f"\t{frame.address:x} {frame if frame.name else '[unknown]'}{f' ({frame.module})' * bool(frame.module)}"
                for frame in self
            ]
        elif mode == "raw":
            lines = [f"{' ' * indent}{frame.address:x}" for frame in self]
        else:
            raise ValueError(f'no format {mode!r} of stacks: there are "bpftrace", "perf" and "raw"')
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.format()


class Symbols:
    """What has names for addresses."""

    def find(self, address: int) -> Frame:
        """The function around an address; a Frame without a name where none is known."""
        raise NotImplementedError

    def stack(self, addresses: Iterable[int]) -> Stack:
        """The frames of addresses, up to the first zero: events keep short stacks in long arrays."""
        return Stack([self.find(address) for address in takewhile(bool, addresses)])


class _Table:
    """Functions by where they start."""

    def __init__(self, functions: Iterable[tuple[int, int, str]]) -> None:
        """(start, bytes, name) of each; 0 bytes: it ends where the next one starts."""
        self.rows = sorted(functions)
        self.starts = [start for start, _, _ in self.rows]

    def find(self, address: int) -> tuple[str, int] | None:
        """Name of the function that an address is in, and how far in."""
        at = bisect_right(self.starts, address) - 1
        if at < 0:
            return None
        start, size, name = self.rows[at]
        if size and address >= start + size:
            return None
        return name, address - start


class KernelSymbols(Symbols):
    """`KernelSymbols().find(address)`: the kernel's functions, its modules' and BPF programs.

    They are read once, and are all without a name where /proc/kallsyms shows no addresses: to others than root.
    """

    def __init__(self, path: str = "/proc/kallsyms") -> None:
        self.modules: dict[str, str] = {}
        self._table = _Table(self._read(path))

    def _read(self, path: str) -> Iterator[tuple[int, int, str]]:
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                for line in file:  # address, type, name, [module]
                    fields = line.split()
                    if fields[1] in "tTwW" and (address := int(fields[0], 16)):
                        if len(fields) > 3:
                            self.modules[fields[2]] = fields[3].strip("[]")
                        yield address, 0, fields[2]
        except OSError:
            return

    def find(self, address: int) -> Frame:
        found = self._table.find(address)
        if found is None or address < 1 << 47:
            return Frame(address)
        return Frame(address, *found, self.modules.get(found[0], ""))


@lru_cache(maxsize=1)
def kernel_symbols() -> KernelSymbols:
    """Those of the running kernel, as they were when first asked for."""
    return KernelSymbols()


class _Mapping(Record, eq=False):
    start: int
    end: int
    offset: int  # in the file
    path: str


class UserSymbols(Symbols):
    """`UserSymbols(pid).find(address)`: the functions of a process, as it is mapped now; none once it has ended."""

    def __init__(self, pid: int, maps: str | None = None) -> None:
        """`maps` is the text of /proc/PID/maps, for a process whose mappings were kept."""
        self.pid = pid
        self._jitted: _Table | None = None
        if maps is None:
            try:
                with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
                    maps = file.read()
            except OSError:
                maps = ""
        self._mappings = list(_executable(maps))
        self._starts = [mapping.start for mapping in self._mappings]

    def find(self, address: int) -> Frame:
        at = bisect_right(self._starts, address) - 1
        mapping = self._mappings[at] if at >= 0 and address < self._mappings[at].end else None
        if mapping is None or not mapping.path.startswith("/"):
            found = self._perf_map().find(address)
            if found is not None:
                return Frame(address, *found, f"/tmp/perf-{self.pid}.map")
            return Frame(address, "", 0, mapping.path if mapping is not None else "")
        found = self._of_file(mapping, address - mapping.start + mapping.offset)
        return Frame(address, *found, mapping.path) if found is not None else Frame(address, "", 0, mapping.path)

    def _of_file(self, mapping: _Mapping, offset: int) -> tuple[str, int] | None:
        path = mapping.path.removesuffix(" (deleted)")
        for place in (f"/proc/{self.pid}/root{path}", path):  # its own root first: it may live in a container
            try:
                status = os.stat(place)
            except OSError:
                continue
            return _file(place, status.st_dev, status.st_ino, status.st_mtime_ns).find(offset)
        return None

    def _perf_map(self) -> _Table:
        if self._jitted is None:
            self._jitted = _Table(_perf_map(f"/tmp/perf-{self.pid}.map"))
        return self._jitted


def _executable(maps: str) -> Iterator[_Mapping]:
    for line in maps.splitlines():  # start-end perms offset device inode path
        fields = line.split(None, 5)
        if len(fields) >= 5 and "x" in fields[1]:
            start, _, end = fields[0].partition("-")
            path = fields[5] if len(fields) > 5 else ""
            yield _Mapping(int(start, 16), int(end, 16), int(fields[2], 16), path)


def _perf_map(path: str) -> Iterator[tuple[int, int, str]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                start, size, name = line.rstrip("\n").split(" ", 2)
                yield int(start, 16), int(size, 16), name
    except (OSError, ValueError):
        return


class _File:
    """A file's functions by offset in it."""

    def __init__(self, segments: list[tuple[int, int, int]], table: _Table) -> None:
        self.segments = segments  # offset, bytes, address
        self.table = table

    def find(self, offset: int) -> tuple[str, int] | None:
        for start, size, address in self.segments:
            if start <= offset < start + size:
                return self.table.find(offset - start + address)
        return None


@lru_cache(maxsize=256)
def _file(path: str, device: int, inode: int, changed: int) -> _File:
    """The functions of a file; the other arguments tell files of the same name apart."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with open(path, "rb") as raw:
            elf = ELFFile(raw)
            segments = [
                (segment["p_offset"], segment["p_filesz"], segment["p_vaddr"])
                for segment in elf.iter_segments()
                if segment["p_type"] == "PT_LOAD"
            ]
            functions = list(_functions(elf, ".symtab")) or [*_separate(elf), *_functions(elf, ".dynsym")]
            return _File(segments, _Table(functions))
    except (OSError, ELFError):
        return _File([], _Table(()))


def functions_in(elf: Any) -> list[tuple[int, int, str]]:
    """(address, bytes, name) of all functions that a file defines, of both its tables."""
    return [*dict.fromkeys([*_functions(elf, ".symtab"), *_functions(elf, ".dynsym")])]


def _functions(elf: Any, name: str) -> Iterator[tuple[int, int, str]]:
    """(address, bytes, name) of the functions in a symbol table, read as it lies."""
    table = elf.get_section_by_name(name)
    if table is None or table["sh_type"] == "SHT_NOBITS":
        return
    strings: bytes = elf.get_section(table["sh_link"]).data()
    order = "<" if elf.little_endian else ">"
    wide = elf.elfclass == 64
    for fields in struct.iter_unpack(order + ("IBBHQQ" if wide else "IIIBBH"), table.data()):
        at, info, section, value, size = (
            (fields[0], fields[1], fields[3], fields[4], fields[5])
            if wide
            else (fields[0], fields[3], fields[5], fields[1], fields[2])
        )
        if section and info & 15 in _FUNCTIONS:
            yield value, size, strings[at : strings.index(b"\0", at)].decode(errors="replace")


def _separate(elf: Any) -> list[tuple[int, int, str]]:
    """The functions in the file's separate debugging symbols, where they are installed."""
    from elftools.elf.elffile import ELFFile

    note = elf.get_section_by_name(".note.gnu.build-id")
    if note is None:
        return []
    build = note.data()[16:].hex()
    try:
        with open(f"{_DEBUG}/{build[:2]}/{build[2:]}.debug", "rb") as raw:
            return list(_functions(ELFFile(raw), ".symtab"))
    except OSError:
        return []
