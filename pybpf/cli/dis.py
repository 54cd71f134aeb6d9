"""`pybpf dis x.py`: the source beside the bytecode that was made of it."""

from __future__ import annotations

from pybpf.cli.options import CPU, FILE, SET, TARGET, settings, target_of
from pybpf.cli.table import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["COMMAND"]


def run(values: dict[str, Any]) -> int:
    from pybpf.build import build
    from pybpf.cli.module import import_file, programs_of

    programs = programs_of(import_file(values["file"]))
    print(build(*programs, target=target_of(values), **settings(values["set"])).disassemble())
    return 0


COMMAND = Command(
    "dis",
    run,
    "Show the bytecode of a file's programs, each instruction under the source line it comes from.",
    arguments=(FILE,),
    options=(TARGET, CPU, SET),
)
