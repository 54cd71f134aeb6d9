"""The kernel's types, by name: `from pybpf.kernel import task_struct, file, bpf_map_type, TCP_ESTABLISHED`.

Any struct, union, enum, enumerator, and typedef of these or of an integer is here. The common ones come with pybpf, so
that a program compiles to the same bytes everywhere; others are those of the running kernel. `kernel.use(path)`, the
option `--btf FILE` and the environment variable PYBPF_BTF name a file to take all of them from instead.

The stub beside this file, kernel.pyi, shows the bundled types to type checkers; `pybpf stubs` writes one of all types.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def use(path: str) -> None:
    """Take kernel types from this file from now on: raw BTF, or an ELF file with a section .BTF. "": as if never told.

    Names that were imported before keep their meaning. Raises DeclarationValueError where the file can't be used.
    """
    from pybpf.stdlib.kernel.names import use

    use(path)


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name.endswith("__"):
        raise AttributeError(f"module 'pybpf.kernel' has no attribute {name!r}")
    from pybpf.stdlib.kernel import names

    found = names.lookup(name)
    if found is None:
        import sys

        raise names.unknown(name, _importing(sys._getframe(1)))
    return found


def __dir__() -> list[str]:
    """For completion: `use`, and the names of the bundle or the chosen file."""
    from pybpf.stdlib.kernel import names

    return ["use", *names.listed()]


def _importing(frame: Any) -> bool:
    """Whether a frame is at a `from ... import`: there an AttributeError's message would be lost."""
    from opcode import opmap

    code = frame.f_code.co_code
    return bool(0 <= frame.f_lasti < len(code) and code[frame.f_lasti] == opmap["IMPORT_FROM"])
