"""From object bytes to running programs: load, attach, read, close.

`load_object` takes what the compiler gives, `open_elf` any BPF object file. One concern a module: `object` (a loaded
object), `program`, `maps`, `ringbuf`, `variables` (globals), `links` (attaching), `testing`, `printk`, `verifier`
(rejections), `errors`; below them `libbpf` and `syscall`, the only ones that call into C.
"""

from __future__ import annotations

from pybpf.runtime.errors import (
    AttachError,
    LoadError,
    MapFull,
    NoBpf,
    NotPermitted,
    ObjectClosed,
    PybpfError,
    RunError,
    VerifierError,
)
from pybpf.runtime.object import LoadedObject, load_object, open_elf

__all__ = [
    "AttachError", "LoadError", "LoadedObject", "MapFull", "NoBpf", "NotPermitted", "ObjectClosed", "PybpfError",
    "RunError", "VerifierError", "load_object", "open_elf",
]  # fmt: skip
