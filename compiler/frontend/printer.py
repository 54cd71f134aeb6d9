"""The typed tree as text (`--emit tree`): the same tree always gives the same text. In: Typed. Out: lines.

Types follow a colon where they can't be seen from the operands: `(a + 1:u64):u64`. References are written
`&Struct@space`. Inlined functions stand after the program that calls them, once each.
"""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import NoneType, OptionalType, PtrType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.schema.types import Type

__all__ = ["print_tree"]


def print_tree(typed: tree.Typed) -> str:
    """All of it."""
    lines: list[str] = []
    for spec in typed.maps:
        types = ", ".join([str(t) for t in (spec.key, spec.value) if t is not None])
        lines.append(f"map {spec.name}: {spec.kind.name}[{types}] x {spec.max_entries}")
    for var in typed.globals:
        lines.append(f"{'const' if var.constant else 'var'} {var.name}: {var.type} = {var.init.hex() or '-'}")
    for program in typed.programs:
        lines += ["", *_Printer().program(program)]
    for subprogram in typed.subprograms:
        lines += ["", *_Printer().subprogram(subprogram)]
    return "\n".join(lines).strip("\n") + "\n"


def _type(kind: Type) -> str:
    if isinstance(kind, OptionalType):
        return f"{_type(kind.inner)}?"
    if isinstance(kind, PtrType):
        return f"&{kind.pointee if kind.pointee is not None else ''}@{kind.space}"
    return str(kind)


def _bound(node: tree.While | tree.ForRange) -> str:
    return f"  # by {node.bound}" if node.bound else ""


