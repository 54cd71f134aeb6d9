"""Loops over an iterator of the kernel: `for task in kfuncs.bpf_iter_task(None, flags)`. In: the loop. Out: ForEach.

Three functions of the kernel make an iterator, ask it for the next element, and destroy it; IterSpec names them. The
iterator lies on the stack and has no name, so it can't be forgotten, copied or used behind the loop. What it gives is
an object that is there until the next iteration, or a number. The verifier's rules are those of process_iter_arg() and
check_kfunc_call() in kernel/bpf/verifier.c.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, kfuncs, kinds, loops, tree
from pybpf.compiler.frontend.flow import Fact
from pybpf.compiler.frontend.scope import assigned_names
from pybpf.compiler.frontend.settle import carried, settle
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import IntType, PtrType, Space, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any, NoReturn

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import IterSpec
else:
    import _ast as ast

__all__ = ["for_each", "looped", "used_otherwise"]

_GONE = "the iterator went on to the next element"
_ENDED = "the loop over the iterator has ended"


def used_otherwise(checker: Checker, spec: IterSpec, span: Span) -> NoReturn:
    """A call of an iterator that no `for` loops over."""
    checker.fail(errors.IteratorOutsideLoop(span, spec.name, checker.text(span)))


def for_each(checker: Checker, node: Any, spec: IterSpec) -> list[tree.Stmt]:
    span, where = checker.span(node), checker.span(node.iter)
    args = kfuncs.iterator_arguments(checker, spec, node.iter, where)
    var = tree.Var("%element", _element(checker, spec, where), where)
    return looped(checker, node, var, lambda body: tree.ForEach(span, spec, args, var, body), _GONE, _ENDED)


def looped(
    checker: Checker, node: Any, var: tree.Var, make: Callable[[list[tree.Stmt]], tree.ForEach | tree.ForHelper],
    gone: str, ended: str, *, own_frame: bool = False,
) -> list[tree.Stmt]:  # fmt: skip
    """A loop, of which `make` makes the node, over objects that the kernel gives one after the other, as `var`.

    The object of a round is `gone` in the next one, and the last when the loop has `ended`: both say why.
    """
    where, target = checker.span(node.iter), checker.span(node.target)
    name = node.target.id if isinstance(node.target, ast.Name) else ""
    if name not in checker.slots:
        checker.fail(errors.LoopTarget(target, checker.text(target), checker.text(where)))
    entry = checker.state
    assert entry is not None
    body: list[tree.Stmt] = []

    def once() -> None:
        nonlocal body
        assert checker.state is not None
        flow.stale(checker.state, where, gone, where)
        checker.state[var.name] = Fact(origins=frozenset([where]))
        first = checker.assign(name, tree.Local(var.type, target, var), target)
        body = first + checker.block(node.body)

    assigned = [each for each in assigned_names(node.body) if each != name]
    loop = settle(checker, node, assigned, once, own_frame=own_frame)
    made = make(body)
    made.carried = carried(checker, entry, [*assigned, name])
    for state in (checker.state, loop.continues, loop.breaks):
        if state is not None:
            flow.stale(state, where, ended, where)
    made.orelse = loops.after(checker, node, flow.join(entry, flow.join(checker.state, loop.continues)), loop)
    return [made]


def _element(checker: Checker, spec: IterSpec, span: Span) -> Type:
    """What one element is: a pointer that is trusted as much as the verifier does, or the number that one leads to."""
    kind = spec.next.result
    pointee = kind.pointee if isinstance(kind, PtrType) else None
    if isinstance(pointee, KernelType):
        return PtrType(pointee, Space.RCU if "rcu_protected" in spec.new.flags else Space.TRUSTED)
    if not isinstance(pointee, IntType):
        problem = "what it gives is neither an object of the kernel nor a number"
        checker.fail(errors.KfuncUnsupported(span, spec.name, "", problem))
    return kinds.host(pointee)
