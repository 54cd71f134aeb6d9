"""EBUSY, for a tracer of a function: the kernel says so of functions, too, that no tracer can be at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.runtime.errors import AttachError
from pybpf.runtime.links import kernelprobes
from pybpf.runtime.links.btf import why_busy

if TYPE_CHECKING:
    import pytest


def test_by_the_list_of_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernelprobes, "matching", lambda names: [("vfs_read", 0)] if "vfs_read" in names else [])
    assert why_busy("fentry", "vfs_read").startswith("another tracer holds the function")
    assert why_busy("fentry", "blk_account_io_start").startswith("blk_account_io_start() has no place for tracers")
    assert why_busy("lsm", "file_open").startswith("another tracer"), "which is no name of a function"


def test_without_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(names: list[str]) -> list[tuple[str, int]]:
        raise AttachError("the kernel does not let the list be read")

    monkeypatch.setattr(kernelprobes, "matching", refuse)
    assert why_busy("fentry", "blk_account_io_start").startswith("another tracer holds the function")
