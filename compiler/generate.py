"""Machine code of a whole module, or the diagnostics for functions that the machine has no room for."""

from __future__ import annotations

from pybpf.compiler.codegen import compile_function
from pybpf.compiler.codegen.frame import MAX_STACK, StackOverflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.codegen.machine import MFunction
    from pybpf.compiler.ir.function import Function, Module
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import Target

__all__ = ["generate"]

_LOOPS_SINCE = (5, 3)  # the verifier takes jumps that lead back: 2589726d12a1


def generate(
    module: Module,
    target: Target,
    observe: Callable[[str, Any], None] | None = None,
    skip: Collection[str] = (),
) -> list[MachineCode]:
    """The module's functions in order. Raises CompileError for all whose frame is too large, or with their callers'.

    `observe` is called with "selected" and each function before its registers are allocated, which changes it; then
    with "code" and its machine code. `skip` names those of CODE_PASSES to leave out.
    """
    if target.kernel < _LOOPS_SINCE:
        _check_loops(module, target)
    made: list[MachineCode] = []
    check = _watching(observe) if observe is not None else None
    refused: list[tuple[Function, StackOverflow]] = []
    for function in module.functions:
        try:
            made.append(compile_function(function, target.cpu, check, skip, target.kernel))
        except StackOverflow as error:
            refused.append((function, error))
    if refused:
        from pybpf.compiler.diagnostics.base import Report
        from pybpf.compiler.diagnostics.loops import StackTooLarge
        from pybpf.compiler.frontend.wording import header

        report = Report()
        for function, overflow in refused:
            assert function.span is not None
            largest = overflow.parts[0][0]
            kind = largest if largest[:1].isupper() else ""  # slots of structs are named after them
            span = header(function.span)
            report.add(
                StackTooLarge(
                    span, function.name, overflow.size, MAX_STACK, overflow.parts, kind, _largest_objects(function)
                )
            )
        report.raise_if_failed()
    if len(made) > 1:
        _check_chains(module, made)
    return made


def _watching(observe: Callable[[str, Any], None]) -> Callable[[MFunction], Callable[[MachineCode], None]]:
    def selected(function: MFunction) -> Callable[[MachineCode], None]:
        observe("selected", function)
        return lambda code: observe("code", code)

    return selected


def _check_loops(module: Module, target: Target) -> None:
    """Refuse the loops that are left, for kernels whose verifier takes none."""
    from pybpf.compiler.analysis.loops import loops
    from pybpf.compiler.diagnostics.base import Report
    from pybpf.compiler.diagnostics.helpers import TooNew

    since = ".".join(map(str, _LOOPS_SINCE))
    report = Report()
    for function in module.functions:
        for loop in loops(function):
            spans = [op.span for block in loop.body for op in block.ops if op.span is not None]
            assert function.span is not None
            span = min(spans, key=lambda span: span.line, default=function.span)
            report.add(TooNew(span, "a loop that is not unrolled", since, ".".join(map(str, target.kernel))))
    report.raise_if_failed()


def _largest_objects(function: Function) -> tuple[tuple[Span, int], ...]:
    """Where the objects that take most of a frame are made, and their sizes in bytes; in the order of the source."""
    from pybpf.compiler.ir.ops import SlotAddr

    found: dict[Any, Span] = {}
    for block in function.blocks:
        for op in block.ops:
            if isinstance(op, SlotAddr) and op.span is not None and op.slot.size >= 64:
                found.setdefault(op.slot, op.span)
    largest = sorted(found, key=lambda slot: -slot.size)[:3]
    made = {found[slot]: slot.size for slot in reversed(largest)}
    return tuple(sorted(made.items(), key=lambda item: (item[0].line, item[0].col)))


def _check_chains(module: Module, made: list[MachineCode]) -> None:
    """Refuse calls whose frames take too much stack together, or that are nested too deeply."""
    from pybpf.compiler.codegen.chains import chains_refused

    refused = chains_refused(made)
    if not refused:
        return
    from pybpf.compiler.diagnostics.base import Report
    from pybpf.compiler.diagnostics.subprograms import CallsTooDeep, StackOfCalls
    from pybpf.compiler.frontend.wording import header

    spans = {function.name: function.span for function in module.functions}
    report = Report()
    for chain in refused:
        span = spans[chain.frames[-1][0]]
        assert span is not None
        if chain.limit:
            report.add(StackOfCalls(header(span), chain.frames, chain.total, chain.limit))
        else:
            report.add(CallsTooDeep(header(span), tuple([name for name, _ in chain.frames])))
    report.raise_if_failed()
