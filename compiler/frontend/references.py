"""References that a call acquires and another gives back: sockets, tasks, cgroups, cpumasks, ring-buffer memory.

The verifier refuses a program that can end while it holds one. Here each reference that is held is a fact of the flow,
under the key `&` and the place of the call that acquired it: there on every path, or on some. A variable that is found
to be None holds none; what is released is gone, for all variables that refer to it.

    sk = helpers.bpf_sk_lookup_tcp(...)           Acquire
    if sk is None: return XDP.PASS                the fact is dropped
    helpers.bpf_sk_release(sk)                    Release; `sk` is stale

`with releasing(acquire()) as it:` gives it back on every way out of the block.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, kinds, tree
from pybpf.compiler.frontend.convert import materialize
from pybpf.compiler.frontend.flow import Fact, filled_key, held_key
from pybpf.compiler.frontend.known import Refused
from pybpf.compiler.frontend.measure import origins
from pybpf.compiler.schema.specs import HelperSpec, KfuncSpec
from pybpf.compiler.schema.types import NoneType, OptionalType, PtrType, Space, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span

    Release = HelperSpec | KfuncSpec
else:
    import _ast as ast

__all__ = [
    "acquired",
    "called",
    "check_all_released",
    "entered",
    "given_back",
    "in_region",
    "sleeping",
    "regions",
    "left",
    "releasing",
    "returned",
    "tested",
]


def called(checker: Checker, call: tree.Expr, arguments: Sequence[Any], releases: int, release: Any) -> tree.Expr:
    """A call that was checked. `releases` is the number of the argument that it gives back (-1: none); `release` says
    what gives back its result (None: the result is no reference of its own).
    """
    made = call if releases < 0 else given_back(checker, call, arguments[releases])
    return made if release is None else acquired(checker, made, release)


def acquired(checker: Checker, call: tree.Expr, release: Release) -> tree.Expr:
    """The result of `call` is held from here on."""
    state, span = checker.state, call.span
    assert state is not None
    if held_key(span) in state:
        checker.told.add(span)
        checker.fail(errors.AcquiredAgain(span, checker.text(span), release.name))
    made = tree.Acquire(call.type, span, call, release)
    checker.made(made)
    checker.releases[span] = release
    state[held_key(span)] = Fact(source=span)
    return made


def entered(checker: Checker, call: tree.Expr, release: KfuncSpec) -> tree.Expr:
    """`call` begins a region of the program, which a call of `release` ends: it takes and gives nothing."""
    outside = [place for name, _, place in checker.around if name == release.name]
    for origin in [*_open_regions(checker, release.name), *outside]:
        checker.fail(errors.RegionOpen(call.span, checker.text(call.span), origin))
    return acquired(checker, call, release)


def left(checker: Checker, call: tree.Expr, name: str) -> tree.Expr:
    """`call`, of the function `name`, ends the region that is open."""
    state = checker.state
    assert state is not None
    found = [o for o in _open_regions(checker, name) if o not in checker.with_held and state[held_key(o)].assigned]
    if not found:
        checker.fail(errors.RegionNotOpen(call.span, checker.text(call.span), name))
    for origin in found:
        del state[held_key(origin)]
    _end_section(checker, call.span)
    return tree.Release(call.type, call.span, call, tuple(found))


def _end_section(checker: Checker, span: Span) -> None:
    """What maps keep, and was looked at in an RCU section, may be gone."""
    from pybpf.compiler.frontend.objects import forget

    forget(checker, Space.RCU, "the region ended", span)


def _open_regions(checker: Checker, release: str) -> list[Span]:
    """Where regions were entered that `release` ends and that may be open here."""
    state = checker.state or {}
    spans = [o for o in checker.releases if held_key(o) in state or o in checker.with_held]
    return sorted([o for o in spans if checker.releases[o].name == release], key=str)


def given_back(checker: Checker, call: tree.Expr, given: tree.Expr, why: str = "it was released") -> tree.Expr:
    """`call` releases `given`, which must be held, or hands it on: `why`."""
    state = checker.state
    assert state is not None
    found = sorted([o for o in origins(checker, given) if held_key(o) in state], key=str)
    name = checker.text(given.span)
    certain = [o for o in found if state[held_key(o)].assigned]
    if not found and origins(checker, given) & checker.told:  # what became of it nobody knows
        raise Refused
    if not found or len(certain) > 1 or (certain and len(found) > 1):
        held = tuple([checker.text(o) for o in found])
        handed = why.startswith("it was put")
        checker.fail(errors.NotHeld(call.span, name, held, _managed(checker, given), handed))
    for origin in found:
        del state[held_key(origin)]
        flow.stale(state, origin, why, call.span)
    return tree.Release(call.type, call.span, call, tuple(found))


def _managed(checker: Checker, given: tree.Expr) -> str:
    """The call that a `with releasing(...)` around here makes good for; "" where it is something else."""
    for origin in origins(checker, given):
        if origin in checker.with_held:
            return checker.text(origin)
    return ""


def returned(checker: Checker, result: tree.Expr) -> None:
    """A function returns `result`: what it holds of it passes to the caller. It must not be what a `with` releases."""
    state = checker.state
    assert state is not None
    if kinds.is_dynptr(result.type):
        from pybpf.compiler.frontend.dynptrs import check_filled

        check_filled(checker, result)
    made = origins(checker, result)
    for origin in made & checker.with_held:
        checker.fail(errors.ReferenceEscapes(result.span, checker.text(result.span), origin))
    for origin in made:
        if held_key(origin) in state:
            del state[held_key(origin)]
            checker.transfers = checker.releases[origin]
            checker.transfers_tested |= origin in checker.tested


def tested(checker: Checker, var: tree.Var, fact: Fact, span: Span) -> None:
    """A variable that may hold a reference is tested for None, where nothing is known of it.

    Where an inlined function has tested it on some of its ways, older verifiers look at a way with a reference that is
    None: they keep in mind for sockets only that they can't be (reg_not_null, kernel/bpf/verifier.c).
    """
    state = checker.state or {}
    held = [o for o in fact.origins if held_key(o) in state]
    kind = var.type.inner if isinstance(var.type, OptionalType) else var.type
    again = [o for o in held if o in checker.tested_before]
    if again and fact.presence == flow.MAYBE and isinstance(kind, PtrType) and not isinstance(kind.pointee, StructType):
        since = "6.12" if kind.space == Space.RINGBUF else "6.4"
        if checker.session.target.kernel < tuple(map(int, since.split("."))):
            checker.told.update(again)
            checker.fail(errors.TestedTwice(span, var.name, since, checker.text(again[0])))
    checker.tested.update(held)


def check_all_released(checker: Checker, span: Span) -> None:
    """The function ends here: nothing may be held any more."""
    state = checker.state
    if state is None:
        return
    for key in sorted([k for k in state if k[0] == "&"]):
        origin = state[key].source
        assert origin is not None
        name = next((n for n, fact in state.items() if origin in fact.origins and n[0] not in "&%"), "")
        call = checker.text(origin)
        before = call.partition("(")[0]  # helpers. of helpers.bpf_sk_lookup_tcp; else a method that calls one
        at = before.find("bpf_")
        spec = checker.releases[origin]
        home = before[:at] if at >= 0 else "kfuncs." if isinstance(spec, KfuncSpec) else "helpers."
        release = getattr(spec, "short", "") or home + spec.name
        del state[key]  # said once is enough
        if origin in checker.told:
            continue
        region = _is_region(checker.releases[origin])
        checker.report(errors.StillHeld(span, name, origin, call, release, region))


def in_region(checker: Checker, release: str = "") -> bool:
    """Whether a region may be open here, in which nothing may sleep; or, given what ends it, whether one surely is."""
    if not checker.releases and not checker.around:
        return False
    return any(not release or (name == release and certain) for name, certain, _ in regions(checker))


def check_awake(checker: Checker, called: tree.Subprogram, span: Span) -> None:
    """Refuse a call of a subprogram that may sleep, in a region."""
    if in_region(checker):
        name = _sleeps(called)
        if name:
            checker.fail(errors.HelperSleeps(span, name, checker.session.program.name))


def _sleeps(called: tree.Subprogram) -> str:
    """A function that may sleep which a subprogram calls; "" where there is none."""
    found = sleeping(called.function)
    return "" if found is None else found[0]


def sleeping(root: Any) -> tuple[str, Span] | None:
    """A function that may sleep which is called in a piece of the tree, and where that calls it, or leads to it."""
    from pybpf.compiler.frontend.longloops import all_of

    kinds = (tree.HelperCall, tree.KfuncCall, tree.Fill, tree.ForEach, tree.SubprogCall)
    for node in all_of(root, kinds):
        if isinstance(node, tree.SubprogCall):
            deeper = _sleeps(node.subprogram)
            if deeper:
                return deeper, node.span
            continue
        spec: Any = node.spec.helper if isinstance(node, tree.Fill) else getattr(node, "helper", None)
        if isinstance(node, tree.KfuncCall):
            spec = node.kfunc
        if isinstance(node, tree.ForEach):
            spec = node.iterator.new
        if spec is not None and (spec.sleepable if isinstance(spec, HelperSpec) else "sleepable" in spec.flags):
            return str(spec.name), node.span
    return None


def regions(checker: Checker) -> tuple[tuple[str, bool, Span], ...]:
    """The regions that may be open here: what ends each, whether it surely is open, and where it was entered.

    A function that is inlined is in those that its caller is in.
    """
    state = checker.state or {}
    found = list(checker.around)
    for origin, release in checker.releases.items():
        fact = state.get(held_key(origin))
        if _is_region(release) and (fact is not None or origin in checker.with_held):
            found.append((release.name, fact is None or fact.assigned, origin))
    return tuple(found)


def _is_region(release: Release) -> bool:
    return isinstance(release, KfuncSpec) and not release.params


def forget(checker: Checker, names: list[str]) -> None:
    """Say nothing more about what these variables hold: a statement that names them, and may release, was refused."""
    state = checker.state
    assert state is not None
    for name in names:
        fact = state.get(name)
        for origin in fact.origins if fact is not None else ():
            if state.pop(held_key(origin), None) is not None:
                checker.told.add(origin)
            if origin in checker.dynptrs:
                state[filled_key(origin)] = Fact()


# --- with


def releasing(checker: Checker, node: ast.With) -> list[tree.Stmt]:
    """`with releasing(acquire()) as it: ...`"""
    [item] = node.items
    call: Any = item.context_expr
    where = checker.span(call)
    if len(call.args) != 1 or call.keywords:
        example = "releasing(helpers.bpf_sk_lookup_tcp(...))"
        checker.fail(errors.CallArguments(where, "releasing()", "takes one call that acquires something", example))
    value = materialize(checker, checker.expr(call.args[0]))
    state = checker.state
    assert state is not None
    release = checker.releases.get(value.span)
    if not isinstance(value, tree.Acquire) or release is None:
        checker.fail(errors.NotAcquired(value.span, checker.text(value.span)))
    if item.optional_vars is None:
        return [_unnamed(checker, node, value)]
    if not isinstance(item.optional_vars, ast.Name) or item.optional_vars.id not in checker.slots:
        checker.told.add(value.span)
        checker.fail(errors.WithoutVariable(where, checker.text(where)))
    name = item.optional_vars.id
    slot = checker.slots[name]
    span = checker.span(item.optional_vars)
    if slot.declared is not None or slot.var is not None or name in checker.reserved_names:
        checker.fail(errors.ReserveName(span, name, name in checker.reserved_names))
    origin = value.span
    tested(checker, tree.Var(name, value.type), Fact(origins=frozenset([origin])), where)  # the block tests it
    del state[held_key(origin)]  # and sees to it
    slot.joined, slot.span = value.type, span
    slot.var = tree.Var(name, value.type, span)
    state[name] = Fact(source=origin, origins=frozenset([origin]))
    checker.reserved_names.add(name)
    checker.with_held.add(origin)
    body = checker.block(node.body)
    checker.reserved_names.discard(name)
    checker.with_held.discard(origin)
    var, slot.var, slot.joined = slot.var, None, None  # the name may be used for another one afterwards
    loop = checker.loops[-1] if checker.loops else None
    for left in (checker.state, *((loop.breaks, loop.continues) if loop is not None else ())):
        if left is not None:
            flow.stale(left, origin, "it was released at the end of the `with` block", origin)
    return [tree.WithAcquire(checker.span(node), var, value.value, release, body)]


def _unnamed(checker: Checker, node: ast.With, value: tree.Acquire) -> tree.Stmt:
    """`with releasing(kfuncs.bpf_rcu_read_lock()):`, where there is nothing to be named, or nothing is."""
    assert checker.state is not None
    origin = value.span
    del checker.state[held_key(origin)]
    checker.with_held.add(origin)
    body = checker.block(node.body)
    checker.with_held.discard(origin)
    if isinstance(value.type, NoneType):
        _end_section(checker, origin)
    var = tree.Var("%held", value.type, origin)
    return tree.WithAcquire(checker.span(node), var, value.value, value.release, body)
