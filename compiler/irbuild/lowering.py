"""Which function lowers which node of the typed tree. Modules of what is rare are imported when it is met."""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.ir.ops import Const
from pybpf.compiler.irbuild import aggregates, arithmetic, calls, statements
from pybpf.compiler.irbuild.builder import Builder, Tables, is_pair
from pybpf.compiler.later import later, module
from pybpf.compiler.schema.types import NoneType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.irbuild import conditions, maps, places
    from pybpf.compiler.irbuild.builder import Lowered
else:
    places = module("irbuild.places")
    maps = module("irbuild.maps")
    conditions = module("irbuild.conditions")

__all__ = ["TABLES"]


def _none(b: Builder, node: tree.NoneValue) -> Lowered:
    if isinstance(node.type, NoneType):
        return None
    return (Const(0), Const(0)) if is_pair(node.type) else Const(0)


def _wrap(b: Builder, node: tree.Wrap) -> Lowered:
    value = b.value(node.value)
    return (Const(1), value) if is_pair(node.type) else value


def _unwrap(b: Builder, node: tree.Unwrap) -> Lowered:
    return b.optional(node.value)[1] if is_pair(node.value.type) else places.unwrap_reference(b, node)


_EXPRESSIONS: dict[type, Callable[[Builder, Any], Lowered]] = {
    tree.Const: arithmetic.const,
    tree.NoneValue: _none,
    tree.TextConst: aggregates.make,
    tree.Zero: aggregates.make,
    tree.Copy: aggregates.make,
    tree.New: aggregates.make,
    tree.Fill: aggregates.make,
    tree.Local: lambda b, node: b.read(b.cells(node.var)),
    tree.Context: lambda b, node: b.context,
    tree.CtxLoad: places.ctx_load,
    tree.Global: places.read_place,
    tree.Field: places.read_place,
    tree.Index: places.read_place,
    tree.Slice: places.slice_reference,
    tree.KernelContainer: later("irbuild.kernelplaces", "kernel_container"),
    tree.KernelFact: later("irbuild.kernelplaces", "kernel_fact"),
    tree.KernelPlace: later("irbuild.kernelplaces", "kernel_place"),
    tree.MapIndex: places.read_place,
    tree.Unary: arithmetic.unary,
    tree.Binary: arithmetic.binary,
    tree.Convert: arithmetic.convert,
    tree.Compare: conditions.compare_value,
    tree.TextCompare: conditions.by_branches,
    tree.Truth: conditions.truth,
    tree.Not: conditions.negation,
    tree.And: conditions.by_branches,
    tree.Or: conditions.by_branches,
    tree.IfExp: conditions.if_exp,
    tree.Let: conditions.let,
    tree.IsNone: conditions.is_none,
    tree.Wrap: _wrap,
    tree.Unwrap: _unwrap,
    tree.Within: places.within,
    tree.PtrOffset: places.ptr_offset,
    tree.Cast: places.cast,
    tree.HelperCall: calls.helper_call,
    tree.FuncCall: calls.func_call,
    tree.SubprogCall: later("irbuild.subprograms", "subprog_call"),
    tree.SubprogAddr: later("irbuild.subprograms", "subprog_addr"),
    tree.TailCall: calls.tail_call,
    tree.Printk: calls.printk,
    tree.Asm: calls.asm,
    tree.KfuncCall: calls.kfunc_call,
    tree.KfuncExists: calls.kfunc_exists,
    tree.RodataText: calls.rodata_text,
    tree.NewDynptr: later("irbuild.dynptrs", "new_dynptr"),
    tree.DynptrSlice: later("irbuild.dynptrs", "dynptr_slice"),
    tree.Acquire: later("irbuild.references", "acquire"),
    tree.Release: later("irbuild.references", "release_call"),
    tree.Atomic: later("irbuild.atomics", "atomic"),
    tree.Allocate: later("irbuild.objects", "allocate"),
    tree.KptrLoad: later("irbuild.objects", "kptr_load"),
    tree.KptrStore: later("irbuild.objects", "kptr_store"),
    tree.NodeCall: later("irbuild.objects", "node_call"),
    tree.TimerCall: later("irbuild.timers", "timer_call"),
    tree.MapGet: maps.get,
    tree.MapContains: maps.contains,
    tree.MapSet: maps.set_item,
    tree.MapUpdate: maps.update,
    tree.MapDelete: maps.delete,
    tree.MapPop: maps.pop,
    tree.MapPush: later("irbuild.queues", "push"),
    tree.MapTake: later("irbuild.queues", "take"),
    tree.MapSetDefault: maps.set_default,
    tree.PerCpu: later("irbuild.percpu", "per_cpu"),
    tree.ArenaAlloc: later("irbuild.arenas", "alloc"),
    tree.ArenaFree: later("irbuild.arenas", "free"),
    tree.ArenaAddress: lambda b, node: b.value(node.value),
    tree.RingEmit: later("irbuild.ringbuf", "emit"),
    tree.Discard: later("irbuild.ringbuf", "discard"),
}

# Conditions that are better branches than numbers; any other BOOL is computed and compared with 0.
_CONDITIONS: dict[type, Callable[..., None]] = {
    tree.Const: conditions.branch_const,
    tree.Compare: conditions.branch_compare,
    tree.TextCompare: later("irbuild.texts", "branch_text"),
    tree.Truth: conditions.branch_truth,
    tree.Not: conditions.branch_not,
    tree.And: conditions.branch_and,
    tree.Or: conditions.branch_or,
    tree.IfExp: conditions.branch_ifexp,
    tree.Let: conditions.branch_let,
    tree.IsNone: conditions.branch_is_none,
    tree.FuncCall: calls.branch_call,
    tree.MapContains: maps.branch_contains,
}

_STATEMENTS: dict[type, Callable[[Builder, Any], None]] = {
    tree.Assign: statements.assign,
    tree.Store: places.store_statement,
    tree.Update: places.update_statement,
    tree.ExprStmt: statements.expression,
    tree.If: statements.if_,
    tree.While: later("irbuild.loops", "while_"),
    tree.ForRange: later("irbuild.loops", "for_range"),
    tree.ForMap: later("irbuild.mapwalk", "for_map"),
    tree.ForEach: later("irbuild.iterators", "for_each"),
    tree.ForHelper: later("irbuild.helperloops", "for_helper"),
    tree.Break: later("irbuild.loops", "break_"),
    tree.Continue: later("irbuild.loops", "continue_"),
    tree.Return: statements.return_,
    tree.WithLock: later("irbuild.locks", "with_lock"),
    tree.WithReserve: later("irbuild.ringbuf", "with_reserve"),
    tree.WithAcquire: later("irbuild.references", "with_acquire"),
}

TABLES = Tables(_EXPRESSIONS, _CONDITIONS, _STATEMENTS)
