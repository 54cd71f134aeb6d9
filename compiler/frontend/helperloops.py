"""Loops over a helper that calls the body: `for vma in helpers.bpf_find_vma(task, address)`. In: the loop.
Out: ForHelper.

HelperSpec.body says what the helper gives to the function that the body becomes. The last of that is the loop's
element: an object of the kernel, which may be read as long as the body runs. Where the helper finds nothing, or can't
look now, the body does not run, and `else` does.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import references, tree
from pybpf.compiler.frontend.helpers import as_argument, check_allowed
from pybpf.compiler.frontend.iterators import looped
from pybpf.compiler.schema.types import U64

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any, NoReturn

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import ArgSpec, HelperSpec

__all__ = ["for_helper", "loop_arguments", "used_otherwise"]

_GONE = "the call that gave it has returned"


def used_otherwise(checker: Checker, spec: HelperSpec, node: Any, span: Span) -> NoReturn:
    """A call of the helper that no `for` loops over."""
    wanted = [taken.name for _, taken in loop_arguments(spec)][: _place(spec)]
    given = [checker.text(checker.span(each)) for each in node.args[: len(wanted)]]
    call = f"{checker.text(checker.span(node.func))}({', '.join([*given, *wanted[len(given) :]])})"
    checker.fail(errors.HelperOutsideLoop(span, spec.name, spec.body[-1][0], call))


def loop_arguments(spec: HelperSpec) -> list[tuple[int, ArgSpec]]:
    """What a loop gives to the helper: its arguments, with their places, without the function and that one's frame."""
    return [(i, taken) for i, taken in enumerate(spec.args) if i not in (_place(spec), _place(spec) + 1)]


def _place(spec: HelperSpec) -> int:
    """The place of the function among the helper's arguments."""
    return next(i for i, taken in enumerate(spec.args) if taken.kind == "func")


def for_helper(checker: Checker, node: ast.For, spec: HelperSpec) -> list[tree.Stmt]:
    span, where = checker.span(node), checker.span(node.iter)
    check_allowed(checker, spec, where)
    args = _arguments(checker, spec, node.iter, where)
    element, kind = spec.body[-1]
    var = tree.Var(f"%{element}", kind, where)

    def make(body: list[tree.Stmt]) -> tree.ForHelper:
        made = tree.ForHelper(span, spec, args, var, body)
        found = references.sleeping(made)
        if found is not None:
            checker.report(errors.SleepInBody(found[1], found[0], spec.name, where))
        return made

    return looped(checker, node, var, make, _GONE, _GONE, own_frame=True)


def _arguments(checker: Checker, spec: HelperSpec, node: Any, span: Span) -> tuple[tree.Expr, ...]:
    """The helper's arguments but for the function and its frame. What comes behind those, flags, need not be given."""
    wanted, least = loop_arguments(spec), _place(spec)
    if node.keywords or not least <= len(node.args) <= len(wanted):
        written, names = checker.text(checker.span(node.func)), tuple([taken.name for _, taken in wanted[:least]])
        count, by_keyword = len(node.args), bool(node.keywords)
        checker.fail(errors.HelperArguments(span, spec.name, written, names, count, by_keyword, spec.signature))
    given: list[Any] = []
    for (i, taken), each in zip(wanted, node.args):
        given.append(as_argument(checker, spec, taken, each, given, i))
    return (*given, *[tree.Const(U64, span, 0) for _ in wanted[len(given) :]])
