"""The `pybpf` command. `main()` finds the command's module, reads its options and runs it.

Each command is a module here with a `COMMAND` (see table.py). Plain, right command lines are read by the few
lines of table.py, since importing click takes as long as compiling; whatever they don't understand (`--help`, a wrong
option, shell completion) goes to click, which is built from the same tables and explains itself.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from pybpf.cli.table import Command

__all__ = ["COMMANDS", "command", "entry", "main"]

COMMANDS = ("build", "run", "check", "dis", "stubs", "explain", "list", "doctor")


def command(name: str) -> Command:
    """The command of that name; its module is imported on demand."""
    module = __import__(f"pybpf.cli.{name}", fromlist=["COMMAND"])
    found: Command = module.COMMAND
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name); the process's exit code."""
    words = [*(sys.argv[1:] if argv is None else argv)]  # `list` is a command here: its module, once imported
    if words and words[0] in COMMANDS:
        from pybpf.cli.table import parse

        chosen = command(words[0])
        values = parse(chosen, words[1:])
        if values is not None:
            from pybpf.cli.messages import guarded

            return guarded(chosen, values)
    from pybpf.cli.clickapp import click_main

    return click_main(words)


def entry() -> NoReturn:
    """The console script: a process that lives for one command, so memory is neither collected nor torn down."""
    import gc

    gc.disable()
    from pybpf.cli.image import install

    image = install()
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the reader of a pipe went away
        code = code or 1
    if code == 0 and sys.argv[1:2] == ["build"]:
        image.save_if_incomplete()
    os._exit(code)
