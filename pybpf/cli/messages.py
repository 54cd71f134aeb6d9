"""What a person sees when something is wrong: `error:` lines and diagnostics on stderr, never a traceback of ours."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pybpf.cli.table import Command
    from pybpf.compiler.diagnostics.base import Diagnostic

__all__ = ["INTERNAL", "REFUSED", "UserError", "guarded", "message", "show_diagnostics"]

REFUSED = 1  # exit code: the program or the request was refused
INTERNAL = 70  # EX_SOFTWARE of sysexits.h: a bug of ours


class UserError(Exception):
    """Something that the user can put right: a title of one line, and ways out."""

    def __init__(self, title: str, *helps: str) -> None:
        super().__init__(title)
        self.title = title
        self.helps = helps


def guarded(command: Command, values: dict[str, Any]) -> int:
    """Run a command; every failure becomes a message and an exit code."""
    try:
        return command.run(values)
    except UserError as error:
        message(error.title, error.helps)
        return REFUSED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `pybpf dis x.py | head`
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return REFUSED
    except Exception as error:
        return _failed(error, command, values)


def _failed(error: Exception, command: Command, values: dict[str, Any]) -> int:
    """Errors in programs, of declarations, of loading and attaching tell what to do themselves; the rest is a bug."""
    from pybpf.compiler.diagnostics.base import CompileError
    from pybpf.compiler.schema.errors import DeclarationError

    if isinstance(error, CompileError):
        show_diagnostics(error.diagnostics, values.get("format") or "text")
        return REFUSED
    if isinstance(error, DeclarationError):
        message(error.title, (error.help,) if error.help else ())
        return REFUSED
    from pybpf.runtime.errors import PybpfError

    if isinstance(error, PybpfError):
        message(error.message, (error.help,) if error.help else ())
        return REFUSED
    import os

    if os.environ.get("PYBPF_TRACEBACK"):
        raise error
    message(
        f"pybpf {command.name} failed inside pybpf itself: {type(error).__name__}: {error}",
        ("this is a bug in pybpf, not in your program; PYBPF_TRACEBACK=1 shows where",),
    )
    return INTERNAL


def message(title: str, helps: Sequence[str], word: str = "error") -> None:
    """Print `error: title` and its helps to stderr, in the colours of diagnostics."""
    from pybpf.compiler.diagnostics.screen import Paint, wants_color

    paint = Paint(wants_color(sys.stderr))
    out = [paint(word, word) + paint(f": {title}", "strong")]
    out += [f"{paint('help', 'help')}: {help}" for help in helps]
    print("\n".join(out), file=sys.stderr)


def show_diagnostics(diagnostics: Sequence[Diagnostic], format: str = "text") -> None:
    """Print diagnostics: as text to stderr, or as JSON or SARIF to stdout for a program to read."""
    if format != "text":
        import json
        import os

        if format == "json":
            from pybpf.compiler.diagnostics.records import records

            made: object = records(diagnostics, os.getcwd())
        else:
            from pybpf import __version__
            from pybpf.compiler.diagnostics.sarif import sarif

            made = sarif(diagnostics, __version__, os.getcwd())
        print(json.dumps(made, indent=2, ensure_ascii=False))
    elif diagnostics:
        import os

        from pybpf.compiler.diagnostics.render import render_all
        from pybpf.compiler.diagnostics.screen import wants_color

        print(render_all(diagnostics, wants_color(sys.stderr), os.getcwd()), file=sys.stderr)
