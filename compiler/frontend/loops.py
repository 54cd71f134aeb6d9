"""Loops: `while`, `for ... in range(...)`, `for` over constants and arrays; `break`, `continue`.

What holds at a loop's head must hold on every way back to it (settle.py). The verifier follows a short loop iteration
by iteration, so that needs a bound that it can see (bounds.py); the kernel bounds others (longloops.py).
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import bounds, flow, kinds, longloops, tree
from pybpf.compiler.frontend.conditions import condition
from pybpf.compiler.frontend.convert import number
from pybpf.compiler.frontend.known import Known, Refused
from pybpf.compiler.frontend.maps import has_effect
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.frontend.operators import to_type
from pybpf.compiler.frontend.scope import assigned_names, mentioned_names, returns
from pybpf.compiler.frontend.settle import carried, settle
from pybpf.compiler.later import module
from pybpf.compiler.schema.specs import HelperSpec, IterSpec
from pybpf.compiler.schema.types import BOOL, I64, U64

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any, NoReturn

    from pybpf.compiler.frontend import fieldfacts, walks
    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.frontend.ranges import Interval
    from pybpf.compiler.frontend.settle import Loop
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast
    fieldfacts = module("frontend.fieldfacts")
    walks = module("frontend.walks")

__all__ = ["after", "for_loop", "go_on", "is_builtin", "leave", "while_loop"]


def leave(checker: Checker, node: ast.Break) -> list[tree.Stmt]:
    loop = checker.loops[-1]
    loop.breaks = flow.join(loop.breaks, checker.state)
    checker.state = None
    span = checker.span(node)
    left: list[tree.Stmt] = [] if loop.flag is None else [tree.Assign(span, loop.flag, tree.Const(BOOL, span, 1))]
    return [*left, tree.Break(span)]


def go_on(checker: Checker, node: ast.Continue) -> list[tree.Stmt]:
    loop = checker.loops[-1]
    loop.continues = flow.join(loop.continues, checker.state)
    checker.state = None
    return [tree.Continue(checker.span(node))]


def after(checker: Checker, node: Any, exhausted: State | None, loop: Loop) -> list[tree.Stmt]:
    """The `else` of a loop, which runs when it was not left by `break`; then what holds after the loop."""
    checker.state = exhausted
    orelse = checker.block(node.orelse) if exhausted is not None else []
    checker.state = flow.join(checker.state, loop.breaks)
    return orelse


# --- while


def while_loop(checker: Checker, node: ast.While) -> list[tree.Stmt]:
    span = checker.span(node)
    entry = checker.state
    assert entry is not None
    test: tree.Expr = tree.Const(BOOL, span, 1)
    body: list[tree.Stmt] = []
    false: State | None = None

    def once() -> None:
        nonlocal test, body, false
        try:
            test, true, false = condition(checker, node.test)
        except Refused:
            checker.poison(mentioned_names(node.test))
            test, true, false = tree.Const(BOOL, span, 1), checker.state, checker.state
        body = []
        checker.state = None if true is None else dict(true)
        if true is not None:
            body = checker.block(node.body)

    mark, exits = len(checker.diagnostics), len(checker.exits)
    assigned = assigned_names([node.test, *node.body])
    long = longloops.bound_for(checker.session.target) == longloops.CALLBACK
    loop = settle(checker, node, assigned, once, own_frame=long and bounds.iterations(checker, node) is None)
    made = tree.While(span, test, body)
    count: int | None = None
    if not any(d.severity == "error" for d in checker.diagnostics[mark:]):
        checker.state = entry
        count = bounds.iterations(checker, node) if loop.back is not None else 1
        if count is None:
            _unbounded(checker, node, made, ends=false is not None or loop.breaks is not None or _returns(node))
        else:
            checker.session.iterations[made] = count
    made.carried = carried(checker, entry, assigned)
    if loop.moves:
        false = walks.finish(checker, loop, made, count, entry, exits, false)
    made.orelse = after(checker, node, false, loop)
    return [made]


def _unbounded(checker: Checker, node: ast.While, made: tree.While, ends: bool) -> None:
    """A loop whose iterations can't be counted before it runs: the kernel counts them, if it can."""
    made.bound = longloops.bound_for(checker.session.target)
    if ends and made.bound:
        return
    from pybpf.compiler.frontend.wording import negated

    left = "" if isinstance(made.test, tree.Const) else negated(checker, node.test)
    checker.report(errors.UnboundedWhile(checker.span(node.test), left, _kernel(checker), not ends))


def _kernel(checker: Checker) -> str:
    return ".".join(map(str, checker.session.target.kernel))


