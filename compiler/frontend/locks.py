"""`with lock(value):` — the spin lock in a map's value is held in the block. In: the statement. Out: WithLock.

The verifier allows one lock at a time, and no call of a helper or of another function while it is held; whatever leaves
the block releases it.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import materialize, maybe_none
from pybpf.compiler.frontend.longloops import CALLBACK
from pybpf.compiler.frontend.reach import children
from pybpf.compiler.schema.types import OptionalType, PtrType, Space, StructType, opaque_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["check", "check_allowed", "locked"]

LOCK = "bpf_spin_lock"  # the struct in BTF that the kernel looks for

# What becomes a call, in the words of a message.
_CALLS: dict[type, str] = {
    tree.MapGet: "a map lookup", tree.MapContains: "a map lookup", tree.MapIndex: "a map lookup",
    tree.MapSet: "a map update", tree.MapUpdate: "a map update", tree.MapSetDefault: "a map update",
    tree.MapDelete: "a map deletion", tree.MapPop: "a map deletion", tree.MapPush: "a map update",
    tree.MapTake: "a map lookup", tree.RingEmit: "a ring buffer's call",
    tree.WithReserve: "a ring buffer's call", tree.WithAcquire: "a helper", tree.HelperCall: "a helper",
    tree.KfuncCall: "a function of the kernel", tree.SubprogCall: "a subprogram", tree.TailCall: "a tail call",
    tree.Printk: "printk",
    tree.Fill: "a helper", tree.ForMap: "a loop over a map",
    tree.ForEach: "a loop over an iterator", tree.ForHelper: "a helper", tree.DynptrSlice: "a helper",
    tree.Discard: "a ring buffer's call",
    tree.TimerCall: "a timer's call",
    tree.Allocate: "a function of the kernel",
}  # fmt: skip


def check_allowed(checker: Checker, spec: MapSpec, span: Span) -> None:
    """Refuse a map with a lock or a timer in programs that may not use it, wherever they name it.

    check_map_prog_compatibility() in kernel/bpf/verifier.c.
    """
    program = checker.session.program
    for name in opaque_in(spec.value):
        if name in ("kptr", "kptr_untrusted"):
            continue
        what = _NAMES.get(name, name)
        if program.prog_type in _TRACING or (name == LOCK and program.prog_type == "SOCKET_FILTER"):
            checker.fail(errors.OpaqueForbidden(span, spec.name, what, program.section.partition("/")[0]))
        if name == LOCK:
            checker.check_release("a spin lock", "5.1", span)
        if name == LOCK and program.sleepable:
            checker.check_release("a spin lock in a program that may sleep", "6.6", span)


_NAMES = {LOCK: "a SpinLock", "bpf_timer": "a Timer", "bpf_list_head": "a ListHead", "bpf_rb_root": "an RbRoot"}
_TRACING = ("KPROBE", "TRACEPOINT", "PERF_EVENT", "RAW_TRACEPOINT", "RAW_TRACEPOINT_WRITABLE")


def locked(checker: Checker, node: ast.With) -> list[tree.Stmt]:
    """`with lock(value): ...`"""
    [item] = node.items
    call: Any = item.context_expr
    where = checker.span(call)
    if item.optional_vars is not None:
        checker.fail(errors.LockAs(checker.span(item.optional_vars), checker.text(where)))
    if len(call.args) != 1 or call.keywords:
        takes = "takes a value of a map that has a SpinLock"
        checker.fail(errors.CallArguments(where, "lock()", takes, "lock(value)"))
    value = materialize(checker, checker.expr(call.args[0]))
    if isinstance(value.type, OptionalType):
        maybe_none(checker, value)
    struct = kinds.aggregate(value.type)
    text = checker.text(value.span)
    fields = [f for f in struct.fields if _is_lock(f.type)] if isinstance(struct, StructType) else []
    if not fields or not isinstance(value.type, PtrType):
        checker.fail(errors.NoLock(value.span, text, kinds.spell(value.type)))
    if value.type.space != Space.MAP:
        checker.fail(errors.LockOutsideMap(value.span, text, value.type.space))
    checker.session.locks = True
    held = tree.Field(PtrType(fields[0].type, Space.MAP), where, value, fields[0])
    checker.locked += 1
    body = checker.block(node.body)
    checker.locked -= 1
    if len(opaque_in(struct)) > 1:
        from pybpf.compiler.frontend.objects import forget

        forget(checker, Space.BORROWED, "the lock was given back at the end of the `with` block", where)
    return [tree.WithLock(checker.span(node), held, body)]


def _is_lock(kind: Any) -> bool:
    return isinstance(kind, StructType) and kind.opaque == LOCK


def check(function: tree.Function) -> list[Diagnostic]:
    """Calls in blocks that hold a lock, in a function and those inlined in it."""
    found: dict[Any, Diagnostic] = {}

    aliases: dict[tree.Var, Any] = {}  # what stands for the object that a variable refers to

    def visit(node: Any, lock: Any, at: Any) -> None:
        if isinstance(node, tree.Function):
            for statement in node.body:
                visit(statement, lock, at)
        if not isinstance(node, tree.Node):
            return
        if isinstance(node, tree.NodeCall):
            held = None if lock is None else _root(lock, aliases)
            if held is None or held is not _root(node.root, aliases):
                span = at or node.span
                found.setdefault(span, errors.NotLocked(span, node.kfunc.name, node.root.span, lock and lock.span))
            elif node.less is not None:
                visit(node.less.function, lock, None)
        if lock is not None:
            what = _call(node)
            if what:
                span = at or node.span  # type: ignore[attr-defined]
                found.setdefault(span, errors.CallWhileLocked(span, what, lock.span))
                return
        if isinstance(node, tree.WithLock):
            if lock is not None:
                span = at or node.lock.span
                found.setdefault(span, errors.LockInLock(span, lock.span))
                return
            for statement in node.body:
                visit(statement, node.lock, None)
            return
        if isinstance(node, tree.FuncCall) and lock is not None:
            at = at or node.span
        if isinstance(node, tree.FuncCall):
            aliases.update({var: _root(arg, aliases) for var, arg in zip(node.function.params, node.args)})
        for child in children(node):
            visit(child, lock, at)
        if isinstance(node, tree.Assign):
            aliases[node.var] = _root(node.value, aliases)

    visit(function, None, None)
    return list(found.values())


def _root(node: tree.Expr, aliases: dict[tree.Var, Any]) -> Any:
    """What stands for the object that a place lies in: a variable, or where it was found."""
    while isinstance(node, (tree.Field, tree.Index, tree.Unwrap, tree.Wrap, tree.Cast)):
        node = node.value if isinstance(node, (tree.Unwrap, tree.Wrap, tree.Cast)) else node.base
    return aliases.get(node.var, node.var) if isinstance(node, tree.Local) else node


def _call(node: Any) -> str:
    """What call a node becomes; "" for none."""
    what = _CALLS.get(type(node), "")
    if isinstance(node, tree.KfuncCall) and "locked" in node.kfunc.flags:
        return ""
    if not what and isinstance(node, (tree.Field, tree.Index, tree.KernelPlace)):
        base = node.base.type
        if isinstance(base, PtrType) and base.space in (Space.KERNEL, Space.USER):
            what = "a read of kernel or user memory"
    if not what and getattr(node, "bound", "") == CALLBACK:
        what = "this loop, whose body becomes a function,"
    return what
