"""Dynptrs: `d = Dynptr()`, the calls that make, use and release them, and slices of what they are about.

    d = Dynptr()                                          NewDynptr; of which kind the call below says
    helpers.bpf_dynptr_from_mem(entry, 64, 0, d)          the fact `@` and the place of Dynptr() says that it is filled
    header = d.data(Header)                               DynptrSlice: gone with the dynptr

A dynptr has no value: variables refer to its place on the stack, and nothing else may. The verifier's rules are those
of process_dynptr_func() in kernel/bpf/verifier.c. One of a ring-buffer record is a reference that must be released
(references.py). What a helper or a kernel function does with dynptrs is in its spec (`HelperSpec.dynptr`).
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import convert, materialize
from pybpf.compiler.frontend.flow import Fact, filled_key, held_key
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.frontend.measure import origins
from pybpf.compiler.frontend.moves import forget_packet, restart
from pybpf.compiler.schema.dynptrs import PACKETS, DynptrType, dynptr_in
from pybpf.compiler.schema.specs import HelperSpec
from pybpf.compiler.schema.types import (
    BOOL,
    I64,
    U32,
    U64,
    BytesType,
    OptionalType,
    PtrType,
    Space,
    Type,
    is_aggregate,
    opaque_in,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import KfuncSpec, MapSpec

    Spec = HelperSpec | KfuncSpec

__all__ = [
    "argument", "called", "check_filled", "check_memory", "check_moves", "method", "new", "raw_slice", "reserved",
]  # fmt: skip

_SLICES = ("data", "slice", "slice_rdwr")
_PACKET_KINDS = (*PACKETS, "")
# Programs that may write to packets, and so have slices to write to: may_access_direct_pkt_data() in the verifier.
_WRITERS = ("CGROUP_SOCKOPT", "LWT_XMIT", "SCHED_ACT", "SCHED_CLS", "SK_MSG", "SK_SKB", "XDP")


def new(checker: Checker, schema: DynptrType, node: ast.Call, span: Span) -> tree.Expr:
    """`Dynptr()`."""
    if node.args or node.keywords:
        checker.fail(errors.CallArguments(span, "Dynptr()", "takes no arguments", "Dynptr()"))
    assert checker.state is not None
    if held_key(span) in checker.state:
        checker.told.add(span)
        checker.fail(errors.AcquiredAgain(span, checker.text(span), checker.releases[span].name))
    checker.dynptrs.setdefault(span, "empty")
    checker.state.pop(filled_key(span), None)
    made = tree.NewDynptr(PtrType(schema.of(checker.dynptrs[span]), Space.STACK), span)
    checker.made(made)
    return made


# --- arguments


def argument(checker: Checker, spec: Spec, name: str, value: Value, fills: bool, before: list[Any]) -> tree.Expr:
    """A dynptr that a function takes. `fills`: it makes it; `before` are the arguments in front."""
    expr = materialize(checker, value)
    found = dynptr_in(expr.type)
    if found is None or not isinstance(expr.type, PtrType):
        checker.fail(errors.NotADynptr(expr.span, name, spec.name, checker.text(expr.span), kinds.spell(expr.type)))
    if fills:
        _check_empty(checker, spec, expr, before)
        return expr
    check_filled(checker, expr)
    kind = _kind(checker, expr)
    wanted = spec.dynptr[:-1] if spec.dynptr.endswith("+") else ""
    if wanted and kind not in (wanted, "empty"):
        text = checker.text(expr.span)
        checker.fail(errors.OtherDynptr(expr.span, spec.name, text, str(found), str(found.of(wanted))))
    return expr


def _kind(checker: Checker, expr: tree.Expr) -> str:
    """Of which kind a dynptr is; what a later call in this pass has told of it holds before the next pass too."""
    found = dynptr_in(expr.type)
    assert found is not None
    if found.kind == "empty":
        return next((checker.dynptrs[o] for o in origins(checker, expr) if o in checker.dynptrs), "empty")
    return found.kind


def check_filled(checker: Checker, expr: tree.Expr) -> None:
    """Refuse one that no call has made so far, on some way here."""
    state = checker.state
    assert state is not None
    for origin in sorted(origins(checker, expr), key=str):
        owner: Checker | None = checker
        while owner is not None and origin not in owner.dynptrs:  # it may be one of a function around this one
            owner = owner.enclosing
        fact = (owner.state or {}).get(filled_key(origin)) if owner is not None else None
        if owner is not None and (fact is None or not fact.assigned):
            checker.fail(errors.EmptyDynptr(expr.span, checker.text(expr.span), origin, fact is not None))


def _check_empty(checker: Checker, spec: Spec, expr: tree.Expr, before: list[Any]) -> None:
    """A dynptr to be made: one of Dynptr() in this function, which nothing was made of."""
    assert checker.state is not None
    found = sorted(origins(checker, expr), key=str)
    text = checker.text(expr.span)
    if len(found) != 1 or found[0] not in checker.dynptrs:
        checker.fail(errors.NoPlaceForDynptr(expr.span, spec.name, text))
    if filled_key(found[0]) in checker.state:
        checker.fail(errors.FullDynptr(expr.span, spec.name, text, checker.state[filled_key(found[0])].source))
    kind = spec.dynptr
    if kind == "clone":
        kind = _kind(checker, before[0])
    known = checker.dynptrs[found[0]]
    if known == "empty" and kind != known:
        checker.dynptrs[found[0]] = kind
        checker.changed = True
    elif known != kind:
        struct = dynptr_in(expr.type)
        assert struct is not None
        checker.fail(errors.OtherDynptr(expr.span, spec.name, text, str(struct.of(known)), str(struct.of(kind))))


def check_memory(checker: Checker, spec: Spec, memory: tree.Expr) -> None:
    """What bpf_dynptr_from_mem() takes: the verifier wants a value of a map, of which globals are some."""
    kind = memory.type
    assert isinstance(kind, PtrType)
    held = opaque_in(kind.pointee)
    if kind.space not in (Space.MAP, Space.PERCPU, Space.GLOBAL) or held:
        checker.fail(errors.DynptrMemory(memory.span, spec.name, checker.text(memory.span), kind.space, bool(held)))


# --- calls


def called(checker: Checker, call: tree.Expr, spec: Spec, arguments: list[Any]) -> tree.Expr:
    """A call that was checked, of a function that takes dynptrs."""
    dynptrs = [a for a in arguments if isinstance(a, tree.Expr) and dynptr_in(a.type) is not None]
    if not dynptrs:
        return call
    if spec.dynptr == "write" and check_moves(checker, dynptrs[0]):
        forget_packet(checker, f"{spec.name}()", call.span)
        return restart(checker, call)
    if not spec.dynptr or spec.dynptr.endswith("+") or spec.dynptr in ("write", *_SLICES):
        return call
    made = dynptrs[-1]
    [origin] = origins(checker, made)
    state = checker.state
    assert state is not None
    if spec.dynptr == "clone":  # gone with the other one
        _tie(checker, made, dynptrs[0])
    state[filled_key(origin)] = Fact(source=call.span)
    if spec.release is None:
        return call
    checker.releases[origin] = spec.release
    state[held_key(origin)] = Fact(source=origin)
    return tree.Acquire(call.type, origin, call, spec.release, made)


def _tie(checker: Checker, clone: tree.Expr, given: tree.Expr) -> None:
    """The variables that refer to a clone are gone when what it was made of is released."""
    from pybpf.compiler.schema.record import replace

    assert checker.state is not None
    more, own = origins(checker, given), origins(checker, clone)
    for name, fact in checker.state.items():
        if fact.origins & own:
            checker.state[name] = replace(fact, origins=fact.origins | more)


def check_moves(checker: Checker, dynptr: tree.Expr) -> bool:
    """Whether a write to the dynptr may move a packet, and so end what refers to it."""
    return _kind(checker, dynptr) in ("skb", "skb_meta", "")


def reserved(checker: Checker, spec: MapSpec, node: ast.Call, span: Span) -> tuple[list[tree.Stmt], tree.Expr]:
    """`events.reserve(size)` of a `with`: what goes before the block, and the dynptr of the record.

    The verifier wants a record that found no room released too: there always is a dynptr.
    """
    from pybpf.compiler.frontend.helpers import check_allowed

    if not node.args:
        checker.fail(errors.RecordsOfAnySize(span, spec.name))
    helper: HelperSpec = spec.helpers["reserve"]
    check_allowed(checker, helper, span)
    size = convert(checker, checker.expr(node.args[0]), U32, f"the size of {spec.name}.reserve()")
    kind = PtrType(spec.helpers["dynptr"].of("ringbuf"), Space.STACK)
    made = tree.NewDynptr(kind, span)
    var = checker.temporary(kind, made)
    place = tree.Local(kind, span, var)
    call = tree.HelperCall(I64, span, helper, (spec, size, tree.Const(U64, span, 0), place))
    first: list[tree.Stmt] = [tree.Assign(span, var, made), tree.ExprStmt(span, call)]
    if spec.lost is not None:
        full = tree.Compare(BOOL, span, "<", call, tree.Const(I64, span, 0))
        lost = tree.Global(spec.lost.type, span, spec.lost)
        more = tree.Update(span, lost, "+", tree.Const(U64, span, 1), atomic=True)
        first[1] = tree.If(span, full, [more])
    return first, place


# --- slices


def space_of(checker: Checker, dynptr: tree.Expr, call: str) -> str:
    """Where a slice lies, by the dynptr and the call."""
    if call == "slice":
        return Space.SLICE
    return {"ringbuf": Space.RINGBUF, **dict.fromkeys(PACKETS, Space.PACKET)}.get(_kind(checker, dynptr), Space.MAP)


def slice_of(
    checker: Checker, spec: Spec, dynptr: tree.Expr, offset: tree.Expr, kind: Type, buffer: tree.Expr | None, span: Span
) -> tree.Expr:
    """`kind` at an offset of what a dynptr is about, or None where it does not reach so far."""
    call, found = spec.dynptr, dynptr_in(dynptr.type)
    assert found is not None
    if call == "data" and _kind(checker, dynptr) in PACKETS:
        checker.fail(errors.NoDataOfPacket(dynptr.span, checker.text(dynptr.span), str(found)))
    if call == "slice_rdwr" and checker.session.program.prog_type not in _WRITERS:
        checker.fail(errors.NoSliceToWrite(span, checker.session.program.prog_type))
    result = OptionalType(PtrType(kind, space_of(checker, dynptr, call)))
    made = tree.DynptrSlice(result, span, spec, dynptr, offset, size_of(kind), buffer)
    checker.made(made)
    return made


def constant_size(checker: Checker, value: Value, what: str) -> int:
    """The size of a slice, which the verifier must know."""
    if isinstance(value, tree.Const):
        return value.value
    if not isinstance(value, Known) or isinstance(value.value, bool) or not isinstance(value.value, int):
        checker.fail(errors.NotConstant(value.span, checker.text(value.span), what))
    if not 0 < value.value < 1 << 20:
        checker.fail(errors.WrongType(value.span, str(value.value), "a size of at least one byte", what))
    return int(value.value)


def raw_slice(checker: Checker, spec: Spec, arguments: list[Any], size: Value, span: Span) -> tree.Expr:
    """A call of a function that gives a slice, under its own name: bytes of a constant size."""
    dynptr, offset = arguments[:2]
    length = constant_size(checker, size, f"the size of {spec.name}()")
    buffer = arguments[2] if len(arguments) > 2 else None
    if isinstance(buffer, tree.Const):
        buffer = None
    return slice_of(checker, spec, dynptr, offset, BytesType(length), buffer, span)


def method(checker: Checker, node: ast.Call, span: Span, name: str) -> tree.Expr:
    """`d.data(Header, 4)`, `d.slice(Header, 4)`, `d.slice_rdwr(Header, 4)`."""
    from pybpf.compiler.frontend.helpers import check_allowed
    from pybpf.compiler.frontend.kfuncs import check_kfunc

    receiver = materialize(checker, checker.expr(node.func.value))  # type: ignore[attr-defined]
    if name == "discard":
        from pybpf.compiler.frontend.reservation import discard

        if node.args or node.keywords:
            text = checker.text(checker.span(node.func))
            checker.fail(errors.CallArguments(span, "discard()", "takes no arguments", f"{text}()"))
        return discard(checker, receiver, span)
    found = dynptr_in(receiver.type)
    assert found is not None
    text = checker.text(receiver.span)
    spec: Any = getattr(found.owner, f"_{name}").__bpf__
    names = ["kind", "offset"]
    given: dict[str, Any] = {**dict(zip(names, node.args)), **{str(k.arg): k.value for k in node.keywords}}
    twice = len(given) < len(node.args) + len(node.keywords)
    if len(node.args) > 2 or twice or "kind" not in given or set(given) - set(names):
        takes = "takes the type of what is there, and its offset"
        checker.fail(errors.CallArguments(span, f"{text}.{name}()", takes, f"{text}.{name}(Header, 0)"))
    check_filled(checker, receiver)
    if isinstance(spec, HelperSpec):
        check_allowed(checker, spec, span)
    else:
        check_kfunc(checker, spec, span)
    said = checker.expr(given["kind"])
    kind = checker.schema(said) if isinstance(said, Known) and isinstance(said.value, type) else None
    if not isinstance(kind, Type) or not is_aggregate(kind) or opaque_in(kind):
        checker.fail(errors.SliceType(said.span, f"{text}.{name}()", checker.text(said.span)))
    offset: tree.Expr = tree.Const(U32, span, 0)
    if "offset" in given:
        offset = convert(checker, checker.expr(given["offset"]), U32, f"`offset` of {text}.{name}()")
    buffer = tree.Zero(PtrType(kind, Space.STACK), span) if name == "slice" else None
    return slice_of(checker, spec, receiver, offset, kind, buffer, span)
