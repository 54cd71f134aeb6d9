"""`pybpf dis x.py`, `pybpf dis x.bpf.o`: the source beside the bytecode that was made of it."""

from __future__ import annotations

from pybpf.cli.messages import UserError
from pybpf.cli.options import BTF, CPU, SET, TARGET, settings, target_of, use_btf
from pybpf.cli.table import Argument, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["COMMAND"]


def run(values: dict[str, Any]) -> int:
    from pybpf.listing import listings, side_by_side

    data = _object(values)
    try:
        found = listings(data)
    except ValueError as error:
        raise UserError(f"{values['file']}: {error}") from None
    print(side_by_side(found))
    return 0


def _object(values: dict[str, Any]) -> bytes:
    """The object of a Python file, or the file itself if it is one."""
    from pybpf.cli.module import import_file, programs_of, read_file

    data = read_file(values["file"])
    if data[:4] == b"\x7fELF":
        return data
    from pybpf.building import build

    use_btf(values)
    programs = programs_of(import_file(values["file"]))
    return build(*programs, target=target_of(values), **settings(values["set"])).elf


COMMAND = Command(
    "dis",
    run,
    "Show source and bytecode of a file side by side.\n\n"
    "FILE is a Python file, or any BPF object.",
    arguments=(Argument("file", "FILE"),),
    options=(TARGET, CPU, SET, BTF),
)
