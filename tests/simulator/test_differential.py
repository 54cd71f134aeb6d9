"""Random programs mean the same to the simulator, to the IR before and after optimisation, and to the kernel.

`PYBPF_FUZZ=1000` tries so many programs instead of a few.
"""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import load
from pybpf.compiler.diagnostics.base import CompileError
from pybpf.compiler.frontend import check, parse
from pybpf.compiler.ir.checker import check as check_ir
from pybpf.compiler.irbuild import build
from pybpf.compiler.passes import optimise
from pybpf.compiler.schema.specs import Target
from pybpf.simulator import Simulation
from tests.irbuild.trees import World
from tests.simulator.random_programs import program, pure_program

if TYPE_CHECKING:
    from pathlib import Path

COUNT = int(os.environ.get("PYBPF_FUZZ", "25"))
FIRST = int(os.environ.get("PYBPF_FUZZ_FIRST", "0"))
INPUTS = [
    (0, 0, 0, 0, 0),
    (1, -1, 7, 255, -32768),
    (-(1 << 63), (1 << 63) - 1, 0xFFFF_FFFF, 3, 100),
    (12345, -678, 90, 12, -3),
]


def load_module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def simulated(module: Any) -> list[Any]:
    sim, results = Simulation(), []
    for numbers in INPUTS:
        sim.run(module.f, args=[n & (1 << 64) - 1 for n in numbers])
        results.append(sim[module.out])
    return [*results, dict(sim[module.table]), list(sim[module.slots].values()), dict(sim[module.pairs])]


def interpreted(module: Any, optimised: bool) -> list[Any]:
    from pybpf.runtime.codec import codec

    typed = check(parse([module.f.__bpf__]), Target())
    ir = build(typed, Target())
    check_ir(ir)
    if optimised:
        optimise(ir, observe=lambda name, function: None)
        check_ir(ir)
    world, results = World(ir), []
    world.machine.fuel = 1_000_000

    def decoded(spec: Any) -> dict[Any, Any]:
        held = world.maps.get(spec.name, {})
        key, value = codec(spec.key, "key"), codec(spec.value, "value")
        return {key.decode(k, 0): value.decode(v.data, 0) for k, v in held.items()}

    region, _ = world.machine.memory.find(world.machine.symbols["out"], 8)
    for numbers in INPUTS:
        world.run(*numbers, *[0] * 7)
        results.append(int.from_bytes(region.data, "little", signed=True))
    slots = decoded(module.slots.__bpf__) or dict.fromkeys(range(8), 0)
    return [*results, decoded(module.table.__bpf__), list(slots.values()), decoded(module.pairs.__bpf__)]


def in_kernel(module: Any, want: list[Any]) -> list[Any]:
    results: list[Any] = []
    with load(module.f) as obj:
        for numbers in INPUTS:
            context = b"".join([(n & (1 << 64) - 1).to_bytes(8, "little") for n in (*numbers, *[0] * 7)])
            obj.programs["f"].test(context=context)
            results.append(obj[module.out])
        # maps that the program does not reach are not in the object
        used = obj.maps
        results.append(dict(obj[module.table]) if "table" in used else {})
        results.append(list(obj[module.slots].values()) if "slots" in used else [0] * 8)
        results.append(dict(obj[module.pairs]) if "pairs" in used else {})
    return results


def compiled(seed: int, path: Path) -> Any:
    """The module, or None if the compiler refuses the program."""
    path.write_text(program(seed))
    module = load_module(path)
    try:
        check(parse([module.f.__bpf__]), Target())
    except CompileError:
        return None
    return module


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_simulator_and_ir_agree(seed: int, tmp_path: Path) -> None:
    module = compiled(seed, tmp_path / f"random_{seed}.py")
    if module is None:
        return
    want = simulated(module)
    assert interpreted(module, False) == want
    assert interpreted(module, True) == want


@pytest.mark.kernel
@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_kernel_agrees(seed: int, tmp_path: Path) -> None:
    module = compiled(seed, tmp_path / f"random_{seed}.py")
    if module is None:
        return
    want = simulated(module)
    assert in_kernel(module, want) == want


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_cpython_agrees(seed: int, tmp_path: Path) -> None:
    path = tmp_path / f"pure_{seed}.py"
    path.write_text(pure_program(seed))
    module = load_module(path)
    try:
        check(parse([module.f.__bpf__]), Target())
    except CompileError:
        return
    for a, b, c, d, e in INPUTS:
        try:
            want = module.compute(a, b, c, d, e)
        except ZeroDivisionError:  # a program goes on with 0
            continue
        sim = Simulation()
        sim.run(module.f, args=[n & (1 << 64) - 1 for n in (a, b, c, d, e)])
        assert (sim[module.out] - want) % (1 << 64) == 0


def test_most_random_programs_compile(tmp_path: Path) -> None:
    made = [compiled(seed, tmp_path / f"random_{seed}.py") for seed in range(20)]
    assert len([m for m in made if m is not None]) >= 12
