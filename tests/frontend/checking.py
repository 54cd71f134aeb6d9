"""Checks pieces of programs: source text in, codes of diagnostics or the text of the typed tree out.

The text is kept in `linecache` as that of an interactive cell, so no file is written.
"""

from __future__ import annotations

import itertools
import linecache
import textwrap
from typing import TYPE_CHECKING, Any

from pybpf.compiler.diagnostics.base import CompileError
from pybpf.compiler.frontend import check, parse
from pybpf.compiler.frontend.printer import print_tree
from pybpf.compiler.schema.specs import Target
from pybpf.program import Program

if TYPE_CHECKING:
    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.schema.specs import ProgramSpec

PRELUDE = """\
from pybpf import (
    XDP, ArrayMap, Array, Bytes, fetch_add, HashMap, L, PerCpuArray, PerCpuHash, ProgArray, RingBuffer, Struct, Text,
    TracepointContext, XdpContext, be16, be32, comm, const, cpu, helpers, i8, i16, i32, i64, ktime, pid, printk, raw_tp,
    sizeof, subprog, tid, tracepoint, u8, u16, u32, u64, user_str, var, xdp,
)
from pybpf.net import ethhdr, iphdr


class Inner(Struct):
    a: u32
    b: i16
class Rec(Struct):
    n: u32
    big: u64
    inner: Inner
    arr: Array[u16, L[8]]
    name: Text[L[16]]
    flag: bool
    raw: Bytes[L[4]]
    def twice(self):
        return self.n * 2
    @property
    def half(self):
        return self.n // 2
    @staticmethod
    def seven():
        return 7
class One(Struct):
    n: u32
table = HashMap[u32, u64](max_entries=64)
deltas = HashMap[u32, i64](max_entries=64)
recs = HashMap[u32, Rec](max_entries=64)
ones = HashMap[u32, One](max_entries=64)
slots = ArrayMap[u64](16)
percpu = PerCpuArray[u64](16)
ring = RingBuffer[One](4096)
total = var(u64, 0)
limit = const(u32, 10)
PORTS = (22, 80, 443)
NAME = "bash"
"""

_numbers = itertools.count()


def programs(text: str) -> list[ProgramSpec]:
    """The programs that a module of this text, after the prelude, declares."""
    whole = PRELUDE + textwrap.dedent(text)
    name = f"<checked {next(_numbers)}>"
    linecache.cache[name] = (len(whole), None, whole.splitlines(keepends=True), name)
    module: dict[str, Any] = {"__name__": "checked"}
    exec(compile(whole, name, "exec", dont_inherit=True), module)
    return [value.__bpf__ for value in module.values() if isinstance(value, Program)]


def body(text: str, params: str = "a: u64, b: u64") -> str:
    """A program whose function has this body."""
    return f'@raw_tp("sys_enter")\ndef probe({params}) -> None:\n' + textwrap.indent(textwrap.dedent(text), "    ")


def typed(text: str, kernel: tuple[int, int] = (6, 1)) -> tree.Typed:
    return check(parse(programs(text)), Target(kernel=kernel))


def diagnostics(text: str, kernel: tuple[int, int] = (6, 1)) -> list[Diagnostic]:
    """All that is said about a module."""
    try:
        return typed(text, kernel).warnings
    except CompileError as error:
        return error.diagnostics


def codes(text: str, params: str = "a: u64, b: u64", kernel: tuple[int, int] = (6, 1)) -> list[str]:
    """The codes of what is said about a function body, in source order."""
    return [d.code for d in diagnostics(body(text, params), kernel)]


def tree_of(text: str, params: str = "a: u64, b: u64") -> str:
    """The tree of a function body: the statements' lines, without indentation, then those of inlined functions."""
    lines = print_tree(typed(body(text, params))).split("program probe(", 1)[1].splitlines()[1:]
    return "\n".join(lines)
