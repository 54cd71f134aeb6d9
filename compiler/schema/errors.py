"""Mistakes in declarations: structs, maps, globals, hooks.

Reading the `__bpf__` of a declaration may raise one of these, since layouts, symbols and contexts are worked out when
they are first asked for; a constructor raises one at once where it can tell. The compiler turns them into diagnostics
at the place of use, the command line into one at the user's line that made the declaration.
"""

from __future__ import annotations

__all__ = ["DeclarationError", "DeclarationTypeError", "DeclarationValueError"]


class DeclarationError(Exception):
    """`title` says what is wrong, on one line; `label` is for the caret; `help` is a way out, of one or more lines.

    `lines` is code to write, shown under the help. `site` is where the declaration stands, if that is not where the
    error is raised: the file's name, the 1-based line of its statement, and the part of it that is meant (a field of
    the class, a parameter of the function, "return"; "": all of it).
    """

    title: str
    label: str
    help: str
    lines: tuple[str, ...]
    site: tuple[str, int, str] | None
    also: tuple[DeclarationError, ...] = ()  # what else is wrong with the same declaration

    def __init__(
        self,
        title: str,
        *,
        label: str = "",
        help: str = "",
        lines: tuple[str, ...] = (),
        site: tuple[str, int, str] | None = None,
    ) -> None:
        super().__init__("\n".join([part for part in (title, help, *[f"    {line}" for line in lines]) if part]))
        self.title = title
        self.label = label
        self.help = help
        self.lines = lines
        self.site = site

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: the line of the cell that made the declaration."""
        from pybpf.compiler.diagnostics.blame import declared_at
        from pybpf.compiler.diagnostics.render import render

        found = declared_at(self)
        return render(found, color=True).split("\n") if found else [f"{type(self).__name__}: {self}"]


class DeclarationTypeError(DeclarationError, TypeError):
    """A type that BPF has no layout for, or a missing or doubled field."""


class DeclarationValueError(DeclarationError, ValueError):
    """A size, count or name that the kernel would refuse."""
