"""Functions of a file for uprobes, and the USDT probes that it was built with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.attachable import Row
from pybpf.attachable.matching import matching
from pybpf.runtime.binaries import find_binary
from pybpf.runtime.errors import AttachError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["functions", "probes"]


def _opened(pattern: str, read: Callable[[Any], list[Any]], example: str) -> tuple[str, str, str, list[Any]]:
    """The file's name as given, its path, the pattern for names, and what `read` finds in it."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    file, colon, names = pattern.partition(":")
    if not file or "*" in file:
        raise AttachError("which file? its name comes first", f"as in {example}")
    path = find_binary(file)
    try:
        with open(path, "rb") as raw:
            return file, path, names if colon and names else "*", read(ELFFile(raw))
    except ELFError:
        raise AttachError(f"{path} is not an ELF file") from None
    except OSError as error:
        raise AttachError(f"reading {path}: {error.strerror}") from None


def functions(pattern: str, details: bool) -> Iterator[Row]:
    from pybpf.runtime.symbols import functions_in

    file, path, names, found = _opened(pattern, functions_in, "uprobe:/bin/bash:read*")
    sizes = {name: size for _, size, name in found}
    for name in matching(names, sizes):
        shown = (f"bytes: {sizes[name]}",) if details else ()
        yield Row("uprobe", f"{path}:{name}", shown, f'@uprobe("{file}", "{name}")')


def probes(pattern: str, details: bool) -> Iterator[Row]:
    from pybpf.runtime.usdt import _notes

    file, path, names, notes = _opened(pattern, lambda elf: list(_notes(elf)), "usdt:libc:*")
    if names != "*" and ":" not in names:
        names = f"*:{names}"
    known = {f"{note[3]}:{note[4]}": note[5] for note in notes}
    for name in matching(names, known):
        provider, _, probe = name.partition(":")
        shown = tuple([f"arg{index}: {text}" for index, text in enumerate(known[name].split())]) if details else ()
        yield Row("usdt", f"{path}:{name}", shown, f'@usdt("{file}", "{provider}", "{probe}")')
