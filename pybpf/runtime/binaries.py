"""Where a user-space probe goes: from library and function names to a file and an offset in it."""

from __future__ import annotations

import os
import re
import struct
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.record import Record
from pybpf.runtime.errors import AttachError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_binary", "matching_offsets", "symbol_offset"]


def find_binary(name: str, pid: int = -1) -> str:
    """The file of a library ("c", "libc", "libssl.so.3") or program ("bash"), or of a path as it is.

    Libraries that the traced process (or this one) has mapped come first, then the dynamic linker's cache, then
    programs in PATH.
    """
    if "/" in name:
        path = os.path.realpath(name)
        if not os.path.isfile(path):
            raise AttachError(f"there is no file {name!r} to probe")
        return path
    for path in _mapped(pid):
        if _is_library(os.path.basename(path), name):
            return path
    for soname, path in _linker_cache():
        if _is_library(soname, name):
            return os.path.realpath(path)
    import shutil

    program = shutil.which(name)
    if program:
        return os.path.realpath(program)
    raise AttachError(
        f"no library or program {name!r}: not mapped, not in the linker's cache, not in PATH", "give its path"
    )


def _is_library(file: str, name: str) -> bool:
    """libc.so.6 and libc-2.31.so for "c", "libc" and "libc.so.6"."""
    if file == name:
        return True
    stem = name.removeprefix("lib").partition(".so")[0]
    return re.fullmatch(rf"lib{re.escape(stem)}(-[\d.]+)?\.so(\.[\w.]+)?", file) is not None and (
        ".so" not in name or file.startswith(name)
    )


def _mapped(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid if pid > 0 else 'self'}/maps", encoding="utf-8", errors="surrogateescape") as file:
            paths = [line.split(maxsplit=5)[5].rstrip("\n") for line in file if "/" in line]
    except OSError:
        return []
    return [path for path in dict.fromkeys(paths) if path.startswith("/") and os.path.isfile(path)]


def _linker_cache() -> Iterator[tuple[str, str]]:
    import subprocess

    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/sbin:/usr/sbin", "LC_ALL": "C"}
    try:
        text = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, env=environment, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return
    for line in text.splitlines():
        soname, arrow, path = line.strip().partition(" => ")
        if arrow:
            yield soname.partition(" ")[0], path


class _Function(Record):
    """A function in a symbol table. `hidden`: an old version, which new programs are not linked with; `version` is the
    index of its version, 0 where it has none.
    """

    name: str
    address: int
    resolver: bool
    hidden: bool
    version: int = 0


