"""What came with a kernel release is refused for older ones: hooks, maps and their flags, and parts of the language."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pybpf
from pybpf import (
    TC,
    ArrayMap,
    HashMap,
    LruHash,
    SpinLock,
    Struct,
    TcContext,
    build,
    const,
    helpers,
    lock,
    printk,
    subprog,
    tc,
    u32,
    u64,
    var,
)
from pybpf.compiler.diagnostics.base import CompileError
from pybpf.compiler.schema.specs import MapSpec, Target
from pybpf.compiler.schema.types import U32, U64
from pybpf.hooks.base import Hook
from pybpf.stdlib.mapkinds import FLAGS, KINDS
from pybpf.stdlib.sections import SECTIONS

if TYPE_CHECKING:
    from pybpf.compiler.schema.specs import ContextSpec
    from pybpf.program import Program


def release(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def before(text: str) -> tuple[int, int]:
    """The release before, as far as a target can tell: 4.19 before 4.20, 5.99 before 6.0."""
    major, minor = release(text)
    return (major, minor - 1) if minor else (major - 1, 99)


def needs(program: Program[..., Any], kernel: tuple[int, int]) -> set[str]:
    """The releases that a program says it needs, where it is compiled for a kernel."""
    try:
        build(program, target=Target(kernel=kernel))
    except CompileError as error:
        return {d.since for d in error.diagnostics if d.code == "E0626"}  # type: ignore[attr-defined]
    return set()


class Bare(Hook):
    """Any section, without a context."""

    def context(self, function: Any) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        return None, "", ()


def nothing() -> int:
    return 0


@pytest.mark.parametrize("pattern", [pattern for pattern in SECTIONS if not pattern.startswith("struct_ops")])
def test_hooks(pattern: str) -> None:
    since = SECTIONS[pattern][3]
    program = Bare("bare", pattern, "target" if pattern.endswith("+") else "", {})(nothing)
    assert needs(program, before(since)) == {since}
    assert needs(program, release(since)) == set()


@pytest.mark.parametrize("module", ["cgroups", "sockets", "packets"])
def test_what_decorators_say(module: str) -> None:
    """The release in a decorator's documentation is that of the table."""
    found = 0
    source = (Path(pybpf.__file__).parent / "hooks" / f"{module}.py").read_text()
    for name, said in re.findall(r'def (\w+)\(self\)[^"]*"""[^"]*Linux (\d\.\d+)\.', source):
        for begin in ("cgroup", "cgroup_skb", "sk_skb", "sk_reuseport", "xdp"):
            row = SECTIONS.get(f"{begin}/{name}")
            assert row is None or row[3] == said, name
            found += row is not None
    assert found


class Table:
    """A map of any kind, by its kind alone."""

    def __init__(self, name: str) -> None:
        self.__bpf__ = MapSpec("table", KINDS[name], U32, U64, 4)


@pytest.mark.parametrize("name", KINDS)
def test_maps(name: str) -> None:
    table: Any = Table(name)

    @tc
    def program(ctx: TcContext) -> TC:
        helpers.bpf_map_delete_elem(table, u32(0))
        return TC.OK

    since = KINDS[name].since
    assert since in needs(program, before(since))
    assert since not in needs(program, release(since))


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag not in ("inner_map",)])
def test_flags_of_maps(flag: str) -> None:
    made: Any = {"no_common_lru": LruHash, "mmapable": ArrayMap}.get(flag, HashMap)
    options: Any = {flag: 0 if flag == "numa_node" else True}
    arguments: Any = (u64,) if flag == "mmapable" else (u32, u64)
    table: Any = made[arguments](max_entries=4, name="table", **options)

    @tc
    def program(ctx: TcContext) -> TC:
        value = table.get(0)
        return TC.OK if value is None else TC.SHOT

    since = FLAGS[flag][1]
    assert since in needs(program, before(since))
    assert since not in needs(program, release(since))


class Locked(Struct):
    lock: SpinLock = SpinLock()
    count: u64 = 0


locked = HashMap[u32, Locked](max_entries=4)
total = var(u64)
limit = const(u64, 5)


@subprog
def doubled(n: u64) -> u64:
    return n * 2


@subprog(global_=True)
def counted(value: Locked | None) -> u64:
    return value.count if value is not None else 0


@tc
def locks(ctx: TcContext) -> TC:
    value = locked.get(0)
    if value is not None:
        with lock(value):
            value.count += 1
    return TC.OK


@tc
def keeps(ctx: TcContext) -> TC:
    global total
    total = ctx.len
    return TC.OK


@tc
def compares(ctx: TcContext) -> TC:
    return TC.OK if ctx.len < limit else TC.SHOT


@tc
def prints(ctx: TcContext) -> TC:
    printk("packet")
    return TC.OK


@tc
def calls(ctx: TcContext) -> TC:
    return TC.OK if doubled(ctx.len) < 100 else TC.SHOT


@tc
def lends(ctx: TcContext) -> TC:
    return TC.OK if counted(locked.get(0)) < 100 else TC.SHOT


@tc
def repeats(ctx: TcContext) -> TC:
    n = u64(0)
    for _ in range(200):
        n += ctx.len
        if n > 1000:
            break
    return TC.OK if n else TC.SHOT


@pytest.mark.parametrize(
    ("program", "since"),
    [(locks, "5.1"), (keeps, "5.2"), (compares, "5.2"), (prints, "5.2"), (calls, "4.16"), (lends, "5.13"),
     (repeats, "5.3")],
)  # fmt: skip
def test_parts_of_the_language(program: Program[..., Any], since: str) -> None:
    assert since in needs(program, before(since))
    assert needs(program, release(since)) == set()
