"""Where a user-space probe goes: from library and function names to a file and an offset in it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from pybpf.runtime.errors import AttachError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_binary", "symbol_offset"]


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


def symbol_offset(path: str, symbol: str) -> int:
    """The offset in the file of a function's first byte, which is what uprobes are placed by.

    Looks in .dynsym (by its hash table), then .symtab. AttachError names close matches.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with open(path, "rb") as file:
            elf: Any = ELFFile(file)
            found = _find(elf, symbol)
            if found is None:
                raise AttachError(f"{path} has no function {symbol!r}", _close(elf, symbol))
            address: int = found["st_value"]
            if found["st_info"]["type"] in ("STT_GNU_IFUNC", "STT_LOOS"):
                raise AttachError(
                    f"{symbol!r} in {path} is picked when the program starts (IFUNC): the symbol is what picks it",
                    "probe the implementation that is picked, by its own name",
                )
            for segment in elf.iter_segments():
                start = segment["p_vaddr"]
                if segment["p_type"] == "PT_LOAD" and start <= address < start + segment["p_memsz"]:
                    return int(address - start + segment["p_offset"])
    except ELFError:
        raise AttachError(f"{path} is not an ELF file") from None
    except OSError as error:
        raise AttachError(f"reading {path}: {error.strerror}") from None
    raise AttachError(f"{symbol!r} is in no loaded segment of {path}")


def _functions(table: Any) -> Iterator[Any]:
    for entry in table.iter_symbols():
        if entry["st_value"] and entry["st_info"]["type"] in ("STT_FUNC", "STT_GNU_IFUNC", "STT_LOOS"):
            yield entry


def _find(elf: Any, symbol: str) -> Any:
    hashes = elf.get_section_by_name(".gnu.hash")
    if hashes is not None:
        entry = hashes.get_symbol(symbol)
        if entry is not None and entry["st_value"]:
            return entry
    for name in (".symtab", ".dynsym"):
        table = elf.get_section_by_name(name)
        if table is not None and hasattr(table, "iter_symbols"):
            for entry in _functions(table):
                if entry.name == symbol:
                    return entry
    return None


def _close(elf: Any, symbol: str) -> str:
    import difflib

    names = {
        entry.name
        for section in (".dynsym", ".symtab")
        if (table := elf.get_section_by_name(section)) is not None and hasattr(table, "iter_symbols")
        for entry in _functions(table)
    }
    close = difflib.get_close_matches(symbol, sorted(names), 3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return "" if names else "the file is stripped: probe an offset instead"
