"""Branches, loops, inlined functions, Optionals: what the lowered program computes."""

from __future__ import annotations

import pytest

from pybpf.compiler.frontend import tree
from pybpf.compiler.ir import ops
from pybpf.compiler.schema.types import BOOL, I64, NONE, U32, U64, OptionalType
from tests.irbuild import trees as t

N = t.num


def n(value: int) -> tree.Const:
    return t.num(value, I64)


def loop_sum(*range_: int, orelse: bool = False, stop_at: int | None = None) -> int:
    """Collects the loop's values as digits of base 100."""
    start, stop, step = range_
    first, last, i, total = (tree.Var(name, I64) for name in ("first", "last", "i", "total"))
    body: list[tree.Stmt] = []
    if stop_at is not None:
        body.append(tree.If(t.SPAN, t.cmp(t.local(i), "==", n(stop_at)), [tree.Break(t.SPAN)]))
    body.append(t.let(total, t.op(t.op(t.local(total), "*", n(100)), "+", t.op(t.local(i), "&", n(63)))))
    body.append(t.let(i, n(50)))  # assigning the variable does not change the iteration
    after: list[tree.Stmt] = [t.let(total, t.op(n(-1), "*", t.local(total)))] if orelse else []
    loop = tree.ForRange(t.SPAN, i, t.local(first), t.local(last), step, body, after)
    return t.run(t.let(total, n(0)), loop, t.ret(t.local(total)), args=(first, last), given=(start, stop))


def digits(values: list[int]) -> int:
    total = 0
    for value in values:
        total = total * 100 + (value & 63)
    return total


@pytest.mark.parametrize(
    "range_", [(0, 5, 1), (0, 5, 2), (5, 0, -1), (5, -3, -3), (3, 3, 1), (4, 3, 1), (3, 4, -1), (0, 7, 7), (0, 8, 7)]
)
def test_range(range_: tuple[int, int, int]) -> None:
    assert loop_sum(*range_) == digits(list(range(*range_)))
    assert loop_sum(*range_, orelse=True) == -digits(list(range(*range_)))


def test_break_skips_else() -> None:
    assert loop_sum(0, 6, 1, orelse=True, stop_at=3) == digits([0, 1, 2])
    assert loop_sum(0, 6, 1, orelse=True, stop_at=9) == -digits([0, 1, 2, 3, 4, 5])


def test_range_near_the_limits_ends() -> None:
    top, bottom = (1 << 63) - 1, -(1 << 63)
    assert loop_sum(top - 3, top, 2) == digits([top - 3, top - 1])
    assert loop_sum(bottom + 3, bottom, -2) == digits([bottom + 3, bottom + 1])


def test_while_with_continue_and_else() -> None:
    i, total = tree.Var("i", I64), tree.Var("total", I64)
    odd = t.cmp(t.op(t.local(i), "%", n(2)), "!=", n(0))
    body: list[tree.Stmt] = [
        t.let(i, t.op(t.local(i), "+", n(1))),
        tree.If(t.SPAN, odd, [tree.Continue(t.SPAN)]),
        t.let(total, t.op(t.local(total), "+", t.local(i))),
    ]
    loop = tree.While(t.SPAN, t.cmp(t.local(i), "<", n(10)), body, [t.let(total, t.op(t.local(total), "+", n(1000)))])
    assert t.run(t.let(i, n(0)), t.let(total, n(0)), loop, t.ret(t.local(total))) == 2 + 4 + 6 + 8 + 10 + 1000


def test_endless_loop_left_by_return() -> None:
    i = tree.Var("i", I64)
    body: list[tree.Stmt] = [
        t.let(i, t.op(t.local(i), "+", n(3))),
        tree.If(t.SPAN, t.cmp(t.local(i), ">", n(20)), [t.ret(t.local(i))]),
    ]
    assert t.run(t.let(i, n(0)), tree.While(t.SPAN, N(1, BOOL), body)) == 21


