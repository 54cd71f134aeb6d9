"""Random programs through everything: executed by CPython and by the simulator, compiled, loaded and run by the kernel.

    python -m tests.differential.run --count 100000           seeds 0 to 99999; failures are made small and printed
    python -m tests.differential.run --first 4711 --show      one seed, and its source

Programs run in a row, each on some packets, over the same maps. What must agree: return values, packets, maps, globals,
ring-buffer events. The machine code is proved to do what was selected (codegen/checker). What the compiler refuses is
counted; anything but a CompileError is a failure, as is a program that the verifier refuses. `--jobs 2` uses two
processors.

Compiled is mostly as `load` and `build` do, at times for another ISA level or without an optimisation. `--turns`
goes through all levels with each optimisation left out, `--cpu` and `--without` say which it is.
"""

from __future__ import annotations

import argparse
import contextlib
import linecache
import os
import random
import re
import subprocess
import sys
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pybpf import Target, VerifierError, load
from pybpf.compiler import compile as compile_programs
from pybpf.compiler.codegen.checker import Checker
from pybpf.compiler.diagnostics.base import CompileError
from pybpf.compiler.optimisations import OPTIMISATIONS
from pybpf.compiler.schema.specs import LEVEL_SINCE
from pybpf.simulator import Simulation
from tests.differential.declarations import CONSTANTS, GLOBALS, MAPS
from tests.differential.generate import module, program
from tests.differential.nodes import smaller
from tests.differential.plain import World, canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.differential.nodes import Program

__all__ = [
    "ALL",
    "DEFAULT",
    "Config",
    "Count",
    "Failure",
    "everything",
    "examine",
    "of_seed",
    "one_cpu",
    "run",
    "shrink",
    "turns",
    "usual",
]

BATCH = 12  # programs in one object


class Config(NamedTuple):
    """How a program is compiled: the ISA level, the optimisations left out, the oldest kernel it is for."""

    cpu: int = 3
    skip: tuple[str, ...] = ()
    kernel: tuple[int, int] = (6, 1)

    def __str__(self) -> str:
        left_out = "no optimisation" if self.skip == OPTIMISATIONS else f"without {', '.join(self.skip)}"
        return f"v{self.cpu}, Linux {self.kernel[0]}.{self.kernel[1]}, {left_out if self.skip else 'optimised'}"


DEFAULT = Config()
_RELEASE = os.uname().release.split(".")
RUNNING = int(_RELEASE[0]), int(_RELEASE[1])
BEST = 4 if LEVEL_SINCE[4] <= RUNNING else 3  # the ISA level of the running kernel
HERE = Config(BEST, kernel=RUNNING)  # as `load` does
ALL = [
    DEFAULT,
    HERE,
    *[Config(level) for level in (1, 2)],
    Config(3, kernel=RUNNING),
    *[Config(level, OPTIMISATIONS) for level in (1, 3)],
    Config(BEST, OPTIMISATIONS, RUNNING),
    *[
        Config(level, (name,), kernel)
        for name, (level, kernel) in zip(OPTIMISATIONS, [(3, DEFAULT.kernel), (BEST, RUNNING)] * len(OPTIMISATIONS))
    ],
]
# Every level with nothing, everything, and each optimisation left out, for old kernels and for the running one.
TURNS = [
    Config(level, skip, kernel)
    for skip in ((), OPTIMISATIONS, *[(name,) for name in OPTIMISATIONS])
    for level, kernel in ((1, DEFAULT.kernel), (2, RUNNING), (3, DEFAULT.kernel), (BEST, RUNNING))
]


class Failure(Exception):
    """`kind` says what went wrong in so far as smaller programs must go wrong in the same way."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}\n{detail}")
        self.kind, self.detail = kind, detail


class TooComplex(Exception):
    """The verifier gave up after a million instructions: which program is too much for it can't be known beforehand."""


