"""docs/support.md, made of what tests proved.

In: proofs as tests.proofs.read gives them, (table, row, what, kernel). Out: the page, and the cells that are empty for
a reason that nobody gave. Rows are those of the tables of pybpf.stdlib, so that what is added there appears here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.stdlib.helpers import names, spec_of
from pybpf.stdlib.kernel.functions import kfuncs, since
from pybpf.stdlib.kfuncs import spec_of as kfunc_spec
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.sections import SECTIONS
from tests.support.reasons import HELPERS, HOOKS, KERNELS, KFUNCS, MAPS, REASONS, UNTESTED, reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.reasons import Rules

    Proofs = set[tuple[str, str, str, str]]

__all__ = ["Page", "cells", "missing"]

HEAD = """\
# What works, and where it was seen

Made by the tests (`make support`); do not edit. Each cell is something that a test saw happen on that kernel: Linux
6.1 and 6.12 as Debian builds them, in virtual machines, and the 6.18 of the machines that run the tests. `make test`
fails where a test no longer shows what this page says.

A word in brackets is the reason why something can't be shown there (the list is at the end). It says nothing against
the feature.
"""

# `enum bpf_map_type` of Linux 6.18; and INSN_ARRAY of 6.19, which libbpf 1.7 knows
MAP_TYPES = """
    HASH ARRAY PROG_ARRAY PERF_EVENT_ARRAY PERCPU_HASH PERCPU_ARRAY STACK_TRACE CGROUP_ARRAY LRU_HASH LRU_PERCPU_HASH
    LPM_TRIE ARRAY_OF_MAPS HASH_OF_MAPS DEVMAP SOCKMAP CPUMAP XSKMAP SOCKHASH CGROUP_STORAGE REUSEPORT_SOCKARRAY
    PERCPU_CGROUP_STORAGE QUEUE STACK SK_STORAGE DEVMAP_HASH STRUCT_OPS RINGBUF INODE_STORAGE TASK_STORAGE BLOOM_FILTER
    USER_RINGBUF CGRP_STORAGE ARENA INSN_ARRAY