def _returns(node: ast.While) -> bool:
    return any(returns(statement) for statement in node.body)


# --- for


def for_loop(checker: Checker, node: ast.For) -> list[tree.Stmt]:
    """`for` over range(), a constant tuple, an array, a map, an iterator of the kernel, or a helper that calls it."""
    from pybpf.compiler.frontend.mapwalk import for_map, walked

    iterator = _iterated(checker, node.iter)
    if iterator is not None:
        if isinstance(iterator, HelperSpec):
            from pybpf.compiler.frontend.helperloops import for_helper

            return for_helper(checker, node, iterator)
        from pybpf.compiler.frontend.iterators import for_each

        return for_each(checker, node, iterator)

    walk = walked(checker, node.iter)
    if walk is not None:
        return for_map(checker, node, *walk)
    if not isinstance(node.target, (ast.Name, ast.Tuple, ast.List)):
        _refuse_target(checker, node)
    call = node.iter
    if isinstance(call, ast.Call) and is_builtin(checker, call.func, range):
        if call.keywords or not 1 <= len(call.args) <= 3 or any(isinstance(a, ast.Starred) for a in call.args):
            checker.fail(errors.RangeArguments(checker.span(call)))
        return _for_range(checker, node, [checker.expr(a) for a in call.args], checker.span(call))
    from pybpf.compiler.frontend import iteration

    items = iteration.iterated(checker, node.iter)
    if items.values is not None and not (items.values and iteration.may_choose(checker, items.values)):
        return [*items.first, *iteration.unrolled(checker, node, items.values)]
    span = checker.span(node.iter)
    start, stop = tree.Const(I64, span, 0), tree.Const(I64, span, items.count)
    inside = (0, max(items.count - 1, 0))
    return [*items.first, *_counted(checker, node, start, stop, 1, inside, items.count, items.count > 0, items.element)]


def _iterated(checker: Checker, node: Any) -> IterSpec | HelperSpec | None:
    """The iterator of the kernel that an expression after `in` makes, or the helper there that calls the loop's body;
    None where it is something else.
    """
    if not isinstance(node, ast.Call) or not isinstance(node.func, (ast.Name, ast.Attribute)):
        return None
    if isinstance(node.func, ast.Name) and node.func.id in checker.slots:
        return None
    if isinstance(node.func, ast.Attribute) and not ("_iter_" in node.func.attr or node.func.attr.startswith("bpf_")):
        return None
    value = checker.expr(node.func)
    spec = checker.schema(value) if isinstance(value, Known) else None
    return spec if isinstance(spec, IterSpec) or (isinstance(spec, HelperSpec) and spec.body) else None


def _refuse_target(checker: Checker, node: ast.For) -> NoReturn:
    """A target that is no name. What is wrong with the thing looped over comes first."""
    call = node.iter
    if not (isinstance(call, ast.Call) and is_builtin(checker, call.func, range)):
        checker.expr(call)
    target = checker.span(node.target)
    checker.fail(errors.LoopTarget(target, checker.text(target), checker.text(checker.span(call))))


def is_builtin(checker: Checker, node: Any, what: Any) -> bool:
    if not isinstance(node, ast.Name) or node.id in checker.slots:
        return False
    found = checker.names.find(node.id)
    return found is not None and found.value is what


def _for_range(checker: Checker, node: ast.For, parts: list[Value], span: Span) -> list[tree.Stmt]:
    """`for i in range(start, stop, step)`; i is an i64."""
    if len(parts) == 1:
        parts = [Known(0, span), parts[0]]
    step_value = parts[2] if len(parts) == 3 else Known(1, span)
    step = step_value.value if isinstance(step_value, Known) else None
    if not isinstance(step, int) or isinstance(step, bool) or step == 0 or abs(step) >= 1 << 31:
        checker.fail(errors.RangeStep(step_value.span, checker.text(step_value.span), step == 0))
    upward = step > 0
    start = _bound(checker, parts[0], span, is_stop=False)
    stop = _bound(checker, parts[1], span, is_stop=upward and range_of(checker, start)[1] < 1 << 62)
    if checker.told_of_fields and isinstance(start, tree.Const):
        told = fieldfacts.known(checker, stop)
        if told is not None and told[0] >= 0 and told[1] < range_of(checker, stop)[1]:
            stop = _at_most(checker, to_type(checker, stop, U64, span), told[1])
    (low, high), (least, most) = range_of(checker, start), range_of(checker, stop)
    # the interval of i, the most iterations, and whether there is at least one
    if step > 0:
        inside, count, some = (low, most - 1), (most - low + step - 1) // step, high < least
    else:
        inside, count, some = (least + 1, high), (high - least - step - 1) // -step, low > most
    bound = longloops.bound_for(checker.session.target) if count > bounds.MOST else ""
    if count > bounds.MOST and not bound:
        part = stop if step > 0 else start
        known = count if least == most and low == high else 0
        text, whole = checker.text(part.span), checker.text(span)
        checker.fail(errors.UnboundedFor(part.span, text, whole, bounds.MOST, known, _kernel(checker)))
    if inside[0] > inside[1]:
        if not has_effect(start) and not has_effect(stop):
            return checker.block(node.orelse)  # no number is in the range, whatever its ends are
        inside = (inside[0], inside[0])
    own_frame = bound == longloops.CALLBACK
    made = _counted(checker, node, start, stop, int(step), inside, max(count, 0), some, None, own_frame)
    for loop in made:
        if isinstance(loop, tree.ForRange):
            loop.most = (high if low >= 0 else None, most if least >= 0 else None)
            loop.bound = bound
    return made


