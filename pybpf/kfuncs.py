"""Functions of the kernel that programs may call, under their names: `from pybpf import kfuncs`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    from pybpf.stdlib import kfuncs as table

    return getattr(table, name)


def __dir__() -> list[str]:
    from pybpf.stdlib.kfuncs import iterators, names

    return [*names(), *iterators()]
