"""Import the user's file, and find the programs in it. In: a path. Out: a module, or an error that names the place.

The file runs as `python FILE` would run it, with its own directory first on sys.path, but as a module: what stands
under `if __name__ == "__main__":` is not run.
"""

from __future__ import annotations

import os
import sys

from pybpf.cli.messages import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType, TracebackType
    from typing import Any

    from pybpf.compiler.diagnostics.base import CompileError, Diagnostic
    from pybpf.compiler.schema.span import Source, Span

__all__ = ["import_file", "programs_of"]

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def import_file(path: str) -> ModuleType:
    """The module made from the file. Raises UserError if there is no such file, CompileError if it can't be imported."""
    text = _read(path)
    full = os.path.abspath(path)
    try:
        code = compile(text, full, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes, on Python before 3.12
        raise _refuse(_not_python(error, full)) from None
    directory, name = os.path.split(full)
    if sys.path and sys.path[0] in ("", os.path.dirname(os.path.abspath(sys.argv[0]))):
        sys.path[0] = directory
    else:
        sys.path.insert(0, directory)
    stem = name.rpartition(".")[0] or name
    module = type(sys)(stem if stem not in sys.modules else f"{stem}__bpf")
    module.__file__ = full
    sys.modules[module.__name__] = module
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        from pybpf.compiler.diagnostics.base import CompileError

        if isinstance(error, CompileError):
            raise
        raise _refuse(_raised(error, full)) from None
    return module


def programs_of(module: ModuleType) -> list[Any]:
    """The Programs that are globals of the module, in the order of their names there, each once. Raises UserError: none."""
    from pybpf.program import Program

    found: list[Any] = []
    for value in list(vars(module).values()):
        if isinstance(value, Program) and value not in found:
            found.append(value)
    if not found:
        raise UserError(
            f"no programs in {os.path.basename(module.__file__ or '')}",
            "a program is a function with a hook above it, as in\n"
            '      @tracepoint("syscalls:sys_enter_openat")\n'
            "      def opened(ctx: TracepointContext) -> None: ...",
        )
    return found


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise UserError(f"no such file: {path}", *_like(path)) from None
    except IsADirectoryError:
        raise UserError(f"{path} is a directory", "name the Python file that holds the programs") from None
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from None


def _like(path: str) -> list[str]:
    """What the user may have meant by a file that isn't there."""
    from difflib import get_close_matches

    directory, name = os.path.split(path)
    try:
        there = [entry for entry in os.listdir(directory or ".") if entry.endswith(".py")]
    except OSError:
        return [f"there is no directory {directory}"]
    close = get_close_matches(name, there, 1) or get_close_matches(name + ".py", there, 1)
    return [f"did you mean {os.path.join(directory, close[0])}?"] if close else []


def _refuse(diagnostic: Diagnostic) -> CompileError:
    from pybpf.compiler.diagnostics.base import CompileError

    return CompileError([diagnostic])


def _source(path: str, sources: dict[str, Source]) -> Source:
    """The text of a file for showing; undecodable bytes are replaced."""
    from pybpf.compiler.schema.span import Source

    if path not in sources:
        import tokenize

        try:
            with open(path, "rb") as file:
                encoding, _ = tokenize.detect_encoding(file.readline)
        except (OSError, SyntaxError):
            encoding = "utf-8"
        try:
            with open(path, encoding=encoding, errors="replace") as text:
                lines = text.read().split("\n")
        except (OSError, LookupError):
            lines = []
        sources[path] = Source(os.path.basename(path), path, lines)
    return sources[path]


def _not_python(error: SyntaxError | ValueError, path: str) -> Diagnostic:
    from pybpf.compiler.diagnostics.reading import NotPython
    from pybpf.compiler.schema.span import Span

    source = _source(path, {})
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if not isinstance(error, SyntaxError):
        return NotPython(Span(source, 1, 0, 1, 0), str(error), version)
    line = min(max(error.lineno or 1, 1), max(len(source.lines), 1))
    col = max((error.offset or 1) - 1, 0)
    end_line, end_col = error.end_lineno or line, (error.end_offset or 0) - 1
    if (end_line, end_col) <= (line, col) or end_line > len(source.lines):
        end_line, end_col = line, col
    return NotPython(Span(source, line, col, end_line, end_col), error.msg or "invalid syntax", version)


def _raised(error: BaseException, path: str) -> Diagnostic:
    """Where the user's own code was when the exception came; frames of pybpf and of other libraries are left out."""
    from pybpf.compiler.diagnostics.reading import BadDeclaration, NotPython, RaisedOnImport
    from pybpf.compiler.schema.errors import DeclarationError
    from pybpf.compiler.schema.span import Span

    sources: dict[str, Source] = {}
    if isinstance(error, SyntaxError) and error.filename and _is_users(os.path.abspath(error.filename), path):
        return _not_python(error, os.path.abspath(error.filename))
    spans: list[Span] = []
    inside = ""
    step = error.__traceback__
    while step is not None:
        filename = step.tb_frame.f_code.co_filename
        if _is_users(filename, path):
            spans.append(_span(step, _source(filename, sources)))
            inside = ""
        elif filename != __file__ and not filename.startswith("<frozen"):
            inside = step.tb_frame.f_globals.get("__name__", "")
        step = step.tb_next
    if not spans:  # raised before the first line
        spans = [Span(_source(path, sources), 1, 0, 1, 0)]
    if isinstance(error, DeclarationError):
        return BadDeclaration(spans[-1], error.title, error.label, error.help)
    text = type(error).__name__
    if isinstance(error, SystemExit):
        text = f"SystemExit({error.code!r})"
    elif str(error):
        text = f"{text}: {error}"
    return RaisedOnImport(spans[-1], text.split("\n")[0], tuple(spans[:-1]), inside, isinstance(error, SystemExit))


def _is_users(filename: str, path: str) -> bool:
    """True for the file itself and for what it imports from beside it; libraries and pybpf are others' code."""
    if filename == path:
        return True
    inside = filename.startswith(os.path.dirname(path) + os.sep)
    return inside and "site-packages" not in filename and not filename.startswith(_OURS + os.sep)


def _span(step: TracebackType, source: Source) -> Span:
    """The failing expression; before Python 3.11, which keeps no columns, its line."""
    from pybpf.compiler.schema.span import Span

    code = step.tb_frame.f_code
    if hasattr(code, "co_positions"):
        place = list(code.co_positions())[step.tb_lasti // 2]
        line, end_line, col, end_col = place
        if line is not None and end_line is not None and col is not None and end_col is not None:
            return Span(source, line, _characters(source, line, col), end_line, _characters(source, end_line, end_col))
    line = step.tb_lineno
    text = source.line(line)
    return Span(source, line, len(text) - len(text.lstrip()), line, len(text.rstrip()))


def _characters(source: Source, line: int, column: int) -> int:
    """A column in characters from one in bytes of UTF-8."""
    return len(source.line(line).encode()[:column].decode(errors="replace"))
