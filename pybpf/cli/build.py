"""`pybpf build x.py -o x.bpf.o`: compile the programs of a file to an object, or print a stage of it."""

from __future__ import annotations

import sys

from pybpf.cli.messages import UserError, show_diagnostics
from pybpf.cli.options import BTF, CPU, FILE, FORMAT, LICENSE, SET, TARGET, settings, target_of, use_btf
from pybpf.cli.table import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["COMMAND"]

OUTPUT = Option("-o", "--output", metavar="FILE", help="Object to write; x.bpf.o for x.py unless told, - for stdout.")
EMIT = Option(
    "--emit",
    metavar="STAGE",
    help="Print a stage instead: tree, ir, asm, btf, elf; or {ir,asm}:{before,after}-PASS.",
)
SKIP = Option("--skip", metavar="PASS", multiple=True, help="Leave out an optimisation, or `all` of them.")


def run(values: dict[str, Any]) -> int:
    from pybpf.building import build, emit
    from pybpf.cli.module import import_file, programs_of

    consts = settings(values["set"])
    target = target_of(values)
    use_btf(values)
    programs = programs_of(import_file(values["file"]))
    skip = _passes(values["skip"])
    if values["emit"]:
        text = emit(values["emit"], *programs, target=target, skip=skip, **consts)
        _write(values["output"] or "-", text.encode())
        return 0
    made = build(*programs, target=target, skip=skip, **consts)
    output = values["output"]
    if output is None:
        name = values["file"].replace("\\", "/").rpartition("/")[2]
        output = f"{name.removesuffix('.py')}.bpf.o"
    _write(output, made.elf)
    if made.warnings or (values["format"] != "text" and output != "-"):
        show_diagnostics(made.warnings, values["format"])
    return 0


def _passes(names: list[str]) -> list[str]:
    if not names:
        return []
    from pybpf.building import known_passes
    from pybpf.compiler.optimisations import OPTIMISATIONS

    if "all" in names:
        return list(OPTIMISATIONS)
    known_passes(names)
    return names


def _write(path: str, data: bytes) -> None:
    """Write the whole of it or nothing: an object that another process reads is never half of one."""
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    import os

    beside = f"{path}.{os.getpid()}.tmp"
    special = os.path.exists(path) and not os.path.isfile(path)  # /dev/null, a pipe: can't be replaced
    try:
        with open(path if special else beside, "wb") as file:
            file.write(data)
        if not special:
            os.replace(beside, path)
    except OSError as error:
        if os.path.exists(beside):
            os.unlink(beside)
        directory = os.path.dirname(path)
        if directory and not os.path.isdir(directory):
            raise UserError(f"can't write {path}: there is no directory {directory}", f"mkdir -p {directory}") from None
        raise UserError(f"can't write {path}: {error.strerror}") from None


COMMAND = Command(
    "build",
    run,
    "Compile the programs of a file to a BPF object.\n\n"
    "The object holds every program that is a global of the file, with the maps that they use. Compiling needs no "
    "privilege and no kernel.",
    arguments=(FILE,),
    options=(OUTPUT, EMIT, SKIP, TARGET, CPU, LICENSE, SET, BTF, FORMAT),
)
