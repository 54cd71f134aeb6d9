"""Maps that lie in a map of maps: `m = outer.get(k)` gives one, or None. In: a value. Out: the map that it is.

The address of the map is a variable of the program; in the tree its spec carries the expression that reads it
(MapSpec.at), and everything else is as for a map that is named.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import tree
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import MapType, OptionalType, PtrType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type

__all__ = ["InnerMap", "as_map", "check_truth", "is_inner"]


class InnerMap:
    """A map of the program's, as an object of the user's module would be."""

    __slots__ = ("__bpf__",)

    def __init__(self, spec: MapSpec) -> None:
        self.__bpf__ = spec


def is_inner(kind: Type) -> bool:
    """Whether it is the type of an inner map, or of one that may be missing."""
    kind = kind.inner if isinstance(kind, OptionalType) else kind
    return isinstance(kind, PtrType) and isinstance(kind.pointee, MapType)


def as_map(checker: Checker, value: Value) -> Value:
    """The map, for an expression that is one; any other value as it is. Refuses one that may be missing."""
    if not isinstance(value, tree.Expr) or not is_inner(value.type):
        return value
    if isinstance(value.type, OptionalType):
        from pybpf.compiler.frontend.convert import maybe_none

        maybe_none(checker, value)
    assert isinstance(value.type, PtrType) and isinstance(value.type.pointee, MapType)
    spec = value.type.pointee.spec
    return Known(InnerMap(replace(spec, name=checker.text(value.span), at=value)), value.span)


def check_truth(checker: Checker, kind: Type, span: Span) -> None:
    """Refuse `if m:`, which asks Python whether there is anything in the map."""
    if is_inner(kind):
        checker.fail(errors.InnerMapTruth(span, checker.text(span)))
