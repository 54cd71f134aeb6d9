"""Import the user's file, and find the programs in it. In: a path. Out: a module, or an error that names the place.

The file runs as `python FILE` would run it, with its own directory first on sys.path, but as a module: what stands
under `if __name__ == "__main__":` is not run.
"""

from __future__ import annotations

import os
import sys

from pybpf.cli.messages import UserError, message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from pybpf.compiler.diagnostics.base import CompileError, Diagnostic

__all__ = ["import_file", "is_users", "programs_of", "read_file"]

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def import_file(path: str) -> ModuleType:
    """The module made from the file. Raises UserError: there is no such file; CompileError: it can't be imported."""
    text = read_file(path)
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
    """The Programs and tables of operations that are globals of the module, or elements of its lists, tuples and dicts.

    In the order of their names, each once. Raises UserError: none.
    """
    from pybpf.program import Program

    found: list[Any] = []
    for value in list(vars(module).values()):
        several = value.values() if type(value) is dict else value if type(value) in (list, tuple) else (value,)
        for each in several:
            if (isinstance(each, Program) or _is_table(each)) and each not in found:
                found.append(each)
    name = os.path.basename(module.__file__ or "")
    inside = _elsewhere(module, found)
    if inside and found:
        message(f"{inside}, so it is not among the programs of {name}", ("define it at module level",), "warning")
    if not found:
        if inside:
            raise UserError(
                f"no programs in {name}: {inside}", "define the program at module level, as a plain function"
            )
        raise UserError(
            f"no programs in {name}",
            "a program is a function with a hook above it, as in\n"
            '      @tracepoint("syscalls:sys_enter_openat")\n'
            "      def opened(ctx: TracepointContext) -> None: ...",
        )
    _refuse_redefinitions(module, [program for program in found if isinstance(program, Program)])
    return found


def _is_table(value: Any) -> bool:
    """Whether it is a table of operations, whose functions are programs."""
    return isinstance(value, type) and "__bpf_of__" in vars(value)


def _elsewhere(module: ModuleType, found: list[Any]) -> str:
    """Where a program is that was not found, as it is no global; "" where there is none."""
    from pybpf.program import Program

    for name, value in list(vars(module).items()):
        if isinstance(value, type) and value.__module__ == module.__name__ and not _is_table(value):
            for each in vars(value).values():
                if isinstance(each, Program) and each not in found:
                    return f"`{each.name}` is defined in the class {name}"
    return ""


def _refuse_redefinitions(module: ModuleType, programs: list[Any]) -> None:
    """Refuse a program that a later definition of the same name has replaced: it would be left out in silence."""
    path = module.__file__ or ""
    text = read_file(path)
    twice = [each.name for each in programs if text.count(f"def {each.name}(".encode()) > 1]
    if not twice:
        return
    from pybpf.compiler.diagnostics.base import CompileError
    from pybpf.compiler.diagnostics.names import Redefined
    from pybpf.compiler.frontend.source import Sources

    parsed = Sources().module(path)
    wrong: list[Diagnostic] = []
    for name in twice:
        defined = [node for node in parsed.body if getattr(node, "name", "") == name] if parsed is not None else []
        if parsed is not None and len(defined) > 1 and getattr(defined[0], "decorator_list", None):
            heads = [parsed.head(node) for node in defined]
            wrong.append(Redefined(heads[-1], name, heads[0]))
    if wrong:
        raise CompileError(wrong)


def read_file(path: str) -> bytes:
    """The bytes of a file that the user named. Raises UserError."""
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


def _not_python(error: SyntaxError | ValueError, path: str) -> Diagnostic:
    from pybpf.compiler.diagnostics.reading import NotPython
    from pybpf.compiler.schema.span import Source, Span

    with open(path, encoding="utf-8", errors="replace") as text:
        source = Source(os.path.basename(path), path, text.read().split("\n"))
    if not isinstance(error, SyntaxError):
        return NotPython(Span(source, 1, 0, 1, 0), str(error))
    line = min(max(error.lineno or 1, 1), len(source.lines))
    col = max((error.offset or 1) - 1, 0)
    end_line, end_col = error.end_lineno or line, (error.end_offset or 0) - 1
    if (end_line, end_col) <= (line, col) or end_line > len(source.lines):
        end_line, end_col = line, col
    return NotPython(Span(source, line, col, end_line, end_col), error.msg or "invalid syntax")


def _raised(error: BaseException, path: str) -> Diagnostic:
    """Where the user's own code was when the exception came."""
    from pybpf.compiler.diagnostics.blame import blame
    from pybpf.compiler.schema.span import Source, Span

    if isinstance(error, SyntaxError) and error.filename and is_users(os.path.abspath(error.filename), path):
        return _not_python(error, os.path.abspath(error.filename))
    start = Span(Source(os.path.basename(path), path, []), 1, 0, 1, 0)
    return blame(error, lambda filename, module: is_users(filename, path), start)


def is_users(filename: str, path: str) -> bool:
    """True for the file itself and for what it imports from beside it; libraries and pybpf are others' code."""
    if filename == path:
        return True
    inside = filename.startswith(os.path.dirname(path) + os.sep)
    return inside and "site-packages" not in filename and not filename.startswith(_OURS + os.sep)
