"""Names: which are local to a function, and what the others stand for. In: a function and its syntax tree.

Python's own rule decides what is local: a name that is assigned anywhere in the function, unless declared `global`. Any
other name is a closure's cell, a global of the function's module, or a builtin, looked up in the live objects.
"""

from __future__ import annotations

import builtins
import sys

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import ranges
from pybpf.compiler.frontend.kinds import may_be_null
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import BOOL, NONE, OptionalType, PtrType, Space, TupleType, Type, is_aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.frontend.ranges import Interval
    from pybpf.compiler.frontend.tree import Var
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast

__all__ = [
    "Locals", "Names", "Parameter", "Slot", "annotated_type", "ast_text", "closest", "annotation_of",
    "assigned_names", "children",
    "find_locals", "mentioned_names", "public_in", "returns", "too_deep",
]  # fmt: skip

_NOTHING = object()


class Slot:
    """A local name during one pass: its annotated type or the join of what was assigned, and its variable."""

    __slots__ = ("alias", "broken", "declared", "joined", "last", "name", "natural", "preset", "span", "var")

    def __init__(self, name: str, declared: Type | None = None, preset: Type | None = None) -> None:
        self.name = name
        self.declared = declared
        self.preset = preset
        self.natural = False  # it began as literals, and was never below zero so far
        self.joined: Type | None = None
        self.last: Type | None = None  # of a function's result: the type that the last `return` settled on
        self.span: Span | None = None
        self.var: Var | None = None
        self.alias: Value | None = None
        self.broken = False  # its annotation is no type; that has been reported


class Parameter(Record, eq=False):
    """A parameter: either `known` at compile time, or of a type (`annotated`: by the user) with the values in
    `range`. One that is given a tuple has a parameter for each item, `parts`.
    """

    name: str
    span: Span
    type: Type | None = None
    known: Value | None = None
    range: Interval = ranges.EVERYTHING
    annotated: bool = False
    parts: tuple[Parameter, ...] | None = None


class Locals(Record, eq=False):
    """Names bound in a function in the order they first appear, those declared global or nonlocal, and annotations."""

    names: list[str]
    globals: set[str]
    nonlocals: set[str]
    annotations: dict[str, Any]
    nested: bool = False  # whether functions are defined inside


class Names:
    """What a function's free names stand for."""

    def __init__(self, function: Any) -> None:
        code = function.__code__
        self._globals: dict[str, Any] = function.__globals__
        self._cells = dict(zip(code.co_freevars, function.__closure__ or ()))

    def find(self, name: str) -> Known | None:
        """The object of that name outside the function; None where there is none. The span is a placeholder."""
        value = self._lookup(name)
        return None if value is _NOTHING else Known(value, None)  # type: ignore[arg-type]

    def _lookup(self, name: str) -> Any:
        if name in self._cells:
            try:
                return self._cells[name].cell_contents
            except ValueError:  # not assigned yet
                return _NOTHING
        if name in self._globals:
            return self._globals[name]
        return vars(builtins).get(name, _NOTHING)

    def candidates(self) -> list[str]:
        """Names to suggest for a misspelt one."""
        return [*self._cells, *(n for n in self._globals if not n.startswith("__"))]

    def evaluate(self, node: Any) -> Any:
        """The value of an annotation, as Python would evaluate it in the function's module. Raises what that raises."""
        if isinstance(node, ast.Name):
            value = self._lookup(node.id)
            if value is not _NOTHING:
                return value
        if isinstance(node, ast.Constant):
            if not isinstance(node.value, str):
                return node.value
            text = compile(node.value, "<annotation>", "eval")
            return eval(text, self._globals, self._namespace())
        code = compile(ast.Expression(node), "<annotation>", "eval")
        return eval(code, self._globals, self._namespace())

    def _namespace(self) -> dict[str, Any]:
        found = {name: self._lookup(name) for name in self._cells}
        return {name: value for name, value in found.items() if value is not _NOTHING}


def children(node: Any) -> list[Any]:
    """The syntax nodes directly below one, but for operators and contexts, which have nothing in them."""
    found = []
    kind = type(node)
    for field in _fields.get(kind) or _fields.setdefault(kind, [f for f in kind._fields if f not in _WITHOUT_NODES]):
        value = getattr(node, field, None)
        if type(value) is list:
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


