"""Options that several commands share, and what their words mean."""

from __future__ import annotations

from pybpf.cli.messages import UserError
from pybpf.cli.table import Argument, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.schema.specs import Target

__all__ = ["BTF", "CPU", "FILE", "FILES", "FORMAT", "LICENSE", "SET", "TARGET", "settings", "target_of", "use_btf"]

FILE = Argument("file", "FILE.py")
FILES = Argument("files", "FILE.py...", multiple=True)
TARGET = Option(
    "--target", metavar="KERNEL", help="Oldest kernel that must take the program; 6.1 unless told (6.6 with --cpu v4)."
)
CPU = Option("--cpu", choices=("v1", "v2", "v3", "v4"), help="BPF instruction set; v3 unless told.")
LICENSE = Option(
    "--license", metavar="TEXT", help="Licence of the programs, GPL unless told; many helpers need one like it."
)
BTF = Option(
    "--btf", metavar="FILE", help="Take kernel types from this BTF or vmlinux, not from pybpf and the running kernel."
)
SET = Option("--set", metavar="NAME=VALUE", multiple=True, help="Set a const() or var(), as in --set only_pid=7.")
FORMAT = Option("--format", choices=("text", "json", "sarif"), default="text", help="How to print diagnostics.")


def target_of(values: dict[str, Any]) -> Target:
    """The Target of `--target`, `--cpu` and `--license`."""
    from pybpf.compiler.schema.specs import Target

    chosen: dict[str, Any] = {}
    if values.get("cpu"):
        chosen["cpu"] = int(values["cpu"][1:])
    if values.get("license"):
        chosen["license"] = values["license"]
    kernel = values.get("target")
    if kernel:
        major, dot, minor = kernel.partition(".")
        if not (dot and major.isdecimal() and minor.split(".")[0].split("-")[0].isdecimal()):
            raise UserError(f"--target {kernel}: not a kernel version", "write it as --target 6.1")
        chosen["kernel"] = (int(major), int(minor.split(".")[0].split("-")[0]))
    return Target(**chosen)


def use_btf(values: dict[str, Any]) -> None:
    """Do what `--btf` says, before the user's file imports any kernel type. Raises DeclarationValueError."""
    if values.get("btf"):
        from pybpf.stdlib.kernel.names import use

        use(values["btf"])


def settings(pairs: list[str]) -> dict[str, Any]:
    """The values of `--set name=value`: numbers as in Python, true and false, anything else is text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UserError(f"--set {pair}: not NAME=VALUE", "write it as --set only_pid=7")
        if name in found:
            raise UserError(f"--set {name} is given twice")
        found[name] = _value(text)
    return found


def _value(text: str) -> int | bool | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text, 0)
    except ValueError:
        return text
