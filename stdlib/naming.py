"""The names of declared maps and globals: the module variable that holds a declaration is its symbol."""

from __future__ import annotations

import sys

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["check_call", "check_symbol", "declared_here", "spelled", "symbol_of"]


def declared_here() -> tuple[dict[str, Any], tuple[str, int, str]]:
    """The globals of the module that makes a declaration, and the site of it: of the nearest frame outside stdlib."""
    frame = sys._getframe(1)
    while str(frame.f_globals.get("__name__")).startswith("pybpf.stdlib"):
        assert frame.f_back is not None
        frame = frame.f_back
    return frame.f_globals, (frame.f_code.co_filename, frame.f_lineno, "")


def check_call(
    make: Callable[..., Any], name: str, given: tuple[object, ...], options: dict[str, Any], example: str
) -> None:
    """Refuse arguments that `make(self, ...)` does not take, in place of Python's TypeError, which names our functions.

    Raises DeclarationTypeError that names a missing argument, or what a misspelt one may mean.
    """
    code, defaults, named = make.__code__, make.__defaults__ or (), make.__kwdefaults__ or {}
    positional = code.co_varnames[1 : code.co_argcount]
    known = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    for option in options:
        if option not in known:
            from difflib import get_close_matches

            close = get_close_matches(option, known, 1)
            help = f"did you mean `{close[0]}`?" if close else f"its arguments are {', '.join(known)}; as in:"
            raise DeclarationTypeError(
                f"{name} has no argument `{option}`", help=help, lines=() if close else (example,)
            )
    if len(given) > len(positional):
        raise DeclarationTypeError(
            f"{name} takes {len(positional) or 'no'} argument{'s' if positional[1:] else ''} without a name, "
            f"not {len(given)}", help="write:", lines=(example,)
        )  # fmt: skip
    needed = [each for each in positional[: len(positional) - len(defaults)] if each not in options][len(given) :]
    needed += [each for each in known[len(positional) :] if each not in options and each not in named]
    if needed:
        raise DeclarationTypeError(f"{name} needs `{needed[0]}`", help="write:", lines=(example,))


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
