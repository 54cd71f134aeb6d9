"""What every well-formed module satisfies: a module in, a list of problems out (none, if all is well).

The rules, with what depends on them:

    shape       one terminator a block, at its end; phis first, with one entry for each predecessor edge; nothing jumps
                to the entry; labels are unique; a branch has two different targets      (every walk over the function)
    values      an operand is a constant, a parameter, or the result of an operation that dominates the use
    kinds       addresses are made by addresses; a pointer is added to only by `ptradd`, compared only with a pointer
                or null, stored only whole; what was checked is accessed through its guard     (the verifier's rules)
    ranges      widths and sizes that the ISA has; 16-bit offsets; 64-bit constants; at most five arguments
    references  slots belong to the function; maps, globals and functions to the module

Unreachable blocks are allowed; passes make and remove them. The constant 0 is null wherever a pointer belongs (an
access through it can't be reached, and simplify.py ends the block there). A problem is a bug of the compiler, never
the user's.
"""

from __future__ import annotations

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.printer import Names, print_op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.ir.function import Block, Function, Module
    from pybpf.compiler.ir.ops import Op, Value
    from pybpf.compiler.schema.core import CoreFact

__all__ = ["IrError", "check", "check_function", "function_problems", "problems"]


class IrError(AssertionError):
    """The compiler made IR that is not well formed; the message lists all problems."""


def check(module: Module) -> None:
    """Raise IrError unless the module is well formed."""
    if found := problems(module):
        raise IrError("\n".join(["the IR is not well formed:", *found]))


def check_function(function: Function) -> None:
    """Raise IrError unless the function, taken by itself, is well formed."""
    if found := function_problems(function):
        raise IrError("\n".join(["the IR is not well formed:", *found]))


def problems(module: Module) -> list[str]:
    """All problems of the module, in order of appearance."""
    found = []
    symbols = [m.name for m in module.maps] + [g.name for g in module.globals] + [f.name for f in module.functions]
    for name in sorted({s for s in symbols if symbols.count(s) > 1}):
        found.append(f"symbol {name} is defined twice")
    for function in module.functions:
        found += function_problems(function, module)
    return found


def function_problems(function: Function, module: Module | None = None) -> list[str]:
    """All problems of one function; references to the module's symbols are checked if it is given."""
    checker = _Checker(function, module)
    checker.check_shape()
    if not checker.found:  # a function without shape can't be walked
        checker.check_ops()
    return checker.found


