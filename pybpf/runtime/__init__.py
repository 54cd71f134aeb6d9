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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.runtime.object import LoadedObject, load_object, open_elf

__all__ = [
    "AttachError", "LoadError", "LoadedObject", "MapFull", "NoBpf", "NotPermitted", "ObjectClosed", "PybpfError",
    "RunError", "VerifierError", "load_object", "open_elf",
]  # fmt: skip


if not TYPE_CHECKING:

    def __getattr__(name):
        """What needs libbpf is imported when it is used: programs that only name an error can be compiled without."""
        if name not in ("LoadedObject", "load_object", "open_elf"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from pybpf.runtime import object

        return getattr(object, name)