def symbol_offset(path: str, symbol: str) -> int:
    """The offset in the file of a function's first byte, which is what uprobes are placed by.

    Looks in .symtab and .dynsym, and takes the default one of several versions, or the one that is named, as in
    "memcpy@GLIBC_2.2.5". AttachError names close matches.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    symbol, _, version = symbol.partition("@")
    version = version.removeprefix("@")
    try:
        with open(path, "rb") as file:
            elf: Any = ELFFile(file)
            found = list(_functions(elf, symbol))
            if not found:
                raise AttachError(f"{path} has no function {symbol!r}", _close(elf, symbol))
            if version:
                found = _of_version(path, elf, found, version)
            function = min(found, key=lambda function: function.hidden)
            if function.resolver:
                raise AttachError(
                    f"{symbol!r} in {path} is picked when the program starts (IFUNC): the symbol is what picks it",
                    "probe the implementation that is picked, by its own name",
                )
            at = _in_file(elf, function.address)
            if at is not None:
                return at
    except ELFError:
        raise AttachError(f"{path} is not an ELF file") from None
    except OSError as error:
        raise AttachError(f"reading {path}: {error.strerror}") from None
    raise AttachError(f"{symbol!r} is in no loaded segment of {path}")


def _in_file(elf: Any, address: int) -> int | None:
    for segment in elf.iter_segments():
        into = address - segment["p_vaddr"]
        if segment["p_type"] == "PT_LOAD" and 0 <= into < segment["p_filesz"]:
            return int(into + segment["p_offset"])
    return None


def matching_offsets(path: str, patterns: list[str]) -> dict[str, int]:
    """The offsets in the file of all functions that match, by name. A pattern has `*` and `?`, or is a name.

    Functions that are picked when the program starts (IFUNC) are left out of what a pattern matches; of several names
    at one place it gives the first. AttachError where nothing matches one of the patterns.
    """
    import fnmatch

    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    given = {name: symbol_offset(path, name) for name in patterns if "*" not in name and "?" not in name}
    places = {at: name for name, at in given.items()}
    wild = [name for name in patterns if "*" in name or "?" in name]
    if wild:
        fits = {pattern: re.compile(fnmatch.translate(pattern)).match for pattern in wild}
        matched: set[str] = set()
        try:
            with open(path, "rb") as file:
                elf: Any = ELFFile(file)
                for function in sorted(_functions(elf, None), key=lambda function: (function.hidden, function.name)):
                    hits = [pattern for pattern, fit in fits.items() if fit(function.name)]
                    at = _in_file(elf, function.address) if hits and not function.resolver else None
                    if at is not None:
                        matched.update(hits)
                        places.setdefault(at, function.name)
        except ELFError:
            raise AttachError(f"{path} is not an ELF file") from None
        except OSError as error:
            raise AttachError(f"reading {path}: {error.strerror}") from None
        for pattern in wild:
            if pattern not in matched:
                raise AttachError(f"{path} has no function that matches {pattern!r}")
    given.update({name: at for at, name in places.items()})
    return dict(sorted(given.items()))


def _of_version(path: str, elf: Any, found: list[_Function], version: str) -> list[_Function]:
    """Those of a version of the library's interface, by .gnu.version_d."""
    table = elf.get_section_by_name(".gnu.version_d")
    names = {}
    if table is not None:
        for definition, auxiliary in table.iter_versions():
            names[definition["vd_ndx"]] = next(auxiliary).name
    kept = [function for function in found if names.get(function.version) == version]
    if not kept:
        has = sorted({names[function.version] for function in found if function.version in names})
        help = f"there is {', '.join(has)}" if has else "it has no versions"
        raise AttachError(f"{path} has no {found[0].name!r} of version {version}", help)
    return kept


_FUNCTION, _RESOLVER = 2, 10  # STT_FUNC, STT_GNU_IFUNC


def _functions(elf: Any, symbol: str | None) -> Iterator[_Function]:
    """The defined functions of that name, or all of them. Reads the tables as they lie: a C library has thousands."""
    order = "<" if elf.little_endian else ">"
    entry = struct.Struct(order + ("IBBHQQ" if elf.elfclass == 64 else "IIIBBH"))
    for name in (".symtab", ".dynsym"):
        table = elf.get_section_by_name(name)
        if table is None or table["sh_type"] == "SHT_NOBITS":
            continue
        strings: bytes = elf.get_section(table["sh_link"]).data()
        versions = elf.get_section_by_name(".gnu.version") if name == ".dynsym" else None
        bits = versions.data() if versions is not None else b""
        places = _places(strings, symbol) if symbol is not None else None
        for index, fields in enumerate(entry.iter_unpack(table.data())):
            at = fields[0]
            if places is not None and at not in places:
                continue
            info, section, value = [fields[place] for place in ((1, 3, 4) if elf.elfclass == 64 else (3, 5, 1))]
            if section and value and info & 15 in (_FUNCTION, _RESOLVER):
                known = struct.unpack_from(order + "H", bits, 2 * index)[0] if bits else 0
                text = strings[at : strings.index(b"\0", at)].decode(errors="replace")
                yield _Function(text, value, info & 15 == _RESOLVER, known >> 15 == 1, known & 0x7FFF)


def _places(strings: bytes, symbol: str) -> set[int]:
    """Where a name stands in a string table: also at the end of longer names, which share it."""
    wanted = symbol.encode() + b"\0"
    places = set()
    at = strings.find(wanted)
    while at >= 0:
        places.add(at)
        at = strings.find(wanted, at + 1)
    return places


def _close(elf: Any, symbol: str) -> str:
    import difflib

    names = sorted({function.name for function in _functions(elf, None)})
    close = difflib.get_close_matches(symbol, names, 3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return "" if names else "the file is stripped: probe an offset instead"
