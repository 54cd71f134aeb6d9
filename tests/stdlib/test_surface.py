"""The public names: all there, lazily, and cheap; and the functions that are written in the language itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pybpf
from pybpf.compiler.schema.specs import BuiltinSpec, ContextSpec, FillSpec
from pybpf.compiler.schema.types import TextType
from pybpf.stdlib import everyday, fills, simulation
from pybpf.stdlib.builtins import printk, sizeof
from pybpf.stdlib.contexts.base import Packet
from pybpf.stdlib.contexts.packets import XdpContext
from pybpf.stdlib.net import ethhdr, iphdr

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", pybpf.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(pybpf, name) is not None
    assert name in dir(pybpf)


def test_checkers_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "pybpf" / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    shown = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name
            shown[alias.name] = node.module
    home = {name: f"pybpf.{module}" for name, module in pybpf._HOME.items()}  # type: ignore[attr-defined]
    assert shown == {**home, "helpers": "pybpf", "kernel": "pybpf", "kfuncs": "pybpf", "net": "pybpf"}
    assert sorted(shown) == sorted(pybpf.__all__)


def test_no_other_names() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = pybpf.nothing  # type: ignore[attr-defined]


def modules_after(statement: str) -> set[str]:
    code = f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules); {statement}; "
    code += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_costs_little() -> None:
    """What a small probe imports pulls in nothing but our own small modules: no typing, re, enum, dataclasses ..."""
    loaded = modules_after("from pybpf import tracepoint, printk, comm, pid, TracepointContext, HashMap, Struct, L")
    assert {name for name in loaded if not name.startswith("pybpf")} <= {"__future__"}
    assert len(loaded) < 36
    assert modules_after("import pybpf") <= {"pybpf", "__future__"}


def test_specs_of_functions() -> None:
    assert printk.__bpf__ == BuiltinSpec("printk")  # type: ignore[attr-defined]
    assert sizeof.__bpf__ == BuiltinSpec("sizeof")  # type: ignore[attr-defined]
    found: Any = {name: getattr(fills, name).__bpf__ for name in ("comm", "user_str", "kernel_str", "user_bytes")}
    assert all(isinstance(spec, FillSpec) for spec in found.values())
    assert (found["comm"].helper.name, found["comm"].default) == ("bpf_get_current_comm", TextType(16))
    assert (found["user_str"].helper.name, found["user_str"].call) == ("bpf_probe_read_user_str", ("dest", "size", 0))
    for name in everyday.__all__:
        assert not hasattr(getattr(everyday, name), "__bpf__")


def test_nothing_of_a_program_runs_by_accident() -> None:
    uses: list[Any] = [everyday.pid, fills.comm, lambda: fills.user_str(1), lambda: printk("x")]
    for use in uses:
        with pytest.raises(RuntimeError, match=r"works inside a BPF program only"):
            use()
    assert sizeof(ethhdr) == 14


class Runtime:
    """Helpers with fixed answers, and a packet at address 1000."""

    def __init__(self) -> None:
        self.printed: list[str] = []

    def helper(self, spec: Any, args: tuple[Any, ...]) -> int:
        return {"bpf_get_current_pid_tgid": 7 << 32 | 8, "bpf_get_current_uid_gid": 3 << 32 | 2,
                "bpf_get_smp_processor_id": 5, "bpf_ktime_get_ns": 1 << 40}[spec.name]  # fmt: skip

    def fill(self, spec: Any, args: tuple[Any, ...]) -> str:
        return f"{spec.name}{args}"

    def printk(self, message: str) -> None:
        self.printed.append(message)

    def struct_at(self, struct: Any, address: int) -> Any:
        return (struct, address)


def test_everyday_functions_and_packets_run_in_plain_python() -> None:
    class Frame(Packet):
        data = cursor = 1000
        data_end = 1000 + 14 + 20 + 3

    runtime: Any = Runtime()
    before = simulation.enter(runtime)
    try:
        assert (everyday.pid(), everyday.tid(), everyday.uid(), everyday.gid()) == (7, 8, 2, 3)
        assert (everyday.cpu(), everyday.ktime()) == (5, 1 << 40)
        assert (fills.comm(), fills.user_str(9)) == ("comm()", "user_str(9,)")
        with pytest.raises(TypeError, match="takes 1 arguments, not 0"):
            fills.user_str()  # type: ignore[call-arg]
        printk("hello")
        assert runtime.printed == ["hello"]
        frame: Any = Frame()
        assert frame.parse(ethhdr) == (ethhdr, 1000)
        assert frame.parse(iphdr) == (iphdr, 1014)
        assert frame.parse(iphdr) is None
        assert frame.cursor == 1034
        assert not frame.skip(4)
        assert frame.skip(3)
        assert frame.cursor == frame.data_end
    finally:
        simulation.enter(before)


def test_a_simulation_belongs_to_its_thread() -> None:
    import threading

    runtime: Any = Runtime()
    before = simulation.enter(runtime)
    seen: list[Any] = []
    try:
        thread = threading.Thread(target=lambda: seen.append(simulation.active()))
        thread.start()
        thread.join()
        assert (simulation.active(), seen) == (runtime, [None])
    finally:
        simulation.enter(before)
    assert simulation.active() is before


def test_contexts_know_their_class() -> None:
    spec: Any = XdpContext.__bpf__  # type: ignore[attr-defined]
    assert isinstance(spec, ContextSpec)
    assert spec.owner is XdpContext
    assert [state.name for state in spec.state] == ["cursor"]
    assert spec.owner.parse is Packet.parse
