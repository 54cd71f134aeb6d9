"""Loops: `while`, `for ... in range(...)`, `for` over constants and arrays; `break`, `continue`.

What holds at a loop's head must hold on every way back to it. The body is checked with what held before the loop,
numbers that it assigns being allowed to grow; if a way back then contradicts that, it is checked again with less
assumed. The verifier follows a loop iteration by iteration, so each needs a bound that it can see (bounds.py).
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import bounds, flow, kinds, longloops, ranges, tree
from pybpf.compiler.frontend.conditions import condition
from pybpf.compiler.frontend.convert import number
from pybpf.compiler.frontend.known import Known, Refused
from pybpf.compiler.frontend.measure import origins, range_of
from pybpf.compiler.frontend.operators import to_type
from pybpf.compiler.frontend.scope import assigned_names, mentioned_names, returns
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.span import Span
from pybpf.compiler.schema.types import BOOL, I64, U64, OptionalType, PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any, NoReturn

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.frontend.ranges import Interval
else:
    import _ast as ast

__all__ = ["after", "carried", "check_kept", "for_loop", "go_on", "is_builtin", "leave", "settle", "while_loop"]

_NARROWED = 4  # loops inside each other that are checked once more for narrower bounds: each doubles the time
_SLOW = 4
_ATTEMPTS = 20  # facts only get weaker, and there are few steps down; this keeps a mistake of ours from looping


class Loop:
    """The loop around the statements in hand: the states that leave it by `break`, and that go round by `continue`.

    `back` is the state of all ways back to its head; None where no iteration is followed by another. `own_frame` is the
    region of a loop whose body becomes a function. `flag` is set by a `break` out of one of several copies of a body.
    """

    __slots__ = ("back", "breaks", "continues", "flag", "own_frame")

    def __init__(self) -> None:
        self.back: State | None = None
        self.own_frame: Span | None = None
        self.flag: tree.Var | None = None
        self.breaks: State | None = None
        self.continues: State | None = None


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


def settle(
    checker: Checker, node: Any, assigned: list[str], once: Callable[[], None], *, own_frame: bool = False
) -> Loop:
    """Check a loop's body by `once`, from the state at its head to that at its end, until the two agree.

    `own_frame`: the body becomes a function, so objects that it makes are gone when an iteration ends.

    Numbers that the loop assigns are taken to grow at first, those that it only subtracts from to fall. Where they turn
    out to stay within narrower bounds, the body is checked once more with those. Where something then is wrong in the
    body, it is checked from what holds in front of the loop, which iterations make weaker one after the other: numbers
    that take a few values only are known better so.
    """
    entry = checker.state
    assert entry is not None
    head = dict(entry)
    may_narrow = len(checker.loops) < _NARROWED
    slow = _SLOW if len(checker.loops) < 2 else 0  # iterations that may be taken one after the other
    slowly = False
    falling = bounds.falling(node)
    for name in assigned:
        fact = head.get(name)
        if fact is not None and fact.range != ranges.EMPTY:
            (lo, hi), (least, most) = fact.range, _type_range(checker, name)
            head[name] = replace(fact, range=(min(lo, least), hi) if name in falling else (lo, max(hi, most)))
    for _ in range(_ATTEMPTS):
        mark, left_out = len(checker.diagnostics), checker.left_out
        loop = Loop()
        loop.own_frame = _extent(checker, node) if own_frame else None
        checker.loops.append(loop)
        checker.state = dict(head)
        try:
            once()
        finally:
            checker.loops.pop()
        if loop.own_frame is not None:
            for state in (checker.state, loop.continues, loop.breaks):
                _forget_made(checker, state, loop.own_frame)
        back = loop.back = flow.join(checker.state, loop.continues)
        if flow.covers(head, back):
            other = _loosened(head, assigned) if _failed(checker, mark) else head
            if other is head and may_narrow:
                other, may_narrow = _narrowed(head, flow.join(entry, back), assigned), False
            if other is head and slow and not slowly and _failed(checker, mark):
                other, slowly = dict(entry), True
            if other is head:
                return loop
            head = other
            del checker.diagnostics[mark:]
            checker.left_out = left_out
            continue
        del checker.diagnostics[mark:]
        checker.left_out = left_out
        weaker = flow.join(head, back)
        assert weaker is not None
        for name, fact in weaker.items():
            if name not in head or name[0] == "&":  # a reference that is held has no range
                continue
            if fact.poisoned and not head[name].poisoned:
                # The error was reported in this attempt only: what led to it must be there in the next one too.
                fact = weaker[name] = head[name]
            (lo, hi), (least, most) = fact.range, _type_range(checker, name)
            before = head[name].range
            if slowly and slow:
                continue
            if before != ranges.EMPTY:  # a bound that did not hold is given up
                widened = (lo if lo == before[0] else min(lo, least), hi if hi == before[1] else max(hi, most))
                weaker[name] = replace(fact, range=widened)
        slow -= slowly and slow > 0
        head = {name: fact for name, fact in weaker.items() if name in head or name[0] == "&"}
    raise AssertionError("the facts at a loop's head do not settle")


def _extent(checker: Checker, node: Any) -> Span:
    """The region of a loop's head and body."""
    first = checker.span(node.test if isinstance(node, ast.While) else node.iter)
    last = checker.span(node.body[-1])
    return Span(first.source, first.line, first.col, last.end_line, last.end_col)


