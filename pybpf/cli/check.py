"""`pybpf check x.py`: say everything that is wrong with the programs of a file, and write nothing."""

from __future__ import annotations

from pybpf.cli.messages import REFUSED, show_diagnostics
from pybpf.cli.options import BTF, CPU, FILE, FORMAT, LICENSE, TARGET, target_of, use_btf
from pybpf.cli.table import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["COMMAND"]


def run(values: dict[str, Any]) -> int:
    from pybpf.building import check
    from pybpf.cli.module import import_file, programs_of
    from pybpf.compiler.diagnostics.base import CompileError

    use_btf(values)
    try:
        programs = programs_of(import_file(values["file"]))
        found = check(*programs, target=target_of(values))
    except CompileError as error:
        found = error.diagnostics
    show_diagnostics(found, values["format"])
    return REFUSED if any(d.severity == "error" for d in found) else 0


COMMAND = Command(
    "check",
    run,
    "Check the programs of a file and print everything that is wrong.\n\n"
    "Exits with 1 if there is an error. Nothing is written or loaded; no privilege is needed.",
    arguments=(FILE,),
    options=(TARGET, CPU, LICENSE, BTF, FORMAT),
)