def _bound(checker: Checker, part: Value, whole: Span, *, is_stop: bool) -> tree.Expr:
    """A bound of range() as i64. One that may be a u64 beyond that is refused where the loop would start there."""
    value = number(checker, part)
    if not isinstance(value, int) and range_of(checker, value)[1] > I64.max:
        if not is_stop:
            text = checker.text(part.span)
            checker.fail(errors.UnboundedFor(part.span, text, checker.text(whole), bounds.MOST, 0, ""))
        return _at_most(checker, to_type(checker, value, U64, part.span), I64.max)
    return to_type(checker, value, I64, part.span)


def _at_most(checker: Checker, value: tree.Expr, most: int) -> tree.Expr:
    """min(value, most) of a u64, as i64: no loop gets so far that the difference shows."""
    span = value.span
    var = checker.temporary(U64, value)
    local = tree.Local(U64, span, var)
    test = tree.Compare(BOOL, span, ">", local, tree.Const(U64, span, most))
    chosen = tree.IfExp(I64, span, test, tree.Const(I64, span, most), tree.Convert(I64, span, local))
    made = tree.Let(I64, span, var, value, chosen)
    checker.ranges[made] = (0, most)
    return made


def _counted(
    checker: Checker, node: ast.For, start: tree.Expr, stop: tree.Expr, step: int, inside: Interval, count: int,
    some: bool, element: Callable[[tree.Expr], Value] | None, own_frame: bool = False,
) -> list[tree.Stmt]:  # fmt: skip
    """A loop over `start .. stop`. Its variable is the user's, if that is an i64; else the user's is assigned from
    it.
    """
    from pybpf.compiler.frontend.assignment import assign_to

    span = checker.span(node)
    target = checker.span(node.target)
    name = node.target.id if isinstance(node.target, ast.Name) else ""
    slot = checker.slots.get(name)
    if slot is None and name:
        iterated = checker.text(checker.span(node.iter))
        checker.fail(errors.LoopTarget(target, checker.text(target), iterated))
    entry = checker.state
    assert entry is not None
    plain = slot is not None and slot.declared is None and (slot.preset is None or kinds.same(slot.preset, I64))
    direct = element is None and plain
    counter = tree.Var(name, I64) if direct else checker.temporary(I64, start)
    body: list[tree.Stmt] = []

    def once() -> None:
        nonlocal body
        assert checker.state is not None
        if direct:
            read = tree.Local(I64, target, counter)
            checker.ranges[read] = inside
            checker.assign(name, read, target)
            first: list[tree.Stmt] = []
        else:
            read = tree.Local(I64, target, counter)
            checker.ranges[read] = inside
            item = element(to_type(checker, read, U64, target)) if element is not None else read
            first = assign_to(checker, node.target, item, target)
        body = first + checker.block(node.body)

    targets = assigned_names(node.target)
    assigned = [n for n in assigned_names(node.body) if n not in targets]
    exits = len(checker.exits)
    loop = settle(checker, node, assigned, once, own_frame=own_frame)
    end = flow.join(checker.state, loop.continues)  # at the end of an iteration
    exhausted = end if some else flow.join(entry, end)
    if direct:
        assert slot is not None and slot.var is not None
        counter = slot.var
    made = tree.ForRange(span, counter, start, stop, step, body)
    checker.session.iterations[made] = count
    made.carried = carried(checker, entry, assigned)
    if exhausted is None:  # every iteration leaves, but the verifier and Python see the loop end too if it has none
        exhausted = None if some else entry
    if loop.moves:
        followed = count if count <= bounds.MOST else None
        exhausted = walks.finish(checker, loop, made, followed, entry, exits, exhausted)
    made.orelse = after(checker, node, exhausted, loop)
    return [made]
