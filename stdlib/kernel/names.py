"""A name of the kernel -> the object that stands for it, out of the BTF that there is."""

from __future__ import annotations

from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.btf.kernel import KernelTypes
from pybpf.stdlib.kernel.classes import class_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["lookup"]

_RUNNING = "/sys/kernel/btf/vmlinux"
_objects: dict[str, Any] = {}
_sources: list[KernelTypes] = []


def lookup(name: str) -> Any:
    """The object for a name; None where there is none. The same object each time."""
    if name not in _objects:
        if not _sources:
            with open(_RUNNING, "rb") as file:
                _sources.append(KernelTypes(decode_btf(file.read())))
        kind = _sources[0].named(name)
        _objects[name] = None if kind is None else class_for(kind, name)
    return _objects[name]
