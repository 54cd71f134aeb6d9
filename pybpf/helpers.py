"""Every kernel helper under its kernel name: `from pybpf import helpers`, `helpers.bpf_ktime_get_ns()`."""

from __future__ import annotations

from pybpf.stdlib import helpers as _table


def __getattr__(name: str) -> _table.Helper:
    found: _table.Helper = getattr(_table, name)
    return found


def __dir__() -> list[str]:
    return _table.names()
