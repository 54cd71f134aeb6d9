"""The kernel's types, by name: `from pybpf.kernel import task_struct, file, bpf_map_type`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def __getattr__(name: str) -> Any:
    if not name.startswith("__"):
        from pybpf.stdlib.kernel.names import lookup

        found = lookup(name)
        if found is not None:
            return found
    raise AttributeError(f"the kernel has no type named {name!r}")