class _Checker:
    def __init__(self, function: Function, module: Module | None) -> None:
        self.function = function
        self.module = module
        self.found: list[str] = []

    def problem(self, what: str, block: Block | None = None, op: Op | None = None) -> None:
        where = self.function.name
        if block is not None:
            where += f" @{block.label}"
        if op is not None:
            where += f": {print_op(op, self.names)}"
        self.found.append(f"{where}: {what}")

    # shape

    def check_shape(self) -> None:
        self.names = Names(self.function)
        function = self.function
        for n, param in enumerate(function.params):
            if param.index != n or n > 4 or param.kind not in ("int", "ptr"):
                self.problem(f"parameter {n} has index {param.index} and kind {param.kind}")
        for n, slot in enumerate(function.slots):
            if slot.size <= 0 or slot.align not in (1, 2, 4, 8):
                self.problem(f"slot {slot.name} has size {slot.size} and alignment {slot.align}")
            if slot in function.slots[:n]:
                self.problem(f"slot {slot.name} is listed twice")
        if not function.blocks:
            self.problem("no blocks")
        known = set(function.blocks)
        labels: set[str] = set()
        seen: set[Op] = set()
        for block in function.blocks:
            if block.label in labels:
                self.problem("two blocks have this label", block)
            labels.add(block.label)
            if not block.ops or not block.ops[-1].terminator:
                self.problem("does not end with a terminator", block)
            for op in block.ops[:-1]:
                if op.terminator:
                    self.problem("terminator before the end of the block", block, op)
            for op in block.ops:
                if op in seen:
                    self.problem("stands in two places", block, op)
                seen.add(op)
                for target in op.targets():
                    if target not in known:
                        self.problem("target is not a block of this function", block, op)
                    if target is function.blocks[0]:
                        self.problem("jumps to the entry", block, op)
                if (type(op) is ops.Branch or type(op) is ops.MayGoto) and op.then is op.other:
                    self.problem("both targets are the same block", block, op)
        if not self.found:
            self.check_phis()

    def check_phis(self) -> None:
        before = self.function.predecessors()
        for block in self.function.blocks:
            count = len(block.phis())
            for op in block.ops[count:]:
                if type(op) is ops.Phi:
                    self.problem("phi after another operation", block, op)
            want = [b.label for b in before[block]]
            for phi in block.phis():
                have = [b.label for b, _ in phi.incoming]
                if sorted(have) != sorted(want) or {b for b, _ in phi.incoming} != set(before[block]):
                    self.problem(f"phi has entries for {_all(have)}; the predecessors are {_all(want)}", block, phi)

    # operations

    def check_ops(self) -> None:
        tree = dominators(self.function)
        place: dict[Value, tuple[Block, int]] = {}
        for block in self.function.blocks:
            for n, op in enumerate(block.ops):
                place[op] = (block, n)
        # what is always valid may come to have a guard, where a phi of it turns out to be nothing else
        valid = (ops.SlotAddr, ops.GlobalAddr)
        guards = [op for op in self.function.ops() if type(op) is ops.Guard]
        guarded: set[Value | None] = {op.value for op in guards if type(op.value) not in valid}
        params = set(self.function.params)
        for block in self.function.blocks:
            for n, op in enumerate(block.ops):
                if type(op) is ops.Phi:
                    uses = [(value, source, len(source.ops)) for source, value in op.incoming]
                else:
                    uses = [(value, block, n) for value in op.args()]
                for value, at, index in uses:
                    if problem := self.bad_use(value, at, index, place, params, tree):
                        self.problem(problem, block, op)
                if rule := _RULES.get(type(op)):
                    for problem in rule(self, op):
                        self.problem(problem, block, op)
                else:
                    self.problem(f"{type(op).__name__} is not an operation", block)
                addr = op.args()[0] if type(op) in (ops.Load, ops.Store, ops.Atomic) else None
                if addr in guarded and type(addr) is not ops.Guard:
                    self.problem("accesses a value that has a guard, but not through the guard", block, op)

    def bad_use(
        self, value: Any, at: Block, index: int, place: dict[Value, tuple[Block, int]], params: set[Any], tree: Any
    ) -> str:
        if type(value) is ops.Const:
            return "" if -(1 << 63) <= value.value < 1 << 63 else f"constant {value.value} is out of range"
        if value in params:
            return ""
        if value not in place:
            return f"operand {self.names.value(value)} is not defined in this function"
        if value.kind == "void" or (type(value) is ops.Atomic and not value.fetch):
            return f"operand has no result: {print_op(value, self.names)}"
        block, n = place[value]
        if at not in tree.first or (block is at and n < index):
            return ""
        if block not in tree.first or block is at or not tree.dominates(block, at):
            return f"operand {self.names.value(value)} is not defined on every way here"
        return ""


def _all(labels: list[str]) -> str:
    return ", ".join(f"@{label}" for label in labels) or "none"


def _is_null(value: Value) -> bool:
    return type(value) is ops.Const and value.value == 0


def _int(*values: Value) -> list[str]:
    return ["a pointer where an int belongs" for v in values if v.kind == "ptr"]


def _ptr(*values: Value) -> list[str]:
    return ["an int where a pointer belongs" for v in values if v.kind != "ptr" and not _is_null(v)]


def _one_of(what: str, value: object, choices: tuple[object, ...]) -> list[str]:
    return [] if value in choices else [f"{what} is {value}"]


