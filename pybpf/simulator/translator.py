"""The typed tree as Python code, with the line numbers of the user's source.

Each function of the tree becomes a Python function: its name, file, lines and local variables are the user's, so that
tracebacks and pdb show the program as it was written. What the tree spells out is spelled out here too: numbers wrap
where it converts them, memory is read and written through places. Walking expressions and statements is in
expressions.py and statements.py; this module has what both need.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any

from pybpf.compiler.frontend import tree
from pybpf.compiler.schema.types import PtrType, Space, StructType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type
    from pybpf.simulator.simulation import Simulation

__all__ = ["Translator", "is_far"]


def is_far(type: Type) -> bool:
    """Whether a reference of the type is a plain number: an address in user or kernel memory."""
    if not isinstance(type, PtrType):
        return False
    if type.space in Space.OBJECTS:  # a kernel object; of a StructType only helpers know
        return type.pointee is not None and not isinstance(type.pointee, StructType)
    return type.space in (Space.USER, Space.KERNEL)


class Translator:
    """Translates functions for one simulation. `functions` maps each to what it became."""

    def __init__(self, simulation: Simulation, names: dict[str, Any]) -> None:
        self.simulation = simulation
        self.globals: dict[str, Any] = dict(names)
        self.span: Span | None = None
        self._constants: dict[int, str] = {}
        self._kept: list[Any] = []  # keeps alive what `_constants` knows by identity
        self._functions: dict[tree.Function, str] = {}
        self._variables: dict[tree.Var, str] = {}
        self._taken: set[str] = set()
        self._shared: dict[tree.Var, str] = {}
        self._owner: dict[tree.Var, tree.Function] = {}

    def function(self, function: tree.Function) -> Callable[..., Any]:
        """The Python function of a tree function; those it calls are translated with it."""
        self._find_shared(function, set())
        return self.globals[self.function_name(function)]  # type: ignore[no-any-return]

    def function_name(self, function: tree.Function) -> str:
        """The global name under which translated code calls the function."""
        name = self._functions.get(function)
        if name is None:
            name = self._functions[function] = f"_f{len(self._functions)}"
            self.globals[name] = self._translate(function)
        return name

    def _translate(self, function: tree.Function) -> Callable[..., Any]:
        from pybpf.simulator.statements import body

        outer = self._variables, self._taken, self.span
        self._variables, self._taken = {}, set()
        self.span = function.span
        params = [ast.arg(self.variable(var)) for var in function.params]
        statements = body(self, function.body)
        shared = sorted({name for var, name in self._shared.items() if var in self._variables})
        if shared:
            statements.insert(0, ast.Global(shared))
        self._variables, self._taken, self.span = outer
        arguments = ast.arguments([], params, None, [], [], None, [])
        made: Any = ast.FunctionDef(function.name, arguments, statements, [], None, None)
        if sys.version_info >= (3, 12):
            made.type_params = []
        self._locate(made, function.span)
        module = ast.fix_missing_locations(ast.Module([made], []))
        source = function.source
        namespace: dict[str, Any] = {}
        exec(compile(module, source.path or source.name, "exec"), self.globals, namespace)
        result: Callable[..., Any] = namespace[function.name]
        return result

    def _find_shared(self, function: tree.Function, seen: set[tree.Function]) -> None:
        """Variables that several functions use belong to the run of the program, as the cursor of a packet does."""
        if function in seen:
            return
        seen.add(function)
        for node in nodes_of(function.body):
            for held in variables_of(node):
                if self._owner.setdefault(held, function) is not function:
                    self._shared.setdefault(held, f"_shared{len(self._shared)}")
            if isinstance(node, tree.FuncCall):
                self._find_shared(node.function, seen)
            elif isinstance(node, (tree.SubprogCall, tree.SubprogAddr)):
                self._find_shared(node.subprogram.function, seen)

    # --- names

    def variable(self, var: tree.Var) -> str:
        """The Python name of a variable in the function in hand."""
        name = self._variables.get(var)
        if name is None:
            name = self._shared.get(var) or self._fresh(var.name)
            self._variables[var] = name
        return name

    def _fresh(self, wanted: str) -> str:
        base = "".join([c if c.isalnum() or c == "_" else "_" for c in wanted]) or "_value"
        base = base if base.isidentifier() else f"_{base}"
        name, count = base, 1
        while name in self._taken or name in self.globals:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name

    def temporary(self) -> str:
        return self._fresh("_t")

    # --- building code

    def at(self, span: Span) -> Callable[[Any], Any]:
        """Give a node the place of a span in the source."""
        return lambda node: self._locate(node, span)

    def _locate(self, node: Any, span: Span) -> Any:
        node.lineno, node.end_lineno = span.line, span.end_line
        node.col_offset = _bytes_before(span.source.line(span.line), span.col)
        node.end_col_offset = _bytes_before(span.source.line(span.end_line), span.end_col)
        return node

    def here(self, node: Any) -> Any:
        """Give a node the place of the expression in hand."""
        return self._locate(node, self.span) if self.span is not None else node

    def name(self, name: str) -> ast.expr:
        return self.here(ast.Name(name, ast.Load()))  # type: ignore[no-any-return]

    def literal(self, value: Any) -> ast.expr:
        return self.here(ast.Constant(value))  # type: ignore[no-any-return]

    def constant(self, value: Any) -> ast.expr:
        """An object of ours as a value in the code."""
        name = self._constants.get(id(value))
        if name is None:
            name = self._constants[id(value)] = f"_k{len(self._constants)}"
            self._kept.append(value)
            self.globals[name] = value
        return self.name(name)

    def call(self, function: ast.expr | str, *args: ast.expr) -> ast.expr:
        target = self.name(function) if isinstance(function, str) else function
        return self.here(ast.Call(target, list(args), []))  # type: ignore[no-any-return]

    def method(self, value: ast.expr, name: str, *args: ast.expr) -> ast.expr:
        return self.call(self.here(ast.Attribute(value, name, ast.Load())), *args)

    def tuple(self, items: Sequence[ast.expr]) -> ast.expr:
        return self.here(ast.Tuple(list(items), ast.Load()))  # type: ignore[no-any-return]


def _bytes_before(line: str, column: int) -> int:
    """A column in characters as one in bytes of UTF-8, as Python's syntax tree counts."""
    return column if line.isascii() else len(line[:column].encode())


def nodes_of(body: Sequence[tree.Stmt]) -> Iterator[tree.Node]:
    """All statements and expressions inside, without the bodies of functions called."""
    pending: list[Any] = list(body)
    while pending:
        node = pending.pop()
        yield node
        for name in type(node)._fields:
            held = getattr(node, name)
            if isinstance(held, tree.Node):
                pending.append(held)
            elif isinstance(held, (list, tuple)):
                for item in held:
                    if isinstance(item, tree.Node):
                        pending.append(item)
                    elif type(item) is tuple:
                        pending += [part for part in item if isinstance(part, tree.Node)]


def variables_of(node: tree.Node) -> list[tree.Var]:
    var = getattr(node, "var", None)
    return [var] if isinstance(var, tree.Var) else []
