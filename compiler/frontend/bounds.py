"""Whether a `while` loop ends, and after how many iterations at most. In: its syntax tree and the facts before it.

The verifier walks through a loop one iteration after the other, up to a million instructions in all, so a loop needs a
counter that each iteration moves by a constant, and a comparison of it with a bound known in advance. Looked for:

    while i < BOUND: ... i += 1            while n > 0: ... n -= 2            while n: ... n >>= 1
    while True: ... if i >= BOUND: break ... i += 1
"""

from __future__ import annotations

from pybpf.compiler.frontend import ranges
from pybpf.compiler.frontend.scope import assigned_names, children

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Known
    from pybpf.compiler.frontend.ranges import Interval
else:
    import _ast as ast

__all__ = ["MOST", "falling", "iterations"]

MOST = 1 << 16  # iterations of any loop; bodies lower that further (cost.py)

_OPS: dict[type, str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.NotEq: "!=", ast.Eq: "=="}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!=", "==": "=="}
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "!=": "==", "==": "!="}


def iterations(checker: Checker, node: ast.While) -> int | None:
    """The most iterations the loop takes, with `checker.state` as it is before the loop; None where that can't be
    seen.
    """
    if isinstance(node.test, ast.Constant) and not node.test.value:
        return 0
    tested = assigned_names(node.test)  # by `:=`
    steps = {name: step for name, step in _steps(node.body).items() if name not in tested}
    steps.update(_tested_step(node))
    changed = [*tested, *assigned_names(node.body)]
    best: int | None = None
    for name, op, bound in _guards(node):
        step = steps.get(name)
        if step is None:
            continue
        limit = _interval(checker, bound, changed)
        start = _fact(checker, name)
        count = None if limit is None or start is None else _count(step, op, start, limit)
        if count is not None and count <= MOST and (best is None or count < best):
            best = count
    return best