_WITHOUT_NODES = {"arg", "attr", "ctx", "id", "kind", "module", "name", "op", "ops", "type_comment"}
_fields: dict[type, list[str]] = {}

_DEEPEST = 250  # levels of syntax: each takes some of Python's 1000 levels of calls in every stage


def too_deep(node: Any) -> Any:
    """The first part of a function that is nested deeper than the compiler follows; None where there is none."""
    level: list[Any] = [node]
    for _ in range(_DEEPEST):
        level = [child for item in level for child in _below(item)]
        if not level:
            return None
    level = [item[0].pattern if isinstance(item, list) else item for item in level]
    return next((item for item in level if hasattr(item, "lineno")), node)


def _below(item: Any) -> list[Any]:
    """What is one level below: the second case of a `match` is in what the first one leaves, and so on."""
    if isinstance(item, list):
        return [item[0], item[1:]] if item[1:] else [item[0]]
    if isinstance(item, ast.Match):
        return [item.subject, list(item.cases)]
    return children(item)


_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


_BOUND: dict[type, Callable[[Any], list[str]]] = {
    ast.Name: lambda node: [] if type(node.ctx) is ast.Load else [node.id],
    ast.FunctionDef: lambda node: [node.name],
    ast.AsyncFunctionDef: lambda node: [node.name],
    ast.ClassDef: lambda node: [node.name],
    ast.MatchAs: lambda node: [node.name] if node.name is not None else [],
    ast.MatchStar: lambda node: [node.name] if node.name is not None else [],
    ast.MatchMapping: lambda node: [node.rest] if node.rest is not None else [],
    ast.Import: lambda node: [alias.asname or alias.name.partition(".")[0] for alias in node.names],
    ast.ImportFrom: lambda node: [alias.asname or alias.name.partition(".")[0] for alias in node.names],
}


def _bound(node: Any) -> list[str]:
    """Names that a node itself binds: by assignment, definition or import."""
    kind = type(node)
    if kind is ast.Call:
        return list(getattr(node, "rebinds", ()))  # by a nested function that may be called (closures.py)
    rule = _BOUND.get(kind)
    return rule(node) if rule is not None else []


def find_locals(node: Any, parameters: list[str]) -> Locals:
    """The local names of a function definition."""
    found = Locals(list(parameters), set(), set(), {})
    seen = set(parameters)

    def visit(item: Any) -> None:
        kind = type(item)
        if kind in _BOUND:
            for name in _BOUND[kind](item):
                if name not in seen:
                    seen.add(name)
                    found.names.append(name)
        if kind is ast.Global:
            found.globals.update(item.names)
        elif kind is ast.Nonlocal:
            found.nonlocals.update(item.names)
        elif kind is ast.AnnAssign and isinstance(item.target, ast.Name):
            found.annotations.setdefault(item.target.id, item.annotation)
        elif kind in _SCOPES:
            found.nested = found.nested or kind in (ast.FunctionDef, ast.Lambda)
            return
        for child in children(item):
            visit(child)

    for statement in node.body:
        visit(statement)
    found.names = [name for name in found.names if name not in found.globals]
    return found


def _walk_names(node: Any, stores: bool) -> list[str]:
    found: list[str] = []

    def visit(item: Any) -> None:
        if isinstance(item, ast.Name) and not stores:
            names = [item.id]
        else:
            names = _bound(item)
        found.extend([name for name in names if name not in found])
        if type(item) not in _SCOPES:
            for child in children(item):
                visit(child)

    for item in node if isinstance(node, list) else [node]:
        visit(item)
    return found


def returns(node: Any) -> bool:
    """Whether there is a `return` in a statement."""
    if isinstance(node, ast.Return):
        return True
    return not isinstance(node, _SCOPES) and any(returns(child) for child in children(node))


def assigned_names(node: Any) -> list[str]:
    """Names that a statement, or a list of them, assigns, nested ones too."""
    return _walk_names(node, stores=True)


def mentioned_names(node: Any) -> list[str]:
    """All names in an expression."""
    return _walk_names(node, stores=False)