def _forget_made(checker: Checker, state: State | None, extent: Span) -> None:
    """Objects of the stack that were made in a loop's body with a frame of its own are gone after an iteration."""
    for name, fact in (state or {}).items():
        if fact.stale is None and fact.origins and _is_on_stack(checker, name):
            made = next((origin for origin in fact.origins if _is_within(origin, extent)), None)
            if made is not None:
                state[name] = replace(fact, stale=(_GONE, made))  # type: ignore[index]


_GONE = "it is gone after the iteration: the loop's body is a function of its own"


def _is_on_stack(checker: Checker, name: str) -> bool:
    slot = checker.slots.get(name)
    return slot is not None and slot.var is not None and longloops.is_on_stack(slot.var)


def _is_within(place: Span, extent: Span) -> bool:
    start, end = (extent.line, extent.col), (extent.end_line, extent.end_col)
    return place.source is extent.source and start <= (place.line, place.col) < end


def check_kept(checker: Checker, value: tree.Expr) -> None:
    """Refuse to return an object that a loop around here made in a frame of its own."""
    for loop in checker.loops:
        kind = value.type.inner if isinstance(value.type, OptionalType) else value.type
        extent = loop.own_frame
        if extent is None or not isinstance(kind, PtrType) or kind.space != Space.STACK:
            continue
        if any(_is_within(made, extent) for made in origins(checker, value)):
            checker.fail(errors.MadeInLoop(value.span, checker.text(value.span)))


def _failed(checker: Checker, mark: int) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in checker.diagnostics[mark:])


def _loosened(head: State, assigned: list[str]) -> State:
    """The state at a loop's head with Optionals that the loop assigns open: what failed may do so for being None, which
    an iteration changes. `head` itself if none is known to be."""
    known = [name for name in assigned if name in head and head[name].presence != flow.MAYBE]
    return head if not known else head | {name: replace(head[name], presence=flow.MAYBE) for name in known}


def _narrowed(head: State, met: State | None, assigned: list[str]) -> State:
    """The state at a loop's head with what its assignments were found to leave; `head` itself if that is no news."""
    found = head
    for name in assigned:
        fact, seen = head.get(name), met.get(name) if met is not None else None
        if fact is not None and seen is not None and seen.range != fact.range and not seen.poisoned:
            if found is head:
                found = dict(head)
            found[name] = replace(fact, range=seen.range)
    return found


def _type_range(checker: Checker, name: str) -> Interval:
    slot = checker.slots.get(name)
    if slot is None or slot.var is None:
        return ranges.EVERYTHING
    kind = slot.var.type
    return ranges.of_type(kind.inner if isinstance(kind, OptionalType) else kind)


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

    mark = len(checker.diagnostics)
    assigned = assigned_names([node.test, *node.body])
    long = longloops.bound_for(checker.session.target) == longloops.CALLBACK
    loop = settle(checker, node, assigned, once, own_frame=long and bounds.iterations(checker, node) is None)
    made = tree.While(span, test, body)
    if not any(d.severity == "error" for d in checker.diagnostics[mark:]):
        checker.state = entry
        count = bounds.iterations(checker, node) if loop.back is not None else 1
        if count is None:
            _unbounded(checker, node, made, ends=false is not None or loop.breaks is not None or _returns(node))
        else:
            checker.session.iterations[made] = count
    made.carried = carried(checker, entry, assigned)
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


def carried(checker: Checker, entry: State, assigned: list[str]) -> tuple[tree.Var, ...]:
    """The variables with a value in front of a loop that assigns them."""
    found = []
    for name in assigned:
        slot, fact = checker.slots.get(name), entry.get(name)
        if slot is not None and slot.var is not None and fact is not None and fact.assigned:
            found.append(slot.var)
    return tuple(found)


# --- for


def for_loop(checker: Checker, node: ast.For) -> list[tree.Stmt]:
    """`for` over range(), over a constant tuple, over an array, or over a map."""
    from pybpf.compiler.frontend.mapwalk import for_map, walked

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
    made.orelse = after(checker, node, exhausted, loop)
    return [made]
