"""Where a function's source text comes from: a file, or an IPython cell. In: a code object. Out: Source, spans.

The text is parsed with the interpreter's own parser through `_ast`, since importing `ast` and `linecache` costs more
than the parsing. A column of Python's syntax tree counts UTF-8 bytes; a Span counts characters.
"""

from __future__ import annotations

import sys

from pybpf.compiler.schema.record import Record, factory
from pybpf.compiler.schema.span import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from types import CodeType
    from typing import Any
else:
    import _ast as ast

__all__ = ["Module", "Sources", "lambda_definition"]

_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST


class Module(Record, eq=False):
    """One parsed text, and the functions in it by name and first line (that of the first decorator, if there are
    any).
    """

    source: Source
    functions: dict[tuple[str, int], ast.FunctionDef | ast.AsyncFunctionDef] = factory(dict)
    body: list[Any] = factory(list)
    # lines that hold characters outside ASCII: there byte columns and character columns differ
    wide: frozenset[int] = frozenset()

    def span(self, node: Any) -> Span:
        """The region of a syntax node (anything with lineno ... end_col_offset)."""
        line, end_line = node.lineno, node.end_lineno
        col, end_col = node.col_offset, node.end_col_offset
        if self.wide:
            if line in self.wide:
                col = self._characters(line, col)
            if end_line in self.wide:
                end_col = self._characters(end_line, end_col)
        return Span(self.source, line, col, end_line, end_col)

    def head(self, node: Any) -> Span:
        """The first line of a definition, without its decorators and its colon."""
        span = self.span(node)
        text = span.source.line(span.line).split("#")[0].rstrip()
        return Span(span.source, span.line, span.col, span.line, max(len(text.removesuffix(":")), span.col + 1))

    def _characters(self, line: int, column: int) -> int:
        return len(self.source.line(line).encode()[:column].decode(errors="replace"))


class Sources:
    """Reads and parses each text once. `names` maps a code object's file name to the name that diagnostics show."""

    def __init__(self, names: dict[str, str] | None = None) -> None:
        self._names = names or {}
        self._modules: dict[str, Module | None] = {}

    def module(self, filename: str) -> Module | None:
        """The parsed text that a code object's `co_filename` names; None where the text can't be had or parsed."""
        if filename not in self._modules:
            text = _read(filename)
            self._modules[filename] = None if text is None else _parse(text, filename, self._display(filename))
        return self._modules[filename]

    def function(self, code: CodeType) -> tuple[Module, ast.FunctionDef | ast.AsyncFunctionDef] | None:
        """The definition that a code object was compiled from, and its module."""
        module = self.module(code.co_filename)
        if module is None:
            return None
        is_lambda = code.co_name == "<lambda>"
        found = _lambda(module, code) if is_lambda else module.functions.get((code.co_name, code.co_firstlineno))
        return None if found is None else (module, found)

    def _display(self, filename: str) -> str:
        return self._names.get(filename) or _cell_name(filename) or filename.replace("\\", "/").rpartition("/")[2]


def _cell_name(filename: str) -> str:
    """`In[7]` for the file name that IPython gives the seventh cell; "" for other files.

    ipykernel names cells by a hash of their text, so the number is looked up in the shell's own table
    (IPython.core.compilerop.CachingCompiler); a plain IPython's name holds it: `<ipython-input-7-...>`.
    """
    if filename.startswith("<ipython-input-"):
        return f"In[{filename[15:].partition('-')[0]}]"
    interactive = sys.modules.get("IPython.core.getipython")
    shell = interactive.get_ipython() if interactive is not None else None
    known: dict[str, Any] = getattr(getattr(shell, "compile", None), "_filename_map", {})
    return f"In[{known[filename]}]" if filename in known else ""


def _read(filename: str) -> bytes | str | None:
    """The text of a cell from linecache (which holds some only if it was imported), else the bytes of the file."""
    linecache = sys.modules.get("linecache")
    entry = linecache.cache.get(filename) if linecache is not None else None
    if entry is not None and len(entry) == 4 and entry[1] is None:  # no mtime: interactive text, not a file's
        return "".join(entry[2])
    try:
        with open(filename, "rb") as file:
            return file.read()
    except OSError:
        return "".join(linecache.getlines(filename)) or None if linecache is not None else None


def _parse(text: bytes | str, filename: str, name: str) -> Module | None:
    try:
        tree: Any = compile(text, filename, "exec", _ONLY_AST, dont_inherit=True)
        decoded = text if isinstance(text, str) else _decode(text)
    except (SyntaxError, ValueError, UnicodeDecodeError):
        return None
    lines = decoded.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    wide = frozenset() if decoded.isascii() else frozenset(n for n, line in enumerate(lines, 1) if not line.isascii())
    module = Module(Source(name, filename, lines), {}, tree.body, wide)
    _collect(tree.body, module.functions)
    return module


def _decode(raw: bytes) -> str:
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        import io
        import tokenize

        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        return raw.decode(encoding)


def _lambda(module: Module, code: CodeType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """A lambda as a definition that returns its body; None unless it is the only one of its line with its
    parameters.
    """
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    found = []
    waiting = list(module.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
            arguments = node.args
            plain = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            if tuple([p.arg for p in plain]) == names:
                found.append(node)
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting += [item for item in value if isinstance(item, ast.AST)]
    return lambda_definition(found[0]) if len(found) == 1 else None


def lambda_definition(node: ast.Lambda) -> ast.FunctionDef:
    """A lambda as a definition that returns its body."""
    place = {name: getattr(node, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
    body: list[Any] = [ast.Return(value=node.body, **place)]
    definition: Any = ast.FunctionDef  # the stubs of some Python versions want more fields
    made: ast.FunctionDef = definition(
        name="lambda", args=node.args, body=body, decorator_list=[], returns=None, **place
    )
    return made


def _collect(body: list[Any], found: dict[tuple[str, int], ast.FunctionDef | ast.AsyncFunctionDef]) -> None:
    """Enter all function definitions of a statement list and of the statements nested in it."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            found[node.name, first] = node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, None)
            if isinstance(inner, list):
                waiting += inner
