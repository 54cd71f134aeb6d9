"""One random program through the whole pipeline: compiled, simulated, run by the kernel, compared with the reference.

    python -m tests.differential.run --count 100000         seeds 0 to 99999; failures are made small and written down
    python -m tests.differential.run --first 4711 --show    one seed, and its source

Each program runs on some packets in a row, over the same maps. What must agree: return values, packets, maps, globals,
ring-buffer events. What the compiler refuses is counted; anything but a CompileError is a failure, as is a program that
the verifier refuses.
"""

from __future__ import annotations

import argparse
import contextlib
import linecache
import os
import random
import sys
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pybpf import Target, VerifierError, load
from pybpf.compiler import compile as compile_programs
from pybpf.compiler.diagnostics.base import CompileError
from pybpf.compiler.passes import PASSES
from pybpf.simulator import Simulation
from tests.differential.declarations import CONSTANTS, GLOBALS, maps
from tests.differential.generate import program
from tests.differential.model import World, canonical
from tests.differential.nodes import smaller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.differential.nodes import Program

__all__ = ["ALL", "DEFAULT", "Config", "Failure", "configs_of", "examine", "one_cpu", "shrink"]

_NAMES = tuple([name for name, _ in PASSES])


class Config(NamedTuple):
    """How a program is compiled: the ISA level, and the optimisations left out."""

    cpu: int = 3
    skip: tuple[str, ...] = ()

    def __str__(self) -> str:
        skipped = (
            "no optimisation"
            if self.skip == _NAMES
            else f"without {', '.join(self.skip)}"
            if self.skip
            else "optimised"
        )
        return f"v{self.cpu}, {skipped}"


DEFAULT = Config()
ALL = [
    *[Config(cpu) for cpu in (3, 1, 2, 4)],
    *[Config(cpu, _NAMES) for cpu in (3, 1, 4)],
    *[Config(3, (name,)) for name in _NAMES],
]


class Failure(Exception):
    """`kind` says what went wrong in so far as smaller programs must go wrong in the same way."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}\n{detail}")
        self.kind, self.detail = kind, detail


class TooComplex(Exception):
    """The verifier gave up after a million instructions: which program is too much for it can't be known beforehand."""


def configs_of(seed: int) -> list[Config]:
    """The usual one, and another."""
    return [DEFAULT, ALL[1 + seed % (len(ALL) - 1)]]


def packets(seed: int) -> list[bytes]:
    """What a program is run on: a header of edge values and numbers, more bytes, and a packet that is too short."""
    made, chosen = [], random.Random(seed)
    for length in (60, 24, 14, 37, 100, 48):
        edge = [0, 1, 127, 128, 255, chosen.randrange(256), chosen.randrange(256)]
        made.append(bytes([chosen.choice(edge) for _ in range(length)]))
    return made


