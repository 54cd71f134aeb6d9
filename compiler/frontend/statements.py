"""What each kind of statement means. In: a syntax node and the checker's state. Out: statements of the tree; the
state after it.

`STATEMENTS` maps node classes to functions (checker, node) -> list of statements. The state is None afterwards where
the statement never ends.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import closures, flow, kinds, tree, tuples
from pybpf.compiler.frontend.convert import convert, materialize, type_of
from pybpf.compiler.frontend.known import ContextRef, Known, Refused
from pybpf.compiler.frontend.measure import origins, range_of
from pybpf.compiler.frontend.ranges import join
from pybpf.compiler.frontend.scope import assigned_names, mentioned_names
from pybpf.compiler.later import later, module
from pybpf.compiler.schema.types import EnumType, IntType, NoneType, OptionalType, PtrType, Space, TupleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.frontend import assignment, fieldfacts, reservation
    from pybpf.compiler.frontend.conditions import condition
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.frontend.settle import check_kept
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast
    fieldfacts = module("frontend.fieldfacts")
    condition = later("frontend.conditions", "condition")
    assignment = module("frontend.assignment")
    reservation = module("frontend.reservation")
    check_kept = later("frontend.settle", "check_kept")

__all__ = ["STATEMENTS", "ends_always", "fall_off", "unsupported"]


# Expressions whose value is all that they give.
_USELESS = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Compare, ast.BinOp, ast.UnaryOp, ast.Tuple)


def _expression(checker: Checker, node: ast.Expr) -> list[tree.Stmt]:
    """An expression for its effect. A bare string is a comment, as everywhere in Python."""
    if isinstance(node.value, ast.Constant) and (isinstance(node.value.value, str) or node.value.value is ...):
        return []
    value = checker.expr(node.value)
    if not isinstance(node.value, (ast.Call, ast.NamedExpr)):
        checker.report(errors.NoEffect(checker.span(node)))
    return [tree.ExprStmt(checker.span(node), value)] if isinstance(value, tree.Expr) else []


def _if(checker: Checker, node: ast.If) -> list[tree.Stmt]:
    """A constant test leaves one branch; the other is not compiled."""
    assert checker.state is not None
    before, checker.in_test = checker.in_test, True
    try:
        test, true, false = condition(checker, node.test)
    except Refused:
        checker.in_test = before
        _both_branches(checker, node)
        return []
    checker.in_test = before
    if checker.told_of_fields:
        true, false = fieldfacts.after_test(true, false, test)
    if true is None or false is None:
        checker.state = true if false is None else false
        evaluated = [] if isinstance(test, tree.Const) else [tree.ExprStmt(test.span, test)]
        return [*evaluated, *checker.block(node.body if false is None else node.orelse)]
    checker.state = dict(true)
    body = checker.block(node.body)
    after_body = checker.state
    checker.state = dict(false)
    orelse = checker.block(node.orelse)
    checker.state = flow.join(after_body, checker.state)
    return [tree.If(checker.span(node), test, body, orelse)]


def _both_branches(checker: Checker, node: ast.If) -> None:
    """After an error in the test: look for errors in both branches, with what the test mentions unknown.

    Afterwards objects are known again; numbers and Optionals are not, since the test may have been about their values.
    """
    assert checker.state is not None
    names = mentioned_names(node.test)
    objects = {name: checker.state[name] for name in names if name in checker.state and _is_object(checker, name)}
    checker.poison(names)
    before = dict(checker.state)
    checker.block(node.body)
    after_body = checker.state
    checker.state = dict(before)
    checker.block(node.orelse)
    checker.state = flow.join(after_body, checker.state)
    if checker.state is not None:
        changed = assigned_names([*node.body, *node.orelse])
        checker.state.update({name: fact for name, fact in objects.items() if name not in changed})


def _is_object(checker: Checker, name: str) -> bool:
    slot = checker.slots.get(name)
    if slot is not None and isinstance(slot.alias, ContextRef):
        return True
    return slot is not None and slot.var is not None and isinstance(slot.var.type, PtrType)


def _match(checker: Checker, node: ast.Match) -> list[tree.Stmt]:
    from pybpf.compiler.frontend.matching import match_statement

    return match_statement(checker, node)


def _pass(checker: Checker, node: ast.Pass) -> list[tree.Stmt]:
    return []


def _global(checker: Checker, node: ast.Global) -> list[tree.Stmt]:
    """`global x` says only what x means; the names were sorted out before (scope.find_locals)."""
    for name in node.names:
        found = checker.names.find(name)
        if found is None:
            checker.fail(errors.Unknown(checker.span(node), name, ""))
    return []


def _nonlocal(checker: Checker, node: ast.Nonlocal) -> list[tree.Stmt]:
    """`nonlocal x` says only what x means (Checker.outer_nonlocals), where x is a variable of the program."""
    strange = [name for name in node.names if name not in checker.outer_nonlocals]
    if strange:
        checker.poison(strange)
        checker.fail(errors.NoNonlocal(checker.span(node), ", ".join(strange), strange[0]))
    return []


# --- return


def _return(checker: Checker, node: ast.Return) -> list[tree.Stmt]:
    span = checker.span(node)
    if node.value is None:
        value: Value = Known(None, span)
    else:
        wanted = checker.result_slot.declared or checker.result_slot.preset
        try:
            value = checker.expr(node.value, None if isinstance(wanted, TupleType) else wanted)
        except Refused:
            checker.state = None
            checker.poison(assigned_names(node))
            return []
    try:
        made = None if checker.is_program else tuples.give_back(checker, value, span)
        if made is None:
            made = [give_back(checker, value, span)]
        last = made[-1]
        _check_held(checker, last if isinstance(last, tree.Return) else None, span)
        if checker.state is not None:
            checker.exits.append(checker.state)
    finally:
        checker.state = None
    return made


def _check_held(checker: Checker, statement: tree.Return | None, span: Span) -> None:
    """At an end of the function: what it acquired was released, or is what it returns."""
    state = checker.state
    if state is None or not (any(name[0] == "&" for name in state) or checker.with_held or checker.transfers):
        return
    from pybpf.compiler.frontend import references

    if statement is not None and statement.value is not None and not checker.is_program:
        references.returned(checker, statement.value)
    references.check_all_released(checker, span)


def fall_off(checker: Checker) -> list[tree.Stmt]:
    """The end of the body is reached: the function returns None."""
    if checker.lost_return:  # of a statement with an error
        return []
    declared = checker.session.program.returns if checker.is_program else checker.result_slot.declared
    span = checker.end_span()
    if declared is not None and not isinstance(declared, (NoneType, OptionalType)) and not kinds.may_be_null(declared):
        from pybpf.compiler.frontend.wording import early_return

        checker.report(errors.MissingReturn(span, checker.node.name, kinds.spell(declared), early_return(checker)))
        return []
    _check_held(checker, None, span)
    if checker.result_slot.joined is None and declared is None:
        return []
    try:
        return [give_back(checker, Known(None, span), span)]
    except Refused:
        return []


def give_back(checker: Checker, value: Value, span: Span) -> tree.Return:
    """`return value`: like an assignment to a variable that holds the function's result."""
    slot = checker.result_slot
    if checker.is_program:
        return _program_return(checker, value, span)
    what = f"the result of {checker.node.name}()"
    if isinstance(value, tree.Expr):
        _check_escape(checker, value)
        if checker.loops:
            check_kept(checker, value)
    annotation = slot.declared
    there = isinstance(value, Known) and (value.value is not None or not isinstance(annotation, OptionalType))
    if annotation is not None and kinds.is_reference(annotation) and there:  # None is of any space
        value = convert(checker, value, annotation, what)
    if annotation is None or kinds.is_reference(annotation):
        seen = type_of(value)
        joined = kinds.join(slot.joined, seen)
        if joined is None:
            assert slot.joined is not None
            from pybpf.compiler.frontend.advise import called, other_space

            other_space(checker, what, slot.joined, seen, span, slot.span)
            first, second = called(slot.joined), called(seen)
            checker.fail(errors.ReturnsDisagree(span, checker.node.name, first, second, slot.span))
        if slot.joined is not None and span != slot.span:
            joined = kinds.merged(joined)
        slot.joined, slot.span = joined, slot.span or span
        if isinstance(joined, kinds.KnownType) and isinstance(value, (Known, ContextRef)):
            slot.alias = value
            return tree.Return(span)
        wanted = kinds.settle(kinds.join(slot.preset, joined) or joined)
        if annotation is not None:
            if not kinds.fits_annotation(annotation, wanted):
                convert(checker, value, annotation, what)  # says what is wrong
            wanted = kinds.annotated(annotation, wanted)
        before = slot.last or slot.preset
        if before is not None and not kinds.same(before, wanted):
            checker.changed = True
        slot.last = wanted
    else:
        wanted = annotation
    if isinstance(wanted, NoneType):
        if isinstance(value, Known) and value.value is None:
            return tree.Return(span)
        expr = materialize(checker, value)
        if isinstance(expr.type, NoneType):
            return tree.Return(span, expr)
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), "None", what))
    expr = convert(checker, value, wanted, what)
    bounds = range_of(checker, expr)
    checker.result_range = bounds if checker.result_range is None else join(checker.result_range, bounds)
    checker.result_origins |= origins(checker, expr)
    return tree.Return(span, expr)


