"""Methods of maps that carry what happened: perf event arrays and stack traces. In: the call. Out: calls of helpers.

The map's spec brings the helpers behind its methods (MapSpec.helpers), so they are checked as any helper is. The
program's context, which these helpers want, is known to the compiler: the call does not name it.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import maps, tree
from pybpf.compiler.frontend.convert import convert, number
from pybpf.compiler.frontend.helpers import check_allowed
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import BOOL, I64, U32, U64, OptionalType, PtrType, Space, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend.methods import Call
    from pybpf.compiler.schema.specs import HelperSpec

__all__ = ["context", "perf_emit", "stack_id"]

_THIS_CPU = 0xFFFF_FFFF  # BPF_F_CURRENT_CPU: include/uapi/linux/bpf.h
_MOST_OF_PACKET = 0xF_FFFF  # BPF_F_CTXLEN_MASK: the same file
# Types of programs whose bpf_perf_event_output() takes bytes of the packet: net/core/filter.c, bpf_skb_event_output()
# and bpf_xdp_event_output().
_PACKETS = frozenset((
    "CGROUP_SKB", "LWT_IN", "LWT_OUT", "LWT_SEG6LOCAL", "LWT_XMIT", "SCHED_ACT", "SCHED_CLS", "SOCKET_FILTER", "XDP",
))  # fmt: skip

# Flags of bpf_get_stackid().
_SKIP, _USER, _REUSE = 0xFF, 1 << 8, 1 << 10


def context(call: Call) -> tree.Expr:
    """The program's context, for a helper."""
    return tree.Context(PtrType(None, Space.CTX), call.span)


def _helper(call: Call, method: str) -> HelperSpec:
    spec: HelperSpec = call.map.helpers[method]
    check_allowed(call.checker, spec, call.span)
    return spec


def perf_emit(call: Call) -> tree.Expr:
    """`samples.emit(event, packet=n)`: whether it was taken."""
    checker, span, spec = call.checker, call.span, _helper(call, "emit")
    assert call.map.value is not None
    value = maps.map_value(checker, call.map, call.value("event"))
    flags: tree.Expr = tree.Const(U64, span, _THIS_CPU)
    if "packet" in call.arguments:
        flags = _with_packet(call)
    # the event may be a number too, which is put on the stack as a map's value is
    data = replace(spec, args=tuple([replace(a, kind="value") if a.kind == "mem" else a for a in spec.args]))
    size = tree.Const(U64, span, size_of(call.map.value))
    done = tree.HelperCall(I64, span, data, (context(call), call.map, flags, value, size))
    return tree.Compare(BOOL, span, "==", done, tree.Const(I64, span, 0))


def _with_packet(call: Call) -> tree.Expr:
    """The flags, with the count of bytes in their upper half."""
    checker, program = call.checker, call.checker.session.program
    given = checker.expr(call.arguments["packet"])
    what, name = f"`packet` of {call.map.name}.emit()", call.map.name
    if program.prog_type not in _PACKETS:
        checker.fail(errors.NoPacketHere(given.span, name, program.prog_type))
    size = number(checker, given)
    lo, hi = (size, size) if isinstance(size, int) else range_of(checker, size)
    if lo < 0 or hi > _MOST_OF_PACKET:
        checker.fail(errors.TooMuchOfPacket(given.span, name, checker.text(given.span), _MOST_OF_PACKET))
    if isinstance(size, int):
        return tree.Const(U64, given.span, size << 32 | _THIS_CPU)
    wide = convert(checker, size, U64, what)
    upper = tree.Binary(U64, given.span, "<<", wide, tree.Const(U64, given.span, 32))
    return tree.Binary(U64, given.span, "|", upper, tree.Const(U64, given.span, _THIS_CPU))


def stack_id(call: Call) -> tree.Expr:
    """`stacks.id(user=True, skip=2)`: the number of the current stack, None where it could not be walked or kept."""
    checker, span, spec = call.checker, call.span, _helper(call, "id")
    flags = (_USER if call.switch("user") else 0) | (_REUSE if call.switch("reuse") else 0)
    if "skip" in call.arguments:
        skip = checker.expr(call.arguments["skip"])
        if not isinstance(skip, Known) or isinstance(skip.value, bool) or not isinstance(skip.value, int):
            checker.fail(errors.NotConstant(skip.span, checker.text(skip.span), "`skip`"))
        if not 0 <= skip.value <= _SKIP:
            wanted = f"a number from 0 to {_SKIP}"
            checker.fail(errors.WrongType(skip.span, str(int(skip.value)), wanted, f"`skip` of {call.map.name}.id()"))
        flags |= int(skip.value)
    walk = tree.HelperCall(I64, span, spec, (context(call), call.map, tree.Const(U64, span, flags)))
    var = checker.temporary(I64, walk)
    local = tree.Local(I64, span, var)
    kind = OptionalType(U32)
    failed = tree.Compare(BOOL, span, "<", local, tree.Const(I64, span, 0))
    found = tree.Wrap(kind, span, tree.Convert(U32, span, local))
    made = tree.Let(kind, span, var, walk, tree.IfExp(kind, span, failed, tree.NoneValue(kind, span), found))
    range_of(checker, made)
    return made
