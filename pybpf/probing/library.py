"""pybpf itself, and the libbpf that it uses."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

from pybpf.probing import GOOD, LACKS, NOTE, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["libbpf", "ourselves"]


def ourselves() -> Iterator[Finding]:
    import pybpf

    yield Finding("version", NOTE, pybpf.__version__)
    yield Finding("python", NOTE, f"{platform.python_version()} ({sys.executable})")


def libbpf() -> Iterator[Finding]:
    from pybpf.runtime.errors import NoBpf
    from pybpf.runtime.libbpf import candidates, library, missing

    try:
        used = library()
    except NoBpf as error:
        yield Finding("library", LACKS, error.message, error.help)
        return
    yield Finding("library", GOOD, used.path)
    yield Finding("version", NOTE, used.version)
    for name, text in missing().items():
        yield Finding("lacks", NOTE, f"{text}: {name}()")
    for origin, path in candidates():
        if path != used.path:
            yield Finding("also there", NOTE, f"{path} ({origin})", "PYBPF_LIBBPF=FILE chooses another one")
