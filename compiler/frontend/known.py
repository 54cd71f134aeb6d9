"""Values that exist at compile time only: what a name in the user's module stands for.

The value of an expression is a `tree.Expr`, or one of these. A `Known` number becomes a constant of the type that its
surroundings want; a `Known` map, type or function is used where a call, subscript or attribute names it.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from pybpf.compiler.frontend import tree
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import ContextSpec
    from pybpf.compiler.schema.types import Type

    Value: TypeAlias = "tree.Expr | Known | ContextRef | TupleValue"

__all__ = ["ContextRef", "Known", "LocalFunction", "Refused", "TupleValue", "describe", "is_int"]


class Known(Record, eq=False):
    """A Python object of the user's module: a number, str, map, class, function, helper, module, None ..."""

    value: Any
    span: Span


class ContextRef(Record, eq=False):
    """The program's context."""

    spec: ContextSpec
    span: Span


class TupleValue(Record, eq=False):
    """A tuple that is made when the program runs. It is never in memory: whoever uses it takes its items.

    The items are evaluated in order, each once, after `lets` (variables of ours, and what each is assigned).
    """

    items: tuple[Value, ...]
    span: Span
    lets: tuple[tuple[tree.Var, tree.Expr], ...] = ()

    @property
    def type(self) -> Type:
        from pybpf.compiler.frontend.convert import type_of

        return type_of(self)


class LocalFunction(Record, eq=False):
    """A function that is defined inside a program (closures.py). `checker` is that of the function around it.

    `defaults` are the values of its parameters' defaults, which were evaluated where it was defined.
    """

    name: str
    node: Any
    checker: Any
    defaults: dict[str, Value] = factory(dict)

    @property
    def __name__(self) -> str:
        return self.name


class Refused(Exception):
    """The statement in hand can't be checked any further; its diagnostic has been reported."""


def is_int(value: object) -> bool:
    """True for ints, bools and enum members that are ints, but not for the width classes' own instances' types."""
    return isinstance(value, int)


def describe(value: object) -> str:
    """What a diagnostic calls a Python object: a list, the module `time`, the class `Event`."""
    from pybpf.compiler.schema import specs, types

    schema = getattr(value, "__bpf__", None)
    if isinstance(schema, specs.MapSpec):
        return f"the map `{schema.name}`"
    if isinstance(schema, specs.GlobalSpec):
        return f"the global `{schema.name}`"
    if isinstance(schema, (specs.HelperSpec, specs.KfuncSpec, specs.FillSpec, specs.BuiltinSpec)):
        return f"the function `{schema.name}`"
    if isinstance(schema, specs.ContextSpec):
        return "a context class"
    if isinstance(schema, specs.ProgramSpec):
        return f"the program `{schema.name}`"
    if isinstance(schema, types.Type) and isinstance(value, type):
        return f"the type `{value.__name__}`"
    if value is None:
        return "None"
    if isinstance(value, LocalFunction):
        return "a lambda" if value.name == "lambda" else f"the function `{value.name}`"
    if isinstance(value, type):
        return f"the class `{value.__name__}`"
    name = getattr(value, "__name__", None)
    if type(value).__name__ == "module":
        return f"the module `{name}`"
    if callable(value) and name:
        return f"the function `{name}`"
    article = "an" if type(value).__name__[0] in "aeiou" else "a"
    return f"{article} {type(value).__name__}"