def _check_escape(checker: Checker, expr: tree.Expr) -> None:
    kind = expr.type.inner if isinstance(expr.type, OptionalType) else expr.type
    if isinstance(kind, PtrType) and kind.space == Space.RINGBUF and origins(checker, expr) & checker.reserved:
        checker.fail(errors.RecordEscapes(expr.span, checker.text(expr.span)))
    if isinstance(kind, PtrType) and kind.space == Space.BORROWED and checker.locked:
        checker.fail(errors.BorrowedEscapes(expr.span, checker.text(expr.span)))


def _program_return(checker: Checker, value: Value, span: Span) -> tree.Return:
    """The program's answer to the kernel, within what the hook allows."""
    spec = checker.session.program
    if isinstance(spec.returns, NoneType):
        if isinstance(value, Known) and value.value is None:
            return tree.Return(span)
        expr = materialize(checker, value)
        if isinstance(expr.type, NoneType):
            return tree.Return(span, expr)
        checker.fail(errors.ReturnsNothing(value.span, spec.name))
    if isinstance(value, Known) and value.value is None:
        example = f"return {_example_of(spec.returns)}"
        checker.fail(errors.BareReturn(span, kinds.spell(spec.returns), example))
    if isinstance(spec.returns, EnumType) and isinstance(value, Known) and isinstance(value.value, int):
        names = {number: name for name, number in spec.returns.members}
        if int(value.value) not in names or isinstance(value.value, bool):
            enum, example = spec.returns.name, f"return {_example_of(spec.returns)}"
            shown = tuple([f"{name} ({number})" for number, name in names.items()])
            checker.fail(errors.NotAMember(value.span, str(value.value), enum, shown, example))
    expr = convert(checker, value, spec.returns, f"the result of {spec.name}")
    if spec.allowed is not None and isinstance(spec.returns, IntType):
        (low, high), (least, most) = spec.allowed, range_of(checker, expr)
        if least < low or most > high:
            hook = str(spec.attach.get("kind", spec.section))
            checker.fail(errors.AnswerNotAllowed(value.span, checker.text(value.span), hook, low, high, least == most))
    return tree.Return(span, expr)


