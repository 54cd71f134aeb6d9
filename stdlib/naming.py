"""The names of declared maps and globals: the module variable that holds a declaration is its symbol."""

from __future__ import annotations

import sys

from pybpf.compiler.schema.errors import DeclarationValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["caller_globals", "check_symbol", "spelled", "symbol_of"]

def caller_globals() -> dict[str, Any]:
    """The globals of the nearest frame outside the standard library: of the module that makes a declaration."""
    frame = sys._getframe(1)
    while str(frame.f_globals.get("__name__")).startswith("pybpf.stdlib"):
        assert frame.f_back is not None
        frame = frame.f_back
    return frame.f_globals


def symbol_of(declaration: object, namespace: dict[str, Any], what: str, fallback: str = "") -> str:
    """The variable that holds a declaration, else `fallback`. Raises DeclarationValueError where there is neither."""
    found = spelled(declaration, namespace) or fallback
    if not found:
        raise DeclarationValueError(
            f"this {what} has no name", help=f'assign it to a module variable, or give it one: name="my_{what}"'
        )
    return check_symbol(found, what)


def check_symbol(name: str, what: str) -> str:
    """`name`, if it may be a symbol. Raises DeclarationValueError."""
    from pybpf.compiler.elf.names import check_symbol_name

    reason = check_symbol_name(name)
    if reason is not None:
        raise DeclarationValueError(
            f"{name!r} cannot name a {what}: it {reason}",
            help="choose a plain C identifier that is no keyword of C, Go or Rust",
        )
    return name


def spelled(declaration: object, namespace: dict[str, Any]) -> str:
    """The variable that holds a declaration, the first one if there are several; "" if there is none."""
    for name, value in namespace.items():
        if value is declaration:
            return name
    return ""