class _Printer:
    """Prints one program or subprogram and the functions inlined there; two functions of one name get a number."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[tree.Function, str] = {}
        self.waiting: list[tree.Function] = []

    def program(self, program: tree.Program) -> list[str]:
        function = program.function
        self.names[function] = function.name
        arguments = ", ".join([f"{var.name}: {_type(var.type)} @{offset}" for var, offset in program.args])
        self.lines.append(f"program {function.name}({arguments}) -> {_type(function.result)}  # {program.spec.section}")
        return self.bodies(function)

    def subprogram(self, made: tree.Subprogram) -> list[str]:
        function = made.function
        self.names[function] = function.name
        parameters = ", ".join(["ctx" if var is None else f"{var.name}: {_type(var.type)}" for var in made.params])
        kind = "static" if made.static else "global"
        self.lines.append(f"{kind} subprogram {made.name}({parameters}) -> {_type(function.result)}")
        return self.bodies(function)

    def bodies(self, function: tree.Function) -> list[str]:
        """The body, and those of functions inlined there."""
        self.block(function.body, 1)
        while self.waiting:
            inner = self.waiting.pop(0)
            parameters = ", ".join([f"{var.name}: {_type(var.type)}" for var in inner.params])
            self.lines += ["", f"inline {self.names[inner]}({parameters}) -> {_type(inner.result)}"]
            self.block(inner.body, 1)
        return self.lines

    def name(self, function: tree.Function) -> str:
        if function not in self.names:
            same = sum(1 for f in self.names if f.name == function.name)
            self.names[function] = f"{function.name}#{same + 1}" if same else function.name
            self.waiting.append(function)
        return self.names[function]

    # --- statements

    def block(self, body: list[tree.Stmt], depth: int) -> None:
        if not body:
            self.lines.append("    " * depth + "pass")
        for statement in body:
            self.statement(statement, depth)

    def statement(self, node: tree.Stmt, depth: int) -> None:
        pad = "    " * depth
        write = self.lines.append
        match node:
            case tree.Assign():
                write(f"{pad}{node.var.name}: {_type(node.var.type)} = {self.expr(node.value)}")
            case tree.Store():
                write(f"{pad}store {self.expr(node.place)} = {self.expr(node.value)}")
            case tree.Update():
                how = "atomic " if node.atomic else ""
                write(f"{pad}{how}update {self.expr(node.place)} {node.op}= {self.expr(node.value)}")
            case tree.ExprStmt():
                write(f"{pad}{self.expr(node.value)}")
            case tree.If():
                write(f"{pad}if {self.expr(node.test)}:")
                self.block(node.body, depth + 1)
                self.orelse(node.orelse, depth)
            case tree.While():
                write(f"{pad}while {self.expr(node.test)}:{_bound(node)}")
                self.block(node.body, depth + 1)
                self.orelse(node.orelse, depth)
            case tree.ForRange():
                bounds = f"{self.expr(node.start)}, {self.expr(node.stop)}, {node.step}"
                write(f"{pad}for {node.var.name} in range({bounds}):{_bound(node)}")
                self.block(node.body, depth + 1)
                self.orelse(node.orelse, depth)
            case tree.WithAcquire():
                write(f"{pad}with {self.expr(node.acquire)} as {node.var.name}:  # {node.release.name}")
                self.block(node.body, depth + 1)
            case tree.ForMap():
                names = ", ".join([var.name for var in (node.key, node.value) if var is not None])
                what = "items" if node.key and node.value else "keys" if node.key else "values"
                write(f"{pad}for {names} in {node.map.name}.{what}():")
                self.block(node.body, depth + 1)
                self.orelse(node.orelse, depth)
            case tree.ForEach():
                write(f"{pad}for {node.var.name} in {self.call(node.iterator.name, *node.args)}:")
                self.block(node.body, depth + 1)
                self.orelse(node.orelse, depth)
            case tree.ForHelper():
                write(f"{pad}for {node.var.name} in {self.call(node.helper.name, *node.args)}:")
                self.block(node.body, depth + 1)
                self.orelse(node.orelse, depth)
            case tree.WithLock():
                write(f"{pad}with lock {self.expr(node.lock)}:")
                self.block(node.body, depth + 1)
            case tree.WithReserve():
                write(f"{pad}with {self.expr(node.reserve)} as {node.var.name}:")
                self.block(node.body, depth + 1)
            case tree.Return():
                write(f"{pad}return" + (f" {self.expr(node.value)}" if node.value is not None else ""))
            case tree.Break():
                write(f"{pad}break")
            case tree.Continue():
                write(f"{pad}continue")
            case _:
                raise AssertionError(f"a statement without a text: {node}")

    def orelse(self, body: list[tree.Stmt], depth: int) -> None:
        if body:
            self.lines.append("    " * depth + "else:")
            self.block(body, depth + 1)

    # --- expressions

    def expr(self, node: Any) -> str:
        if isinstance(node, MapSpec):
            return node.name
        return _EXPRESSIONS[type(node)](self, node)

    def call(self, name: str, *parts: Any) -> str:
        return f"{name}({', '.join([p if isinstance(p, str) else self.expr(p) for p in parts])})"

    def typed(self, text: str, node: tree.Expr) -> str:
        return text if isinstance(node.type, NoneType) else f"{text}:{_type(node.type)}"

    def infix(self, lhs: tree.Expr, op: str, rhs: tree.Expr) -> str:
        return f"({self.expr(lhs)} {op} {self.expr(rhs)})"


def _new(p: _Printer, n: tree.New) -> str:
    fields = ", ".join([f"{field.name}={p.expr(value)}" for field, value in n.values])
    return f"new {n.type}({fields})"


def _kernel_place(p: _Printer, n: tree.KernelPlace) -> str:
    first = str(n.first) if isinstance(n.first, int) else p.expr(n.first)
    first = f"[{first}]" if first != "0" else ""
    steps = []
    for step in n.path:
        name = getattr(step, "name", None)
        steps.append(f".{name or '?'}" if name is not None else f"[{step if isinstance(step, int) else p.expr(step)}]")
    return f"{p.expr(n.base)}{first}{'->' if n.direct else '=>'}{''.join(steps)}:{_type(n.type)}"


def _container(p: _Printer, n: tree.KernelContainer) -> str:
    names = ".".join([str(getattr(step, "name", step)) for step in n.path])
    return p.typed(p.call("container_of", n.value, names), n)


def _timer(p: _Printer, n: tree.TimerCall) -> str:
    if n.callback is None or n.callback.function is None:
        return p.call("timer.cancel", n.timer)
    return p.call("timer.start", n.timer, n.map, n.delay, p.name(n.callback.function))


def _node_call(p: _Printer, n: tree.NodeCall) -> str:
    order = [p.name(n.less.function)] if n.less is not None and n.less.function is not None else []
    element = [n.element] if n.element is not None else []
    return p.typed(p.call(f"node {n.kfunc.name}", n.root, *element, *order), n)


def _let(p: _Printer, n: tree.Let) -> str:
    return f"(let {n.var.name}: {_type(n.var.type)} = {p.expr(n.value)} in {p.expr(n.body)})"


def _fill(p: _Printer, n: tree.Fill) -> str:
    return p.typed(p.call(f"fill {n.spec.name}", *n.args), n)


def _helper(p: _Printer, n: tree.HelperCall) -> str:
    return p.typed(p.call(f"helper {n.helper.name}", *n.args), n)


def _printk(p: _Printer, n: tree.Printk) -> str:
    name = "printk" if n.file is None else "seq_printf"
    return p.call(name, ascii(n.format.decode("ascii", "replace")), *n.args)


def _function(p: _Printer, n: tree.FuncCall) -> str:
    return p.typed(p.call(f"call {p.name(n.function)}", *n.args), n)


_EXPRESSIONS: dict[type, Callable[[_Printer, Any], str]] = {
    tree.Const: lambda p, n: f"{n.value}:{n.type}",
    tree.NoneValue: lambda p, n: f"None:{_type(n.type)}" if not isinstance(n.type, NoneType) else "None",
    tree.TextConst: lambda p, n: f"{n.value.rstrip(bytes(1))!r}:{_type(n.type)}",
    tree.Zero: lambda p, n: f"zero {_type(n.type)}",
    tree.New: _new,
    tree.Fill: _fill,
    tree.Local: lambda p, n: n.var.name,
    tree.Context: lambda p, n: "ctx",
    tree.CtxLoad: lambda p, n: f"ctx.{n.field.name}:{_type(n.type)}",
    tree.Global: lambda p, n: f"global {n.spec.name}",
    tree.Field: lambda p, n: f"{p.expr(n.base)}.{n.field.name}:{_type(n.type)}",
    tree.Slice: lambda p, n: f"{p.expr(n.base)}[{p.expr(n.start)}:]:{_type(n.type)}",
    tree.Copy: lambda p, n: p.call("copy", n.value),
    tree.Index: lambda p, n: f"{p.expr(n.base)}[{p.expr(n.index)}]:{_type(n.type)}",
    tree.KernelContainer: _container,
    tree.KernelFact: lambda p, n: p.typed(f"core {n.fact.kind} {n.fact.type} {n.fact.access}", n),
    tree.KernelPlace: _kernel_place,
    tree.Unary: lambda p, n: p.typed(f"({n.op}{p.expr(n.value)})", n),
    tree.Binary: lambda p, n: p.typed(p.infix(n.lhs, n.op, n.rhs), n),
    tree.Compare: lambda p, n: p.infix(n.lhs, n.op, n.rhs),
    tree.TextCompare: lambda p, n: p.infix(n.lhs, "==" if n.equal else "!=", n.rhs),
    tree.Truth: lambda p, n: p.call("truth", n.value),
    tree.Not: lambda p, n: f"not {p.expr(n.value)}",
    tree.And: lambda p, n: p.infix(n.lhs, "and", n.rhs),
    tree.Or: lambda p, n: p.infix(n.lhs, "or", n.rhs),
    tree.IfExp: lambda p, n: f"({p.expr(n.then)} if {p.expr(n.test)} else {p.expr(n.other)})",
    tree.Let: _let,
    tree.Convert: lambda p, n: p.call(_type(n.type), n.value),
    tree.IsNone: lambda p, n: p.call("is_none", n.value),
    tree.Wrap: lambda p, n: p.call("some", n.value),
    tree.Unwrap: lambda p, n: f"{p.expr(n.value)}!",
    tree.Within: lambda p, n: p.expr(n.value),
    tree.PtrOffset: lambda p, n: p.infix(n.base, "+bytes", n.offset),
    tree.Cast: lambda p, n: p.call(f"cast {_type(n.type)}", n.value),
    tree.HelperCall: _helper,
    tree.FuncCall: _function,
    tree.SubprogCall: lambda p, n: p.typed(p.call(f"call subprogram {n.subprogram.name}", *n.args), n),
    tree.TailCall: lambda p, n: p.call("tail call", n.map, n.context, n.index),
    tree.SubprogAddr: lambda p, n: f"address of {n.subprogram.name}",
    tree.Printk: _printk,
    tree.KfuncCall: lambda p, n: p.typed(p.call(f"kfunc {n.kfunc.name}", *n.args), n),
    tree.KfuncExists: lambda p, n: f"exists {n.kfunc.name}",
    tree.RodataText: lambda p, n: f"rodata {n.value!r}",
    tree.NewDynptr: lambda p, n: "Dynptr()",
    tree.DynptrSlice: lambda p, n: p.typed(p.call(n.call.name, n.dynptr, n.offset, str(n.size)), n),
    tree.Acquire: lambda p, n: p.call("acquire", n.value),
    tree.Release: lambda p, n: p.call("release", n.value),
    tree.Asm: lambda p, n: p.typed(p.call(f"asm {n.text!r}", *n.args), n),
    tree.Allocate: lambda p, n: p.call("allocate", n.initial),
    tree.KptrLoad: lambda p, n: p.typed(p.call("kept", n.place), n),
    tree.KptrStore: lambda p, n: p.call("keep", n.place, n.value),
    tree.NodeCall: _node_call,
    tree.TimerCall: _timer,
    tree.Atomic: lambda p, n: p.typed(
        p.call(f"atomic {n.op}", n.place, *[v for v in (n.expected, n.value) if v is not None]), n
    ),
    tree.MapGet: lambda p, n: p.typed(p.call("map.get", n.map, n.key), n),
    tree.MapIndex: lambda p, n: p.typed(p.call("map.slot", n.map, n.key), n),
    tree.MapContains: lambda p, n: p.call("map.has", n.map, n.key),
    tree.MapSet: lambda p, n: p.call("map.set", n.map, n.key, n.value, *([f"flags {n.flags}"] if n.flags else [])),
    tree.MapUpdate: lambda p, n: p.call("map.update", n.map, n.key, f"{n.op}=", n.value),
    tree.MapDelete: lambda p, n: p.call("map.delete", n.map, n.key),
    tree.MapPush: lambda p, n: p.typed(p.call("map.push", n.map, n.value), n),
    tree.MapTake: lambda p, n: p.typed(p.call("map.peek" if n.keeps else "map.pop", n.map), n),
    tree.MapPop: lambda p, n: p.typed(p.call("map.pop", n.map, n.key), n),
    tree.MapSetDefault: lambda p, n: p.typed(p.call("map.setdefault", n.map, n.key, n.value), n),
    tree.RingEmit: lambda p, n: p.call("ring.emit", n.map, n.value),
    tree.RingReserve: lambda p, n: p.typed(p.call("ring.reserve", n.map), n),
    tree.Discard: lambda p, n: p.call("discard", n.var.name),
}