def _offset(offset: int) -> list[str]:
    return [] if -(1 << 15) <= offset < 1 << 15 else [f"offset {offset} does not fit 16 bits"]


def _phi(_: _Checker, op: ops.Phi) -> list[str]:
    found = _one_of("kind", op.kind, ("int", "ptr"))
    for value in op.args():
        if op.kind == "int":
            found += _int(value)
        else:
            found += _ptr(value)
    return found


def _binary(_: _Checker, op: ops.Binary) -> list[str]:
    found = _one_of("operator", op.op, ops.BINARY) + _one_of("width", op.width, (32, 64))
    if op.op == "sub" and op.width == 64 and op.lhs.kind == op.rhs.kind == "ptr":
        return found
    return found + _int(op.lhs, op.rhs)


def _compare(_: _Checker, op: ops.Cmp | ops.Branch) -> list[str]:
    found = _one_of("predicate", op.pred, ops.PREDICATES) + _one_of("width", op.width, (32, 64))
    kinds = {v.kind for v in (op.lhs, op.rhs) if not _is_null(v)}
    if "ptr" not in kinds:
        return found
    if len(kinds) > 1:
        found.append("compares a pointer with an int")
    if op.width != 64 or op.pred == "set" or op.pred[0] == "s":
        found.append("pointers are compared unsigned, at width 64")
    return found


def _ptradd(_: _Checker, op: ops.PtrAdd) -> list[str]:
    return _ptr(op.base) + _int(op.offset)


def _extend(_: _Checker, op: ops.Extend) -> list[str]:
    return _int(op.value) + _one_of("size", op.bits, (8, 16, 32))


def _swap(_: _Checker, op: ops.Swap) -> list[str]:
    return _int(op.value) + _one_of("size", op.bits, (16, 32, 64))


def _guard(_: _Checker, op: ops.Guard) -> list[str]:
    found = _one_of("kind", op.kind, ("int", "ptr"))
    if op.kind != op.value.kind and not _is_null(op.value):
        found.append(f"guards a value of kind {op.value.kind} as {op.kind}")
    return found


def _load(_: _Checker, op: ops.Load) -> list[str]:
    found = _ptr(op.addr) + _one_of("size", op.bits, (8, 16, 32, 64)) + _offset(op.offset)
    found += _one_of("kind", op.kind, ("int", "ptr"))
    if op.kind == "ptr" and (op.signed or op.bits < 32):
        found.append("a pointer is loaded unsigned, from 32 or 64 bits")
    if op.constant and type(op.addr) is ops.SlotAddr:
        found.append("a stack slot is not constant")
    if op.core is not None:
        found += _core_problems(op.core, range(1))
        if op.core.value != op.offset:
            found.append("the offset is not that of the relocation")
    return found


def _core_problems(fact: CoreFact, kinds: range) -> list[str]:
    return [] if fact.kind in kinds else [f"a fact of kind {fact.kind}"]


def _relocated(_: _Checker, op: ops.Relocated) -> list[str]:
    value = op.fact.value
    found = _core_problems(op.fact, range(13))
    return found if -(1 << 63) <= value < 1 << 64 else [*found, f"the value {value}"]


def _store(_: _Checker, op: ops.Store) -> list[str]:
    found = _ptr(op.addr) + _one_of("size", op.bits, (8, 16, 32, 64)) + _offset(op.offset)
    if op.value.kind == "ptr" and op.bits != 64:
        found.append("a pointer is stored whole")
    return found


def _atomic(_: _Checker, op: ops.Atomic) -> list[str]:
    found = _ptr(op.addr) + _int(*op.args()[1:]) + _one_of("size", op.bits, (32, 64)) + _offset(op.offset)
    found += _one_of("operator", op.op, ("add", "and", "or", "xor", "xchg", "cmpxchg"))
    if (op.op == "cmpxchg") != (op.expected is not None):
        found.append("cmpxchg, and nothing else, has an expected value")
    if op.op in ("xchg", "cmpxchg") and not op.fetch:
        found.append(f"{op.op} always fetches")
    return found