def annotated_type(checker: Checker, node: Any) -> Type:
    """The type of a local variable's annotation; refuses what is no type."""
    found = annotation_of(checker, node)
    if not isinstance(found, Type):
        checker.fail(errors.NotAType(checker.span(node), ast_text(checker, node), *_why(found)))
    return found


def annotation_of(checker: Checker, node: Any, evaluated: Any = _NOTHING) -> Any:
    """What an annotation says: a Type; None for `int` and the like, which leave it to inference; or the object itself.

    The type of an aggregate is that of a reference to it. `evaluated` is the object where Python has evaluated it.
    """
    from pybpf.compiler.schema.errors import DeclarationError

    if evaluated is _NOTHING or isinstance(evaluated, str):
        try:
            evaluated = checker.names.evaluate(node)
        except DeclarationError as error:
            checker.misdeclared(error, checker.span(node))
        except NameError as error:
            unknown = error.name or ast_text(checker, node)
            near = closest(unknown, checker.names.candidates())
            checker.fail(errors.Unknown(checker.span(node), unknown, near, public_in(unknown)))
        except Exception as error:  # an annotation is the user's code: whatever it raises is its fault
            checker.fail(errors.NotAType(checker.span(node), ast_text(checker, node), f"it raises {error!r}", ""))
    try:
        return _annotation_type(evaluated)
    except DeclarationError as error:
        checker.misdeclared(error, checker.span(node))


def _annotation_type(value: Any) -> Any:
    if value is None:
        return NONE
    if value is bool:
        return BOOL
    schema = getattr(value, "__bpf__", None)
    if isinstance(schema, Type):
        if isinstance(schema, KernelType):
            return PtrType(schema, Space.KERNEL)
        return PtrType(schema, Space.STACK) if is_aggregate(schema) else schema
    arguments = getattr(value, "__args__", None)
    if getattr(value, "__origin__", None) is tuple and arguments and ... not in arguments:
        items = [_annotation_type(a) for a in arguments]
        if all([isinstance(item, Type) for item in items]):
            return TupleType(tuple(items))
    if arguments is not None and _is_union(value):
        inner = [_annotation_type(a) for a in arguments if a is not type(None)]
        if len(inner) == 1 and len(arguments) == 2 and isinstance(inner[0], Type):
            if may_be_null(inner[0]):  # as it is without `| None`
                return inner[0]
            return OptionalType(inner[0])
    return value


def _is_union(value: Any) -> bool:
    if type(value).__name__ == "UnionType":
        return True
    typing = sys.modules.get("typing")
    return typing is not None and getattr(value, "__origin__", None) is typing.Union


def _why(value: Any) -> tuple[str, str]:
    """Why an annotation is no type, and what to write in its place."""
    origin = getattr(value, "__origin__", value)
    if origin is int:
        return "int has no width", "u32"
    if origin is str:
        return "str has no size", "Text[L[16]]"
    if origin is bytes:
        return "bytes has no size", "Bytes[L[16]]"
    if origin is float:
        return "BPF has integers only", "u64"
    if origin in (list, tuple):
        return "a program has no heap to put it on", "Array[u32, L[8]]"
    if origin in (dict, set):
        return "declare a map at module level", ""
    return "not a type" if not isinstance(value, type) else "has no fixed layout", ""


def ast_text(checker: Checker, node: Any) -> str:
    """The source text of a node that stands on one line; what stands on its first line otherwise."""
    span = checker.span(node)
    line = span.source.line(span.line)
    return line[span.col : span.end_col] if span.line == span.end_line else line[span.col :]


def public_in(name: str) -> str:
    """The imported package of ours that a name can be had from; "" for none."""
    for package in ("pybpf", "pybpf.net", "pybpf.helpers"):
        module = sys.modules.get(package)
        if module is not None and name in getattr(module, "__all__", ()):
            return package
    return ""


def closest(name: str, candidates: list[str]) -> str:
    """The candidate that `name` is most likely a misspelling of; "" if none is near."""
    from difflib import get_close_matches

    letters = sorted(name)  # letters swapped, or of the other case, are the likeliest slips
    alike = [each for each in candidates if each.lower() == name.lower() or sorted(each) == letters]
    return next(iter(alike or get_close_matches(name, candidates, 1, 0.7)), "")
