"""What each pass is worth: the programs compiled without it, beside the same with all passes.

    .venv/bin/python benchmarks/passes.py [--repeat 5] [--write]

The programs are `programs/*.py`, the examples, and the tools of tests/tools. For each pass: by how much the
instructions, and those that the verifier processed, change where it alone is left out (geometric mean over the
programs; above 1.00 the pass is worth something, and `best` is the program that it does most for); in how many of the
programs it changes the code at all; and, of passes over the IR, the share of the processor time that a compilation
takes (sum over the programs, least of `repeat` compilations each). `0` is without any pass. Where the verifier refuses
what is made without a pass, the program is named. Of what this kernel can't load (fentry) only the instructions count.
Needs root.

Tried on the same programs, and not in the compiler, because there was nothing for them to do once the other passes are
through:

    sparse conditional constants   0 constants and 0 unreachable blocks in 125 functions; in 3 of 1058 of the tests
    lookups of arrays by address   libbpf has no relocation for them; .data, .rodata and .bss are read so
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import platform
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pybpf import Program, build
from pybpf.compiler import passes
from pybpf.compiler.optimisations import OPTIMISATIONS
from pybpf.runtime.object import open_elf

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
RESULTS = HERE / "passes.txt"
MODULE: Any = passes


def programs() -> dict[str, list[Any]]:
    """By file: the programs in it."""
    found = {}
    folders = (HERE / "programs", HERE.parent / "examples", HERE.parent / "tests" / "tools" / "programs")
    for path in [path for folder in folders for path in sorted(folder.glob("*.py"))]:
        spec = importlib.util.spec_from_file_location(f"measured_{len(found)}_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        name = path.stem if path.stem not in found else f"{path.stem}'"
        found[name] = [value for value in vars(module).values() if isinstance(value, Program)]
    return {name: those for name, those in found.items() if those and name != "null"}


def processed(elf: bytes) -> int | None:
    """Instructions that the verifier processed; None where it refuses the program."""
    try:
        with open_elf(elf, log_level=4) as obj:
            logs = [program.log for program in obj.programs.values()]
    except Exception:
        return None
    return sum([int(found) for log in logs for found in re.findall(r"processed (\d+) insns", log)])


class Measured:
    """With some optimisations left out: by program, instructions and those processed."""

    def __init__(self, skip: tuple[str, ...], those: dict[str, list[Any]]) -> None:
        self.insns: dict[str, int] = {}
        self.verified: dict[str, int] = {}
        self.refused: list[str] = []
        for name, programs in those.items():
            made = build(*programs, skip=skip)
            self.insns[name] = sum(len(code.code) // 8 for code in made.functions.values())
            count = processed(made.elf)
            if count is None:
                self.refused.append(name)
            else:
                self.verified[name] = count


def times(those: dict[str, list[Any]], repeat: int) -> dict[str, float]:
    """Milliseconds in each pass, and in all ("")."""
    spent: dict[str, float] = {}
    found: Callable[[str], Any] = passes.pass_named

    def timed(name: str) -> Any:
        run = found(name)

        def measured(function: Any) -> bool:
            start = time.thread_time()
            changed = bool(run(function))
            spent[name] = spent.get(name, 0.0) + time.thread_time() - start
            return changed

        return measured

    total: dict[str, float] = {}
    MODULE.pass_named = timed
    try:
        for programs in those.values():
            best: dict[str, float] | None = None
            for _ in range(repeat):
                spent.clear()
                start = time.thread_time()
                build(*programs)
                spent[""] = time.thread_time() - start
                if best is None or spent[""] < best[""]:
                    best = dict(spent)
            for name, seconds in (best or {}).items():
                total[name] = total.get(name, 0.0) + 1000 * seconds
    finally:
        MODULE.pass_named = found
    return total


def table(repeat: int) -> list[str]:
    those = programs()
    full = Measured((), those)
    spent = times(those, repeat)
    rows = [f"{'without':12}{'insns':>8}{'verified':>10}{'programs':>10}{'time':>8}   best"]
    for name in ["", *OPTIMISATIONS]:
        less = Measured((name,) if name else OPTIMISATIONS, those)
        ratios = {each: less.insns[each] / full.insns[each] for each in those}
        verified = {each: less.verified[each] / full.verified[each] for each in less.verified if each in full.verified}
        changed = sum([ratios[each] != 1 or verified.get(each, 1) != 1 for each in those])
        own = [value for each, value in spent.items() if each and name in ("", each)]
        share = f"{sum(own) / spent['']:.1%}" if own else ""
        best = max(those, key=lambda each: max(ratios[each], verified.get(each, 0.0)))
        shown = f"{best} {ratios[best]:.2f} {verified.get(best, math.nan):.2f}" if changed else ""
        lost = [each for each in less.refused if each in full.verified]
        refused = f"; refused: {', '.join(lost)}" if lost else ""
        rows.append(
            f"{name or '0':12}{mean(ratios):8.3f}{mean(verified):10.3f}{f'{changed}/{len(those)}':>10}{share:>8}"
            f"   {shown}{refused}"
        )
    return rows


def mean(ratios: dict[str, float]) -> float:
    return math.exp(sum([math.log(ratio) for ratio in ratios.values()]) / len(ratios)) if ratios else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"keep the table in {RESULTS.name}")
    given = parser.parse_args()
    text = "\n".join(table(given.repeat)) + "\n"
    print(text, end="")
    if given.write:
        head = f"benchmarks/passes.py, Linux {platform.release()}, Python {platform.python_version()}"
        RESULTS.write_text(f"{head}\n\n{text}")


if __name__ == "__main__":
    main()