@contextlib.contextmanager
def one_cpu() -> Iterator[None]:
    """This thread stays where it is, so that per-CPU maps have one value that counts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _module(text: str) -> dict[str, Any]:
    """Execute source text as a module; the compiler finds it where notebooks keep theirs."""
    name = "<random program>"
    linecache.cache[name] = len(text), None, text.splitlines(True), name
    names: dict[str, Any] = {"__name__": "random_program"}
    exec(compile(text, name, "exec", dont_inherit=True), names)
    return names


def _guarded(stage: str, config: Config, call: Any) -> Any:
    """Run a stage; whatever it raises that no user should see is a failure."""
    try:
        return call()
    except CompileError:
        raise
    except VerifierError as error:
        reason = str(error).split("\n", 1)[0]
        if "too many paths" in reason:
            raise TooComplex from None
        raise Failure(f"verifier: {_pattern(reason)}", f"{config}\n{error}") from None
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}:{where.name}"
        raise Failure(
            f"{stage}: {type(error).__name__} in {place}", f"{config}\n{traceback.format_exc(chain=False)}"
        ) from None


def _pattern(text: str) -> str:
    return "".join(["#" if c.isdigit() else c for c in text])[:80]


def examine(source: Program, seed: int, configs: list[Config], kernel: bool = True) -> str:
    """Compile, run and compare. Returns "" or the code of the error that refuses the program; raises Failure."""
    names = _module(source.text(False))
    data = packets(seed)
    wanted, raised = _reference(source.text(True), data)
    spec = names["f"].__bpf__
    for config in configs:
        target = Target(cpu=config.cpu)
        try:
            made = _guarded("compile", config, partial(compile_programs, [spec], target, skip=config.skip))
        except CompileError as error:
            return next(d.code for d in error.diagnostics if d.severity == "error")
        if kernel:
            found = _guarded("run", config, partial(_in_kernel, made, names, data))
            _compare("kernel", config, wanted, found)
    if not raised:
        _compare("simulator", DEFAULT, wanted, _guarded("simulate", DEFAULT, partial(_simulated, names, data)))
    return ""


def _reference(text: str, data: list[bytes]) -> tuple[dict[str, Any], bool]:
    """What is expected, and whether plain Python would have raised ZeroDivisionError on the way."""
    world = World(text, maps(), {**GLOBALS, **CONSTANTS})
    ran = [world.run(packet) for packet in data]
    result = world.result()
    return {
        "runs": ran,
        **{name: value for name, value in result.items() if name not in CONSTANTS},
    }, world.divided_by_zero


def _simulated(names: dict[str, Any], data: list[bytes]) -> dict[str, Any]:
    simulation, ran = Simulation(), []
    for packet in data:
        outcome = simulation.run(names["f"], packet)
        ran.append((outcome.retval, outcome.packet))
    return {"runs": ran, **{name: _held(simulation[names[name]]) for name in (*maps(), *GLOBALS)}}


def _in_kernel(made: Any, names: dict[str, Any], data: list[bytes]) -> dict[str, Any]:
    with load(made) as obj:
        results = [obj.programs["f"].test(packet) for packet in data]
        ran = [(result.retval, result.packet) for result in results]
        found = {name: _held(obj[names[name]]) for name in maps() if name in made.maps}
        held = {name: int(obj[names[name]]) for name in GLOBALS if name in made.globals}
        return {"runs": ran, **found, **held}


def _held(value: Any) -> Any:
    """A map, ring buffer or global as the reference gives it."""
    if hasattr(value, "items"):
        return {canonical(key): _entry(item) for key, item in value.items()}
    if isinstance(value, int):
        return int(value)
    return [canonical(event) for event in (value.read() if hasattr(value, "read") else value)]


def _entry(item: Any) -> Any:
    return sum(item) if hasattr(item, "sum") else canonical(item)


def _compare(who: str, config: Config, wanted: dict[str, Any], found: dict[str, Any]) -> None:
    """Raise what differs. A map that the program does not reach is not in the object."""
    differing = [name for name in found if found[name] != wanted[name]]
    if not differing:
        return
    lines = []
    for name in differing:
        have, want = found[name], wanted[name]
        if isinstance(want, dict):
            keys = [key for key in {**want, **have} if have.get(key) != want.get(key)]
            lines += [f"{name}[{key}]: {have.get(key)}, expected {want.get(key)}" for key in keys]
        elif isinstance(want, list):
            pairs = [(i, h, w) for i, (h, w) in enumerate(zip(have, want)) if h != w]
            lines += [f"{name}: {len(have)} instead of {len(want)}"] if len(have) != len(want) else []
            lines += [f"{name}[{i}]: {h}\n    expected {w}" for i, h, w in pairs[:3]]
        else:
            lines.append(f"{name}: {have}, expected {want}")
    raise Failure(f"{who} differs", f"{config}:\n" + "\n".join(lines))


def shrink(
    source: Program, seed: int, failure: Failure, configs: list[Config], seconds: float = 60, kernel: bool = True
) -> Failure:
    """Take out of a program what the failure does not need. The program is changed; returns how it fails then."""
    end = time.monotonic() + seconds
    again = True
    while again:
        again = False
        for undo in smaller(source):
            found = _failure(source, seed, configs, kernel)
            if found is not None and found.kind == failure.kind:
                failure, again = found, True
                break
            undo()
            if time.monotonic() > end:
                return failure
    return failure


def _failure(source: Program, seed: int, configs: list[Config], kernel: bool) -> Failure | None:
    try:
        examine(source, seed, configs, kernel)
    except Failure as found:
        return found
    except Exception:  # the reference can't run what is left
        return None
    return None


def _check(seed: int, size: int, configs: list[Config], seconds: float) -> tuple[str, str]:
    """("ok" | "refused" | "too complex" | "failed", the code or the report)."""
    source = program(seed, size)
    try:
        code = examine(source, seed, configs)
    except TooComplex:
        return "too complex", ""
    except Failure as failure:
        small = shrink(source, seed, failure, configs, seconds)
        return (
            "failed",
            f"seed {seed}, size {size}: {small}\n{source.text(False).split('    return p.x', 1)[-1].strip()}\n",
        )
    return ("refused", code) if code else ("ok", "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--size", type=int, default=0, help="statements of a program; 0: between 3 and 20")
    parser.add_argument("--all", action="store_true", help="every ISA level, and without each optimisation")
    parser.add_argument("--show", action="store_true", help="print the source")
    parser.add_argument("--shrink", type=float, default=60, metavar="SECONDS", help="time to make a failure small")
    options = parser.parse_args()
    counts: dict[str, int] = {}
    refusals: dict[str, int] = {}
    with one_cpu():
        for seed in range(options.first, options.first + options.count):
            size = options.size or 3 + seed % 18
            if options.show:
                print(program(seed, size).text(False))
            outcome, what = _check(seed, size, ALL if options.all else configs_of(seed), options.shrink)
            counts[outcome] = counts.get(outcome, 0) + 1
            if outcome == "refused":
                refusals[what] = refusals.get(what, 0) + 1
            elif outcome == "failed":
                print(what, flush=True)
    print(f"{counts} refused by {dict(sorted(refusals.items()))}")
    return 1 if counts.get("failed") else 0


if __name__ == "__main__":
    sys.exit(main())
