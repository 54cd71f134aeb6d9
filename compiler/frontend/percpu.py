"""`per_cpu(variable, cpu)`: a per-CPU variable of the kernel, of any CPU. In: the call. Out: PerCpu."""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import convert
from pybpf.compiler.schema.types import U32, OptionalType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type

__all__ = ["per_cpu"]

_SINCE = "5.10"


def per_cpu(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> tree.Expr:
    """The value, or None where there is no such CPU."""
    example = "per_cpu(active, 0)"
    if node.keywords or len(node.args) != 2:
        checker.fail(errors.CallArguments(span, "per_cpu()", "takes a per-CPU variable and a CPU's number", example))
    given = checker.expr(node.args[0])
    if not isinstance(given, tree.Global) or given.spec.how != "percpu":
        takes = "takes a variable that is declared ksym(..., percpu=True)"
        checker.fail(errors.CallArguments(given.span, "per_cpu()", takes, example))
    cpu = convert(checker, checker.expr(node.args[1]), U32, "the CPU's number")
    checker.check_release("per_cpu()", _SINCE, span)
    return tree.PerCpu(OptionalType(kinds.host(given.spec.type)), span, given.spec, cpu)
