"""`pybpf check x.py ...`: say everything that is wrong with the programs of files, and write nothing."""

from __future__ import annotations

import os
import sys

from pybpf.cli.messages import REFUSED, UserError, message, show_diagnostics
from pybpf.cli.options import BTF, CPU, FILES, FORMAT, LICENSE, TARGET, target_of, use_btf
from pybpf.cli.table import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.schema.specs import Target

__all__ = ["COMMAND"]


def run(values: dict[str, Any]) -> int:
    target = target_of(values)
    use_btf(values)
    found: list[Diagnostic] = []
    unread = False
    for path in values["files"]:
        try:
            found += _check(path, target)
        except UserError as error:
            if len(values["files"]) == 1:
                raise
            message(error.title, error.helps)
            unread = True
    show_diagnostics(found, values["format"])
    return REFUSED if unread or any(d.severity == "error" for d in found) else 0


def _check(path: str, target: Target) -> list[Diagnostic]:
    """All diagnostics of one file. It leaves nothing behind that the next file could import in place of its own."""
    from pybpf.building import check
    from pybpf.cli.module import import_file, is_users, programs_of
    from pybpf.compiler.diagnostics.base import CompileError

    before, known = list(sys.path), set(sys.modules)
    try:
        return list(check(*programs_of(import_file(path)), target=target))
    except CompileError as error:
        return error.diagnostics
    finally:
        sys.path[:] = before
        full = os.path.abspath(path)
        for name in set(sys.modules) - known:
            if is_users(str(getattr(sys.modules[name], "__file__", None) or ""), full):
                del sys.modules[name]


COMMAND = Command(
    "check",
    run,
    "Check the programs of files and print everything that is wrong.\n\n"
    "Nothing is written or loaded; no privilege is needed. Exits with 0 if the programs can be compiled, warnings or "
    "not; 1 if there is an error, or a file can't be read or has no programs; 2 if the command line is wrong; 70 if "
    "pybpf itself failed.",
    arguments=(FILES,),
    options=(TARGET, CPU, LICENSE, BTF, FORMAT),
)