class Count:
    """What became of programs."""

    def __init__(self) -> None:
        self.agreed = 0
        self.too_complex: list[int] = []  # seeds
        self.failed: list[str] = []  # reports
        self.refused: dict[str, int] = {}  # by the error's code

    def refuse(self, error: CompileError) -> None:
        code = next(d.code for d in error.diagnostics if d.severity == "error")
        self.refused[code] = self.refused.get(code, 0) + 1

    def __str__(self) -> str:
        refused = ", ".join([f"{code} {count}" for code, count in sorted(self.refused.items())])
        return (
            f"{self.agreed} agreed, {len(self.failed)} failed, {len(self.too_complex)} too long for the verifier, "
            f"{sum(self.refused.values())} refused ({refused})"
        )


def usual(number: int) -> list[Config]:
    """The configuration of a batch: mostly what `build` and `load` do."""
    return [ALL[number % 2] if number % 4 else ALL[number // 4 % len(ALL)]]


def everything(number: int) -> list[Config]:
    """All of them, for each batch."""
    return ALL


def turns(number: int) -> list[Config]:
    """The same, another one for each batch."""
    return [TURNS[number % len(TURNS)]]


def of_seed(seed: int, name: str = "f0") -> Program:
    """The program of a seed."""
    return program(random.Random(seed), 2 + seed % 7, name)


def packets(chosen: random.Random) -> list[bytes]:
    """What a program is run on: a header of edge values and numbers, more bytes, and a packet that is too short."""
    made = []
    for length in (60, 14, 37, 100):
        edge = [0, 1, 127, 128, 255, chosen.randrange(256), chosen.randrange(256)]
        made.append(bytes([chosen.choice(edge) for _ in range(length)]))
    return made


@contextlib.contextmanager
def one_cpu() -> Iterator[None]:
    """This thread stays where it is, so that per-CPU maps have one value that counts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {random.choice(sorted(before))})
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
        text = f"{config}\n{traceback.format_exc(chain=False)}"
        raise Failure(f"{stage}: {type(error).__name__} in {place}", text) from None


def _pattern(text: str) -> str:
    return "".join(["#" if c.isdigit() else c for c in text])[:80]


# --- one module


def examine(source: Program, seed: int, configs: Sequence[Config] = (DEFAULT,), kernel: bool = True) -> None:
    """Run a module everywhere and compare. Raises CompileError, TooComplex, or Failure."""
    text, programs = source.text(), source.names()
    names = _module(text)
    chosen = random.Random(seed)
    runs = [(name, packet) for name in programs for packet in packets(chosen)]
    wanted: dict[str, Any] = {}
    for config in configs:
        simulation = Simulation()
        made, functions = _guarded("compile", config, partial(_compiled, names, programs, config, simulation))
        wanted = wanted or _guarded("plain Python", config, partial(_plain, text, runs))
        if config is configs[0]:
            call = partial(_simulated, simulation, functions, names, runs)
            _compare("simulator", config, wanted, _guarded("simulate", config, call))
        if kernel:
            _compare("kernel", config, wanted, _guarded("run", config, partial(_in_kernel, made, names, runs)))


def _compiled(names: dict[str, Any], programs: list[str], config: Config, simulation: Simulation) -> Any:
    """The object, and the programs as the simulator runs them."""
    functions: dict[str, Any] = {}
    checkers: list[Checker] = []

    def see(stage: str, value: Any) -> None:
        if stage == "selected":
            checkers[:] = [Checker(value)]
        elif stage == "code":
            checkers.pop()(value)
        elif stage == "tree":
            functions.update({typed.spec.name: (typed, simulation.translate(typed)) for typed in value.programs})

    target = Target(cpu=config.cpu, kernel=config.kernel)
    specs = [names[name].__bpf__ for name in programs]
    return compile_programs(specs, target, skip=config.skip, observe=see), functions


def _plain(text: str, runs: list[tuple[str, bytes]]) -> dict[str, Any]:
    """What CPython says."""
    world = World(text)
    ran = [world.run(name, packet) for name, packet in runs]
    return {"runs": ran, **{name: value for name, value in world.result().items() if name not in CONSTANTS}}


def _simulated(simulation: Simulation, functions: Any, names: dict[str, Any], runs: Any) -> dict[str, Any]:
    ran = []
    for name, packet in runs:
        typed, function = functions[name]
        outcome = simulation.run_typed(typed, function, packet, None, {})
        ran.append((outcome.retval, outcome.packet))
    return {"runs": ran, **{name: _held(simulation[names[name]]) for name in (*MAPS, *GLOBALS)}}


def _in_kernel(made: Any, names: dict[str, Any], runs: list[tuple[str, bytes]]) -> dict[str, Any]:
    with load(made) as obj:
        results = [obj.programs[name].test(packet) for name, packet in runs]
        # a map that no program reaches is not in the object
        found = {name: _held(obj[names[name]]) for name in MAPS if name in made.maps}
        held = {name: int(obj[names[name]]) for name in GLOBALS if name in made.globals}
        return {"runs": [(result.retval, result.packet) for result in results], **found, **held}


def _held(value: Any) -> Any:
    """A map, ring buffer or global as `World.result` gives it."""
    if hasattr(value, "items"):
        return {canonical(key): _entry(item) for key, item in value.items()}
    if isinstance(value, int):
        return int(value)
    return [canonical(event) for event in (value.read() if hasattr(value, "read") else value)]


def _entry(item: Any) -> Any:
    return sum(item) if hasattr(item, "sum") else canonical(item)


def _compare(who: str, config: Config, wanted: dict[str, Any], found: dict[str, Any]) -> None:
    """Raise what differs."""
    lines = []
    for name in [name for name in found if found[name] != wanted[name]]:
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
    if lines:
        raise Failure(f"{who} differs from CPython", f"{config}:\n" + "\n".join(lines))


# --- making failures small


def shrink(
    source: Program, seed: int, failure: Failure, configs: Sequence[Config], seconds: float, kernel: bool = True
) -> Failure:
    """Take out of a module what the failure does not need. The module is changed; returns how it fails then."""
    end = time.monotonic() + seconds
    again = True
    while again:
        again = False
        for undo in smaller(source):
            found = _outcome(source, seed, configs, kernel)
            if isinstance(found, Failure) and found.kind == failure.kind:
                failure, again = found, True
                break
            undo()
            if time.monotonic() > end:
                return failure
    return failure


def _outcome(source: Program, seed: int, configs: Sequence[Config], kernel: bool) -> Exception | None:
    try:
        examine(source, seed, configs, kernel)
    except Exception as outcome:  # also where CPython can't run what is left
        return outcome
    return None


# --- many programs


def run(
    seeds: Sequence[int],
    kernel: bool = True,
    shrink_seconds: float = 60,
    configurations: Callable[[int], Sequence[Config]] = usual,
) -> Count:
    """Examine the programs of some seeds, several in one object; `configurations` says how a batch is compiled."""
    count = Count()
    for start in range(0, len(seeds), BATCH):
        batch = list(seeds[start : start + BATCH])
        configs = configurations(batch[0] // BATCH)
        programs = {seed: of_seed(seed, f"f{i}") for i, seed in enumerate(batch)}
        together = module(list(programs.values()))
        outcome = _outcome(together, batch[0], configs, kernel)
        if isinstance(outcome, CompileError):
            for name, code in _refused(together, outcome).items():
                count.refused[code] = count.refused.get(code, 0) + 1
                del programs[batch[int(name[1:])]]
            outcome = _outcome(module(list(programs.values())), batch[0], configs, kernel) if programs else None
        if outcome is None:
            count.agreed += len(programs)
        else:
            _one_by_one(count, programs, outcome, configs, kernel, shrink_seconds)
    return count


def _refused(source: Program, error: CompileError) -> dict[str, str]:
    """The programs that errors are about, with the code of the first one: it lies in one, or in a function of it."""
    lines = source.text().splitlines()
    found: dict[str, str] = {}
    for diagnostic in error.diagnostics:
        above = [re.match(r"def (f\d+)[(_]", line) for line in reversed(lines[: diagnostic.span.line])]
        name = next((each[1] for each in above if each is not None), "")
        if name and diagnostic.severity == "error":
            found.setdefault(name, diagnostic.code)
    return found


def _one_by_one(
    count: Count,
    programs: dict[int, Program],
    together: Exception,
    configs: Sequence[Config],
    kernel: bool,
    seconds: float,
) -> None:
    """Find the programs on which a module fails."""
    before = len(count.failed)
    for seed, each in list(programs.items()):
        outcome = _outcome(each, seed, configs, kernel)
        if outcome is None:
            count.agreed += 1
        elif isinstance(outcome, CompileError):
            count.refuse(outcome)
            del programs[seed]
        elif isinstance(outcome, TooComplex):
            count.too_complex.append(seed)
            del programs[seed]
        elif isinstance(outcome, Failure):
            failure = shrink(each, seed, outcome, configs, seconds, kernel)
            count.failed.append(_report(f"seed {seed}", failure, each))
        else:
            raise outcome
    if len(count.failed) > before:
        return
    if isinstance(together, TooComplex):
        again = _outcome(module(list(programs.values())), 0, configs, kernel) if programs else None
        if again is None or isinstance(again, TooComplex):
            return
        together = again
    if isinstance(together, CompileError):  # in a function that programs share: those that it refuses are gone
        return
    if not isinstance(together, Failure):
        raise together
    source = module(list(programs.values()))  # it takes several of them
    failure = shrink(source, min(programs), together, configs, seconds, kernel)
    count.failed.append(_report(f"seeds {min(programs)} to {max(programs)}", failure, source))


def _report(seeds: str, failure: Failure, source: Program) -> str:
    return f"{seeds}: {failure}\n{source.body().strip()}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="every ISA level, and without each optimisation")
    parser.add_argument("--turns", action="store_true", help="every ISA level without each optimisation, by turns")
    parser.add_argument("--cpu", choices=("v1", "v2", "v3", "v4"), help="only this ISA level")
    parser.add_argument("--without", metavar="PASS", help="only without this optimisation, or `all`")
    parser.add_argument("--show", action="store_true", help="print the source")
    parser.add_argument("--shrink", type=float, default=60, metavar="SECONDS", help="time to make a failure small")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the seeds")
    options = parser.parse_args()
    if options.jobs > 1:
        return _share(options)
    total, begin = Count(), time.monotonic()
    seeds = range(options.first, options.first + options.count)
    if options.show:
        print("\n".join([of_seed(seed).body() for seed in seeds]))
    with one_cpu():
        for start in range(0, len(seeds), 50 * BATCH):
            count = run(seeds[start : start + 50 * BATCH], True, options.shrink, _configurations(options))
            total.agreed += count.agreed
            total.too_complex += count.too_complex
            if count.too_complex:
                print(f"too long for the verifier: {count.too_complex}", file=sys.stderr, flush=True)
            for code, number in count.refused.items():
                total.refused[code] = total.refused.get(code, 0) + number
            for report in count.failed:
                total.failed.append(report)
                print(report, flush=True)
            if sys.stderr.isatty() or start + 50 * BATCH >= len(seeds) or start % (100 * BATCH) == 0:
                done = start + len(seeds[start : start + 50 * BATCH])
                print(f"{done} in {time.monotonic() - begin:.0f} s: {total}", file=sys.stderr, flush=True)
    return 1 if total.failed else 0


def _configurations(options: argparse.Namespace) -> Callable[[int], Sequence[Config]]:
    """How to compile, by what the command line says."""
    if options.cpu or options.without:
        skip = () if not options.without else OPTIMISATIONS if options.without == "all" else (options.without,)
        found = [each for each in TURNS if each.skip == skip and options.cpu in (None, f"v{each.cpu}")]
        assert found, f"there is no optimisation {options.without}, or this kernel has not {options.cpu}"
        return lambda number: [found[number % len(found)]]
    return everything if options.all else turns if options.turns else usual


def _share(options: argparse.Namespace) -> int:
    """The same in several processes, each with a part of the seeds."""
    part = -(-options.count // options.jobs)
    command = [sys.executable, "-m", "tests.differential.run", "--shrink", str(options.shrink)]
    for name in ("all", "turns"):
        command += [f"--{name}"] if getattr(options, name) else []
    for name in ("cpu", "without"):
        command += [f"--{name}", getattr(options, name)] if getattr(options, name) else []
    started = [
        subprocess.Popen([*command, "--first", str(options.first + i * part), "--count", str(part)])
        for i in range(options.jobs)
    ]
    return max([each.wait() for each in started])


if __name__ == "__main__":
    sys.exit(main())