"""

STEPS = ("loaded", "attached", "fired")  # of a hook; each needs those before it


class Page:
    """The text, the cells that nothing explains, and the rows that no table has."""

    def __init__(self, proofs: Proofs) -> None:
        self.proofs: dict[tuple[str, str, str], set[str]] = {}
        for table, row, what, kernel in implied(proofs):
            self.proofs.setdefault((table, row, kernel), set()).add(what)
        self.kernels = sorted({kernel for *_, kernel in proofs})
        self.words: set[str] = set()
        self.unexplained: list[str] = []
        self.unknown = sorted({f"{table} {row}" for table, row, _, _ in proofs} - set(_rows()))
        self.text = "\n".join([HEAD, *self.hooks(), *self.maps(), *self.helpers(), *self.kfuncs(), *self.reasons()])

    def seen(self, table: str, row: str, kernel: str) -> set[str]:
        return self.proofs.get((table, row, kernel), set())

    def why(self, rules: Rules, table: str, row: str, kernel: str) -> str:
        word = reason(rules, row, kernel)
        if word == UNTESTED:
            self.unexplained.append(f"{table} {row} on {kernel}")
        self.words.add(word)
        return f"[{word}]"

    def hooks(self) -> Iterable[str]:
        yield "## Hooks\n"
        yield "Rows are libbpf's section names. *Fired*: an event ran the program, and the test read what it left.\n"
        yield from _table(("section", "program type", *KERNELS))
        for row, (kind, *_) in SECTIONS.items():
            made = []
            for kernel in KERNELS:
                seen = self.seen("hook", row, kernel)
                words = [", ".join(step for step in STEPS if step in seen)]
                if len(seen) < len(STEPS):
                    words.append(self.why(HOOKS, "hook", row, kernel))
                made.append(" ".join(word for word in words if word))
            yield _line(f"`{row}`", kind.lower(), *made)

    def maps(self) -> Iterable[str]:
        yield "\n## Maps\n"
        yield "What was done with a map of each type, by user space, and by programs where it says so.\n"
        yield from _table(("type", *KERNELS))
        for row in MAP_TYPES.split():
            made = []
            for kernel in KERNELS:
                seen = self.seen("map", row, kernel)
                made.append(", ".join(sorted(seen)) if seen else self.why(MAPS, "map", row, kernel))
            yield _line(f"`{row}`", *made)

    def helpers(self) -> Iterable[str]:
        yield "\n## Helpers\n"
        yield "*Compiled*: the types of programs in which a call was compiled. *Accepted*: those in which the verifier"
        yield "of that kernel took it. On 6.18 each pair is tried; elsewhere one type, and types that 6.18 refuses."
        yield "*All*: of those that may call it, which `pybpf explain` names; of those that were compiled. What is left"
        yield "out is of types that a test has no such object for, or that the kernel does not load.\n"
        yield from _table(("helper", "compiled", *[f"accepted by {kernel}" for kernel in KERNELS]))
        for row in names():
            compiled = {what for kernel in self.kernels for what in self.programs("helper", row, "compiled", kernel)}
            if not compiled:
                yield _line(f"`{row}`", self.why(HELPERS, "helper", row, "*"), *[""] * len(KERNELS))
                continue
            made = [shortened(compiled, _programs(row))]
            for kernel in KERNELS:
                accepted = self.programs("helper", row, "accepted", kernel)
                made.append(shortened(accepted, compiled) or self.why(HELPERS, "helper", row, kernel))
            yield _line(f"`{row}`", *made)

    def kfuncs(self) -> Iterable[str]:
        yield "\n## Kfuncs\n"
        yield "Functions of the kernel that programs call by name. *Compiled* and *accepted* as of helpers; where"
        yield "nothing was compiled, the reason holds of all kernels. Lists, trees, iterators and allocated objects are"
        yield "written as methods, loops and short names, which call these.\n"
        yield from _table(("kfunc", "compiled", *[f"accepted by {kernel}" for kernel in KERNELS]))
        for row in kfuncs():
            compiled = {what for kernel in self.kernels for what in self.programs("kfunc", row, "compiled", kernel)}
            release = since(row)
            if not compiled:
                yield _line(f"`{row}`", self.lacking(row, release, "*", KERNELS[-1], "future"), *[""] * len(KERNELS))
                continue
            made = [shortened(compiled, _callers(row))]
            for kernel in KERNELS:
                accepted = self.programs("kfunc", row, "accepted", kernel)
                made.append(shortened(accepted, compiled) or self.lacking(row, release, kernel, kernel, "old"))
            yield _line(f"`{row}`", *made)

    def lacking(self, row: str, release: str, where: str, kernel: str, word: str) -> str:
        """Why there is nothing of a kfunc on a kernel: it came later than `kernel`, or what a rule says."""
        if release and _number(release) > _number(kernel):
            self.words.add(word)
            return f"[{word}]"
        return self.why(KFUNCS, "kfunc", row, where)

    def programs(self, table: str, row: str, what: str, kernel: str) -> set[str]:
        return {said.split()[1] for said in self.seen(table, row, kernel) if said.split()[0] == what}

    def reasons(self) -> Iterable[str]:
        if self.words:
            yield "\n## What could not be shown\n"
            yield from (f"- {word}: {text}" for word, text in REASONS.items() if word in self.words)
        yield ""


def implied(proofs: Proofs) -> Proofs:
    """A program that an event ran was attached, and one that is attached was loaded."""
    made = set(proofs)
    for table, row, what, kernel in proofs:
        if table == "hook" and what in STEPS:
            made |= {(table, row, step, kernel) for step in STEPS[: STEPS.index(what)]}
    return made


def cells(text: str) -> dict[tuple[str, str], str]:
    """What a page says, by (row, column)."""
    found: dict[tuple[str, str], str] = {}
    table, columns = "", []
    for line in text.splitlines():
        if line.startswith("## "):
            table = line[3:].rstrip("s").lower()
        elif line.startswith("| `"):
            name, *rest = [cell.strip() for cell in line.strip("|").split("|")]
            for column, cell in zip(columns, rest):
                found[f"{table} {name.strip('`')}", column] = cell
        elif line.startswith("| ") and "---" not in line:
            columns = [cell.strip() for cell in line.strip("|").split("|")][1:]
    return found


def missing(committed: str, made: str, kernels: Iterable[str]) -> list[str]:
    """How two pages differ, a line a cell; of the columns of these kernels, and of those that are of none."""
    said, seen = cells(committed), cells(made)
    differ = []
    for row, column in sorted(said.keys() | seen.keys()):
        words = column.split()
        if words and words[-1] in KERNELS and words[-1] not in kernels:
            continue
        old, new = said.get((row, column), ""), seen.get((row, column), "")
        if old != new:
            differ.append(f"{row}, {column}: the page says {old or 'nothing'!r}, the tests show {new or 'nothing'!r}")
    return differ


def shortened(kinds: Iterable[str], whole: Iterable[str]) -> str:
    """Names of program types, against all that there could be."""
    some, every = set(kinds), set(whole)
    if len(every) > 1 and some == every:
        return "all" if len(every) > 2 else ", ".join(sorted(some)).lower()
    if len(every) > 6 and len(every - some) <= 3:
        return f"all but {', '.join(sorted(every - some)).lower()}"
    return ", ".join(sorted(some)).lower()


def _rows() -> Iterable[str]:
    yield from (f"hook {row}" for row in SECTIONS)
    yield from (f"map {row}" for row in (*MAP_TYPES.split(), *KINDS))
    yield from (f"helper {row}" for row in names())
    yield from (f"kfunc {row}" for row in kfuncs())


def _programs(helper: str) -> set[str]:
    """The types of programs that may call a helper; those of all sections where any may."""
    spec = spec_of(helper)
    if spec is None or not spec.programs:
        return {kind for kind, *_ in SECTIONS.values()}
    return {key.partition("/")[0] for key in spec.programs}


def _callers(kfunc: str) -> set[str]:
    """The types of programs that may call a kfunc."""
    spec = kfunc_spec(kfunc)
    if spec is None or not spec.programs:
        return {kind for kind, *_ in SECTIONS.values()}
    return {key.partition("/")[0] for key in spec.programs}


def _number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _table(head: Iterable[str]) -> Iterable[str]:
    names = list(head)
    yield _line(*names)
    yield _line(*["---"] * len(names))
