"""`pybpf stubs`: write the types of the running kernel for type checkers and editors."""

from __future__ import annotations

import os
import sys

from pybpf.cli.messages import UserError
from pybpf.cli.options import BTF, use_btf
from pybpf.cli.table import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["COMMAND"]

OUTPUT = Option("-o", "--output", metavar="DIR", help="Directory to write pybpf/kernel/ into; typings unless told.")
INSTALL = Option("--install", flag=True, help="Write beside the installed pybpf, where mypy looks too.")


def run(values: dict[str, Any]) -> int:
    from pybpf.stdlib.kernel.files import RUNNING
    from pybpf.stdlib.kernel.names import every_source
    from pybpf.stdlib.kernel.stub import stub_files

    if values["install"] and values["output"]:
        raise UserError("--install and --output say two places", "leave one of them out")
    use_btf(values)
    sources = every_source()
    origin = f"From {os.path.basename(values['btf'])}" if values["btf"] else _kernel()
    files = stub_files(sources, f"{origin}, by pybpf stubs.")
    root = values["output"] or "typings"
    if values["install"]:
        import pybpf

        root = os.path.dirname(os.path.dirname(os.path.abspath(pybpf.__file__)))
    try:
        _write(os.path.join(root, "pybpf"), files)
    except OSError as error:
        raise UserError(f"can't write {error.filename}: {error.strerror}") from None
    where = os.path.join(root, "pybpf", "kernel")
    if not values["btf"] and not os.path.exists(RUNNING):
        print("this machine has no kernel BTF: only the types that come with pybpf are in it", file=sys.stderr)
    print(f"{where}: {sum(text.count(chr(10) + 'class ') for text in files.values())} types")
    return 0


def _kernel() -> str:
    name = os.uname()
    return f"From {name.sysname} {name.release} {name.machine}"


def _write(directory: str, files: dict[str, str]) -> None:
    """Write the files, and take away parts that an earlier, larger stub has left."""
    folder = os.path.join(directory, "kernel")
    os.makedirs(folder, exist_ok=True)
    for old in os.listdir(folder):
        if old.startswith("part") and old.endswith(".pyi") and f"kernel/{old}" not in files:
            os.unlink(os.path.join(folder, old))
    for path, text in files.items():
        with open(os.path.join(directory, path), "w", encoding="utf-8") as file:
            file.write(text)


COMMAND = Command(
    "stubs",
    run,
    "Write the types of this kernel for type checkers.\n\n"
    "pybpf comes with those of the common structures. This command writes them all, modules' too, as a stub of "
    "pybpf.kernel. pyright and editors built on it find it in `typings`; for mypy use --install.",
    options=(OUTPUT, INSTALL, BTF),
)
