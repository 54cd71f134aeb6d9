"""The frontend's first half: the source text of each program's function as a syntax tree. In: ProgramSpecs. Out:
Parsed.
"""

from __future__ import annotations

from pybpf.compiler.frontend.source import Module, Sources
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable
    from typing import Any

    from pybpf.compiler.schema.specs import ProgramSpec
else:
    import _ast as ast

__all__ = ["Parsed", "ParsedProgram", "parse", "parse_program"]


class ParsedProgram(Record, eq=False):
    """A program and the definition of its function."""

    spec: ProgramSpec
    module: Module
    node: ast.FunctionDef


class Parsed(Record, eq=False):
    """The programs of one object in the order given. `sources` reads what they call when it is reached."""

    programs: list[ParsedProgram]
    sources: Sources


def parse(programs: Iterable[ProgramSpec], names: dict[str, str] | None = None) -> Parsed:
    """Find and parse the functions of `programs`.

    `names` maps a code object's file name to the name that diagnostics and line info show, where that is not the file's
    own last part. Raises CompileError where a source text can't be had.
    """
    sources = Sources(names)
    found: list[ParsedProgram] = []
    diagnostics: list[Any] = []
    for spec in programs:
        parsed = parse_program(sources, spec)
        (found if isinstance(parsed, ParsedProgram) else diagnostics).append(parsed)
    if diagnostics:
        from pybpf.compiler.diagnostics.base import CompileError

        raise CompileError(diagnostics)
    return Parsed(found, sources)


def parse_program(sources: Sources, spec: ProgramSpec) -> Any:
    """The ParsedProgram, or the diagnostic that says why there is none."""
    place = sources.function(spec.function.__code__)
    if place is None:
        return _no_source(spec)
    if isinstance(place[1], ast.FunctionDef):
        return ParsedProgram(spec, place[0], place[1])
    from pybpf.compiler.diagnostics import NoAsync
    from pybpf.compiler.frontend.wording import header

    return NoAsync(header(place[0].span(place[1])), f"`async def {spec.name}`")


def _no_source(spec: ProgramSpec) -> Any:
    from pybpf.compiler.diagnostics import NoSource
    from pybpf.compiler.schema.span import Source, Span

    code = spec.function.__code__
    name = code.co_filename.replace("\\", "/").rpartition("/")[2]
    source = Source(name, code.co_filename, [])
    return NoSource(Span(source, code.co_firstlineno, 0, code.co_firstlineno, 0), spec.name, code.co_filename)