def _example_of(kind: Type) -> str:
    """A value of a result's type."""
    if isinstance(kind, EnumType):
        names = [name for name, _ in kind.members]
        return f"{kind.name}.{'PASS' if 'PASS' in names else names[0]}"
    return "0"


# --- everything else


def ends_always(node: Any) -> bool:
    """Whether a statement never goes on to the next one, whatever constants say."""
    return isinstance(node, (ast.Return, ast.Break, ast.Continue, ast.While))


def unsupported(checker: Checker, node: Any) -> list[tree.Stmt]:
    """Whatever else Python has."""
    from pybpf.compiler.frontend.refusals import STATEMENT_REFUSALS

    span = checker.span(node)
    refusal = STATEMENT_REFUSALS.get(type(node))
    if refusal is not None:
        checker.fail(refusal(checker, node, span))
    checker.fail(errors.NotInLanguage(span, f"this syntax ({type(node).__name__})"))


STATEMENTS: dict[type, Callable[[Checker, Any], list[tree.Stmt]]] = {
    ast.Assign: assignment.assign,
    ast.AnnAssign: assignment.annotated,
    ast.AugAssign: assignment.augmented,
    ast.Delete: assignment.delete,
    ast.Expr: _expression,
    ast.If: _if,
    ast.Match: _match,
    ast.While: later("frontend.loops", "while_loop"),
    ast.For: later("frontend.loops", "for_loop"),
    ast.Break: later("frontend.loops", "leave"),
    ast.Continue: later("frontend.loops", "go_on"),
    ast.With: reservation.with_statement,
    ast.Return: _return,
    ast.Pass: _pass,
    ast.Global: _global,
    ast.Nonlocal: _nonlocal,
    ast.FunctionDef: closures.define,
}