def _count(step: tuple[str, int], op: str, start: Interval, limit: Interval) -> int | None:
    """Iterations of `while i op limit`, where each one does `i step`."""
    kind, amount = step
    if kind == "+" and op in ("<", "<=", "!="):
        if op == "!=" and (amount != 1 or start[1] > limit[0]):
            return None
        return max(0, (limit[1] - start[0] + amount + (op == "<=") - 1) // amount)
    if kind == "-" and op in (">", ">=", "!="):
        if op == "!=" and (amount != 1 or start[0] < limit[1]):
            return None
        return max(0, (start[1] - limit[0] + amount + (op == ">=") - 1) // amount)
    if kind == ">>" and op in (">", "!=") and limit == (0, 0) and start[0] >= 0:
        return start[1].bit_length() // amount + 1
    return None


def falling(node: Any) -> set[str]:
    """Variables that the loop's body changes by subtraction only."""
    found: dict[str, bool] = {}

    def visit(item: Any) -> None:
        if isinstance(item, ast.AugAssign) and isinstance(item.target, ast.Name):
            down = isinstance(item.op, ast.Sub)
            found[item.target.id] = down and found.get(item.target.id, True)
        elif isinstance(item, ast.Name) and not isinstance(item.ctx, ast.Load):
            found[item.id] = False
        else:
            for child in children(item):
                visit(child)

    for statement in node.body:
        visit(statement)
    return {name for name, down in found.items() if down}


def _steps(body: list[Any]) -> dict[str, tuple[str, int]]:
    """Variables that every iteration moves by a constant, exactly once: name -> (operator, amount)."""
    found: dict[str, tuple[str, int]] = {}
    for position, statement in enumerate(body):
        step = _step(statement)
        if step is None:
            continue
        name, op, amount = step
        others = [s for i, s in enumerate(body) if i != position]
        if name in assigned_names(others) or any(_continues(s) for s in body[:position]):
            continue
        found[name] = (op, amount)
    return found


def _step(node: Any) -> tuple[str, str, int] | None:
    """`i += 1`, `i -= 2`, `i >>= 1`, `i //= 2`, `i = i + 1`."""
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        name, op, value = node.target.id, node.op, node.value
    elif (
        isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.BinOp) and isinstance(node.value.left, ast.Name)
        and node.value.left.id == node.targets[0].id
    ):  # fmt: skip
        name, op, value = node.targets[0].id, node.value.op, node.value.right
    else:
        return None
    if not isinstance(value, ast.Constant) or type(value.value) is not int or value.value < 1:
        return None
    amount: int = value.value
    if isinstance(op, (ast.Add, ast.Sub)):
        return name, "+" if isinstance(op, ast.Add) else "-", amount
    if isinstance(op, ast.RShift):
        return name, ">>", amount
    if isinstance(op, ast.FloorDiv) and amount >= 2 and amount & amount - 1 == 0:  # the verifier sees no other division
        return name, ">>", amount.bit_length() - 1
    return None


def _tested_step(node: ast.While) -> dict[str, tuple[str, int]]:
    """`while (i := i + 1) < BOUND`: the step that the test makes first, if nothing else assigns the variable."""
    test = node.test
    while isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        test = test.values[0]
    left = test.left if isinstance(test, ast.Compare) and len(test.ops) == 1 else None
    if not isinstance(left, ast.NamedExpr):
        return {}
    step = _step(ast.Assign([left.target], left.value))
    others = [*_bindings(node.test), *assigned_names(node.body)]
    return {step[0]: step[1:]} if step is not None and others.count(step[0]) == 1 else {}


def _bindings(node: Any) -> list[str]:
    """The targets of all `:=` in an expression, as often as they are assigned."""
    own = [node.target.id] if isinstance(node, ast.NamedExpr) else []
    return [*own, *[name for child in children(node) for name in _bindings(child)]]


def _continues(node: Any) -> bool:
    """Whether a statement may go on with the loop around it."""
    if isinstance(node, ast.Continue):
        return True
    if isinstance(node, (ast.For, ast.While)):
        return any(_continues(s) for s in node.orelse)
    return any(_continues(child) for child in children(node))


def _guards(node: ast.While) -> list[tuple[str, str, Any]]:
    """Comparisons (name, op, bound) that hold whenever an iteration is completed."""
    found = _conjuncts(node.test, False)
    for statement in node.body:
        if isinstance(statement, ast.If) and not statement.orelse and statement.body:
            if isinstance(statement.body[-1], (ast.Break, ast.Return)):
                found += _conjuncts(statement.test, True)
        elif _continues(statement):
            break
    return found


def _conjuncts(test: Any, negated: bool) -> list[tuple[str, str, Any]]:
    """The comparisons that are all true if `test` is true (`negated`: false)."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or if negated else ast.And):
        return [c for operand in test.values for c in _conjuncts(operand, negated)]
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _conjuncts(test.operand, not negated)
    if isinstance(test, ast.Name):
        return [] if negated else [(test.id, "!=", ast.Constant(0))]
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or type(test.ops[0]) not in _OPS:
        return []
    op = _OPS[type(test.ops[0])]
    op = _NEGATED[op] if negated else op
    made = []
    left = test.left.target if isinstance(test.left, ast.NamedExpr) else test.left
    if isinstance(left, ast.Name):
        made.append((left.id, op, test.comparators[0]))
    if isinstance(test.comparators[0], ast.Name):
        made.append((test.comparators[0].id, _FLIPPED[op], test.left))
    return made


def _fact(checker: Checker, name: str) -> Interval | None:
    assert checker.state is not None
    fact = checker.state.get(name)
    slot = checker.slots.get(name)
    if fact is None or slot is None or slot.var is None:
        return None
    return ranges.meet(fact.range, ranges.of_type(slot.var.type))


def _interval(checker: Checker, node: Any, changed: list[str]) -> Interval | None:
    """The interval of a bound that the loop does not change: a constant, or a variable."""
    if isinstance(node, ast.Constant):
        return (node.value, node.value) if isinstance(node.value, int) else None
    if not isinstance(node, ast.Name) or node.id in changed:
        return None
    if node.id in checker.slots:
        return _fact(checker, node.id)
    outer: Known | None = checker.names.find(node.id)
    value = outer.value if outer is not None else None
    return (value, value) if isinstance(value, int) else None