@pytest.mark.parametrize(("x", "y"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_and_or_not(x: int, y: int) -> None:
    a, c, v = tree.Var("a", U64), tree.Var("b", U64), tree.Var("v", BOOL)
    p, q = tree.Truth(BOOL, t.SPAN, t.local(a)), tree.Truth(BOOL, t.SPAN, t.local(c))
    tests = {
        bool(x and y): tree.And(BOOL, t.SPAN, p, q),
        bool(x or y) + 10: tree.Or(BOOL, t.SPAN, p, q),
        (not (x and not y)) + 20: tree.Not(BOOL, t.SPAN, tree.And(BOOL, t.SPAN, p, tree.Not(BOOL, t.SPAN, q))),
    }
    for expected, test in tests.items():
        assert t.run(t.let(v, test), t.ret(t.conv(t.local(v), I64)), args=(a, c), given=(x, y)) == expected % 10
        branch = tree.If(t.SPAN, test, [t.ret(n(1))], [t.ret(n(0))])
        assert t.run(branch, args=(a, c), given=(x, y)) == expected % 10


def test_right_side_is_evaluated_only_if_it_counts() -> None:
    a = tree.Var("a", U64)
    drawn = t.cmp(t.random(), ">", N(0))
    test = tree.Or(BOOL, t.SPAN, tree.Truth(BOOL, t.SPAN, t.local(a)), drawn)
    module = t.lowered(tree.If(t.SPAN, test, [t.ret(t.conv(t.random(), I64))]), args=(a,))
    assert t.World(module).run(0) == 2
    assert t.World(module).run(1) == 1


def test_constant_tests_leave_one_side() -> None:
    module = t.lowered(tree.If(t.SPAN, N(0, BOOL), [t.ret(t.conv(t.random(), I64))], [t.ret(n(7))]), t.ret(n(8)))
    assert not any(type(o) is ops.CallHelper for o in module.functions[0].ops())
    assert t.World(module).run() == 7


def test_inlined_function_with_several_returns() -> None:
    x = tree.Var("x", I64)
    clamp = t.function(
        "clamp", (x,), I64,
        tree.If(t.SPAN, t.cmp(t.local(x), "<", n(0)), [t.ret(n(0))]),
        tree.If(t.SPAN, t.cmp(t.local(x), ">", n(9)), [t.ret(n(9))]),
        t.ret(t.local(x)),
    )  # fmt: skip
    a = tree.Var("a", I64)
    twice = t.op(
        tree.FuncCall(I64, t.SPAN, clamp, (t.local(a),)), "+",
        tree.FuncCall(I64, t.SPAN, clamp, (t.op(t.local(a), "*", n(2)),)),
    )  # fmt: skip
    for value, expected in ((-5, 0), (3, 9), (7, 16), (100, 18)):
        assert t.run(t.ret(twice), args=(a,), given=(value,)) == expected


def test_call_as_condition_branches_directly() -> None:
    x, a = tree.Var("x", I64), tree.Var("a", I64)
    inside = t.function(
        "inside", (x,), BOOL,
        tree.If(t.SPAN, t.cmp(t.local(x), "<", n(3)), [t.ret(N(0, BOOL))]),
        t.ret(t.cmp(t.local(x), "<", n(6))),
    )  # fmt: skip
    test = tree.FuncCall(BOOL, t.SPAN, inside, (t.local(a),))
    module = t.lowered(tree.If(t.SPAN, test, [t.ret(n(1))]), t.ret(n(0)), args=(a,))
    assert [t.World(module).run(v) for v in (2, 3, 5, 6)] == [0, 1, 1, 0]
    assert not any(type(o) is ops.Phi for o in module.functions[0].ops())
    value = t.lowered(t.ret(t.conv(test, I64)), args=(a,))
    assert [t.World(value).run(v) for v in (2, 3, 5, 6)] == [0, 1, 1, 0]


def test_optional_number_is_present_even_if_zero() -> None:
    a = tree.Var("a", I64)
    v = tree.Var("v", OptionalType(I64))
    some, none = tree.Wrap(v.type, t.SPAN, t.local(a)), tree.NoneValue(v.type, t.SPAN)
    choose = tree.IfExp(v.type, t.SPAN, t.cmp(t.local(a), "<", n(5)), some, none)
    is_none = t.lowered(t.let(v, choose), t.ret(t.conv(t.is_none(v), I64)), args=(a,))
    assert [t.World(is_none).run(x) for x in (0, 4, 5)] == [0, 0, 1]
    truth = tree.Truth(BOOL, t.SPAN, t.local(v))
    true = t.lowered(t.let(v, choose), tree.If(t.SPAN, truth, [t.ret(t.unwrap(v))]), t.ret(n(-1)), args=(a,))
    assert [t.World(true).run(x) for x in (0, 4, 5)] == [-1, 4, -1]
    as_value = t.lowered(t.let(v, choose), t.ret(t.conv(truth, I64)), args=(a,))
    assert [t.World(as_value).run(x) for x in (0, 4, 5)] == [0, 1, 0]


def test_result_of_a_program_that_returns_nothing() -> None:
    typed = t.typed(t.ret(), result=NONE)
    typed.programs[0].spec.default_return = 3
    from pybpf.compiler.irbuild.program import build
    from pybpf.compiler.schema.specs import Target

    assert t.World(build(typed, Target())).run() == 3


def test_variables_of_loops_need_no_phi_when_unchanged() -> None:
    a, i = tree.Var("a", U32), tree.Var("i", U64)
    loop = tree.ForRange(t.SPAN, i, N(0), N(4), 1, [t.do(t.random())])
    module = t.lowered(loop, t.ret(t.conv(t.local(a), I64)), args=(a,))
    phis = [o for o in module.functions[0].ops() if type(o) is ops.Phi]
    assert [p.name for p in phis] == ["i"]


def test_thousands_of_joins_in_a_row() -> None:
    a, total = tree.Var("a", I64), tree.Var("total", I64)
    body: list[tree.Stmt] = [t.let(total, n(0))]
    for k in range(1500):
        body.append(tree.If(t.SPAN, t.cmp(t.local(a), ">", n(k)), [t.let(total, t.op(t.local(total), "+", n(1)))]))
    assert t.run(*body, t.ret(t.op(t.local(total), "+", t.local(a))), args=(a,), given=(700,)) == 1400