def _slotaddr(checker: _Checker, op: ops.SlotAddr) -> list[str]:
    return [] if op.slot in checker.function.slots else ["the slot is not one of this function's"]


def _symbol(table: str) -> Callable[[_Checker, Any], list[str]]:
    def rule(checker: _Checker, op: Any) -> list[str]:
        if checker.module is None or any(s.name == op.symbol for s in getattr(checker.module, table)):
            return []
        return [f"{op.symbol} is not one of the module's {table}"]

    return rule


def _funcaddr(checker: _Checker, op: ops.FuncAddr) -> list[str]:
    if checker.module is None:
        return []
    for function in checker.module.functions:
        if function.name == op.symbol:
            return [] if function.static else ["the address of a function that is not static is taken"]
    return [f"{op.symbol} is not one of the module's functions"]


def _arguments(op: ops.Call | ops.CallHelper | ops.CallKernel) -> list[str]:
    found = _one_of("kind", op.kind, ("int", "ptr", "void"))
    return found if len(op.arguments) <= 5 else [*found, f"{len(op.arguments)} arguments"]


def _helper(_: _Checker, op: ops.CallHelper) -> list[str]:
    return _arguments(op) if op.id > 0 else [*_arguments(op), f"helper number {op.id}"]


def _asm(_: _Checker, op: ops.Asm) -> list[str]:
    from pybpf.compiler.isa.asm import AsmError
    from pybpf.compiler.isa.effects import OPERAND
    from pybpf.compiler.isa.inline import read_inline

    found = _one_of("kind", op.kind, ("int", "void"))
    operands = {str(number): OPERAND + number for number in range(len(op.inputs) + 1)}
    if op.kind == "void":
        del operands["0"]
    try:
        read_inline(op.text, operands, op.kind != "void")
    except AsmError as error:
        found.append(f"asm: {error}")
    return found


def _call(checker: _Checker, op: ops.Call) -> list[str]:
    found = _arguments(op)
    if checker.module is None:
        return found
    for function in checker.module.functions:
        if function.name == op.function:
            kinds = [p.kind for p in function.params]
            given = [p.kind if _is_null(a) else a.kind for p, a in zip(function.params, op.arguments)]
            if len(op.arguments) != len(kinds) or kinds != given:
                found.append(f"{op.function} takes ({', '.join(kinds)})")
            return found
    return [*found, f"{op.function} is not one of the module's functions"]


def _return(checker: _Checker, op: ops.Return) -> list[str]:
    return [] if checker.function.section == ".text" else _int(op.value)


_RULES: dict[type, Callable[[_Checker, Any], list[str]]] = {
    ops.Phi: _phi,
    ops.Binary: _binary,
    ops.PtrAdd: _ptradd,
    ops.Extend: _extend,
    ops.Swap: _swap,
    ops.Cmp: _compare,
    ops.Guard: _guard,
    ops.Load: _load,
    ops.Relocated: _relocated,
    ops.ToInt: lambda checker, op: _ptr(op.value),
    ops.ArenaCast: lambda checker, op: _int(op.value),
    ops.Store: _store,
    ops.Atomic: _atomic,
    ops.SlotAddr: _slotaddr,
    ops.MapAddr: _symbol("maps"),
    ops.GlobalAddr: _symbol("globals"),
    ops.ExternAddr: _symbol("globals"),
    ops.FuncAddr: _funcaddr,
    ops.CallHelper: _helper,
    ops.Call: _call,
    ops.CallKernel: lambda checker, op: _arguments(op),
    ops.Asm: _asm,
    ops.Jump: lambda checker, op: [],
    ops.Branch: _compare,
    ops.Hide: lambda checker, op: _int(*op.args()),
    ops.MayGoto: lambda checker, op: [],
    ops.Return: _return,
    ops.Unreachable: lambda checker, op: [],
}
