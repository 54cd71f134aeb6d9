"""The code that pybpf makes, beside clang's: three times six programs, checked on every case and timed in the kernel.

    .venv/bin/python benchmarks/quality.py [NAME ...] [--without PASS] [--repeat 300000] [--rounds 9] [--write]

`programs/NAME.py` is the program in ordinary pybpf, `reference/NAME.c` the same in C, `reference/NAME.json` or
`models/NAME.py` inputs and what must come of them (computed by models in Python, not by a compiler). The first six are
those that the optimiser was made with; the second six were written later. So were the third, before anything was
measured of them. Their ratios (insns, verified, ns) were at first

    gre_decap 0.59 0.61 0.94     conntrack 0.98 0.83 1.00    tls_sni    refused by the verifier
    qos_mark  1.03 0.97 1.01     latency   0.71 0.72 1.00    window_limit  0.59 1.38 0.91

For each object: how many cases are right; instructions; instructions that the verifier processed; bytes of stack; bytes
after the kernel's JIT; nanoseconds a run (thread processor time of BPF_PROG_TEST_RUN with `repeat`: the best of rounds
in which both and the program `null` take turns, and of that the median over ten loads, as it depends on where the
kernel puts the code; less that of `null`). `ratio` is pybpf over clang-19 -O2 -mcpu=v3. Needs root.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import math
import os
import platform
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elftools.elf.elffile import ELFFile

from pybpf import build
from pybpf.compiler.optimisations import OPTIMISATIONS
from pybpf.runtime.object import open_elf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HERE = Path(__file__).parent
RESULTS = HERE / "quality.txt"
SETS = (
    ("parse_l4", "flow_hash", "lpm_fw", "token_bucket", "hist_log2", "tcp_opts"),
    ("nat", "maglev", "ip6_ext", "dns_block", "count_min", "syn_cookie"),
    ("gre_decap", "conntrack", "tls_sni", "qos_mark", "window_limit", "latency"),
)
LOADS = 10
COLUMNS = ("insns", "verified", "stack", "jited", "ns")


def by_clang(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as where:
        out = f"{where}/{name}.o"
        include = f"-I/usr/include/{platform.machine()}-linux-gnu"
        source = str(HERE / "reference" / f"{name}.c")
        command = ["clang-19", "-O2", "-g", "-target", "bpf", "-mcpu=v3", include, "-c", source, "-o", out]
        subprocess.run(command, check=True)
        return Path(out).read_bytes()


def by_pybpf(name: str, skip: Sequence[str] = ()) -> bytes:
    spec = importlib.util.spec_from_file_location(name, HERE / "programs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return build(getattr(module, name), skip=skip).elf


def cases_of(name: str) -> dict[str, Any]:
    """Inputs and what must come of them: kept in a file, or from a model."""
    kept = HERE / "reference" / f"{name}.json"
    if kept.exists():
        return json.loads(kept.read_text())  # type: ignore[no-any-return]
    return importlib.import_module(f"models.{name}").spec()  # type: ignore[no-any-return]


def wrong(spec: dict[str, Any], elf: bytes) -> list[str]:
    """The cases that don't come out as they should, each in an object of its own."""
    found = []
    for case in spec["cases"]:
        start = spec["inits"][case["init"]]
        with open_elf(elf) as obj:
            for name, rows in start.items():
                for key, value in rows:
                    obj.maps[name][_key(obj.maps[name], bytes.fromhex(key))] = bytes.fromhex(value)
            result = _program(obj).test(bytes.fromhex(case["data_in"]))
            said = []
            if result.retval & 0xFFFFFFFF != case["retval"] & 0xFFFFFFFF:
                said.append(f"returned {result.retval} for {case['retval']}")
            if case["data_out"] is not None and result.packet.hex() != case["data_out"]:
                said.append("the packet differs")
            for name, facts in spec["maps"].items():
                rows = case["map_expect"].get(name, start.get(name, []))
                expected = {key: value for key, value in rows if "array" not in facts["type"] or int(value, 16)}
                if _content(obj.maps[name], "array" in facts["type"]) != expected:
                    said.append(f"map {name} differs")
            if said:
                found.append(f"{case['name']}: {', '.join(said)}")
    return found


def _program(obj: Any) -> Any:
    (program,) = obj.programs.values()
    return program


def _key(map: Any, raw: bytes) -> Any:
    """The runtime gives array indices as ints."""
    return int.from_bytes(raw, "little") if map.spec.kind.indexed else raw


def _content(map: Any, sparse: bool) -> dict[str, str]:
    found = {}
    for key, value in map.items():
        raw = key.to_bytes(4, "little") if isinstance(key, int) else bytes(key)
        value = _summed(value) if map.spec.kind.percpu else bytes(value)
        if not sparse or any(value):
            found[raw.hex()] = value.hex()
    return found


def _summed(values: Iterable[bytes]) -> bytes:
    """Of the values of all CPUs, eight bytes at a time."""
    lanes = zip(*[struct.unpack(f"<{len(value) // 8}Q", bytes(value)) for value in values])
    return b"".join([struct.pack("<Q", sum(lane)) for lane in lanes])


class Timed:
    """A loaded object, ready to run its timed case."""

    def __init__(self, spec: dict[str, Any], elf: bytes) -> None:
        self.count = _instructions(elf)
        self.obj = open_elf(elf, log_level=4)
        self.program = _program(self.obj)
        case = next(case for case in spec["cases"] if case["name"] == spec["bench"])
        for name, rows in spec["inits"][case["init"]].items():
            for key, value in rows:
                self.obj.maps[name][_key(self.obj.maps[name], bytes.fromhex(key))] = bytes.fromhex(value)
        self.packet = bytes.fromhex(case["data_in"])
        self.times: list[float] = []

    def run(self, repeat: int) -> None:
        before = time.clock_gettime_ns(time.CLOCK_THREAD_CPUTIME_ID)
        self.program.test(self.packet, repeat=repeat)
        self.times.append((time.clock_gettime_ns(time.CLOCK_THREAD_CPUTIME_ID) - before) / repeat)

    def facts(self) -> dict[str, float]:
        processed = re.search(r"processed (\d+) insns", self.program.log)
        stack = re.search(r"stack depth (\d+)", self.program.log)
        return {
            "insns": self.count,
            "verified": int(processed[1]) if processed else 0,
            "stack": int(stack[1]) if stack else 0,
            "jited": self.program.info().jited_size,
        }


def _instructions(elf: bytes) -> int:
    """Of all the object's functions, as they stand in the file."""
    symbols = ELFFile(io.BytesIO(elf)).get_section_by_name(".symtab").iter_symbols()
    return sum(symbol["st_size"] for symbol in symbols if symbol["st_info"]["type"] == "STT_FUNC") // 8


def measure(names: list[str], repeat: int, rounds: int, skip: Sequence[str] = ()) -> list[str]:
    """The table's lines; pybpf leaves out the optimisations `skip`."""
    makers: dict[str, Callable[[str], bytes]] = {"clang": by_clang, "pybpf": partial(by_pybpf, skip=skip)}
    rows = [f"{'':14}{'':8}{'right':>10}" + "".join([f"{column:>10}" for column in COLUMNS])]
    ratios: dict[str, list[float]] = {column: [] for column in COLUMNS}
    nothing = by_clang("null")
    for name in ["null", *names]:
        spec = cases_of(name)
        elves = {who: make(name) for who, make in makers.items()}
        failed = {who: wrong(spec, elf) for who, elf in elves.items()}
        loads = [{who: Timed(spec, elf) for who, elf in elves.items()} for _ in range(LOADS)]
        for timed in loads if name != "null" else ():
            timed["null"] = Timed(cases_of("null"), nothing)
        for timed in loads:
            for each in timed.values():
                each.run(max(1, repeat // LOADS // 4))
                each.times.clear()
        for _ in range(rounds):
            for timed in loads:
                for each in timed.values():
                    each.run(max(1, repeat // LOADS))
        facts = {who: each.facts() for who, each in loads[0].items()}
        for who, fact in facts.items():
            fact["ns"] = statistics.median([min(timed[who].times) for timed in loads])
        floor = facts.pop("null", {"ns": 0.0})["ns"]
        for who, fact in facts.items():
            fact["ns"] = max(fact["ns"] - floor, 0.0)
            count = len(spec["cases"])
            right = f"{count - len(failed[who])}/{count}"
            rows.append(f"{name:14}{who:8}{right:>10}" + "".join([f"{_short(fact[c]):>10}" for c in COLUMNS]))
            rows += [f"    wrong: {text}" for text in failed[who][:3]]
        for timed in loads:
            for each in timed.values():
                each.obj.close()
        if name != "null":
            for column in COLUMNS:
                if facts["clang"][column] and facts["pybpf"][column]:
                    ratios[column].append(facts["pybpf"][column] / facts["clang"][column])
            rows.append(f"{'':14}{'ratio':8}{'':10}" + "".join(
                [f"{facts['pybpf'][c] / facts['clang'][c] if facts['clang'][c] else math.nan:10.2f}" for c in COLUMNS]
            ))  # fmt: skip
    rows.append(f"{'geometric mean':22}{'':10}" + "".join([f"{_mean(ratios[column]):10.2f}" for column in COLUMNS]))
    return rows


def _short(value: float) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _mean(values: list[float]) -> float:
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--without", action="append", default=[], choices=OPTIMISATIONS)
    parser.add_argument("--repeat", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help=f"keep the table in {RESULTS.name}")
    given = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    parts = [given.names] if given.names else [list(names) for names in SETS]
    text = "\n\n".join(["\n".join(measure(part, given.repeat, given.rounds, given.without)) for part in parts]) + "\n"
    print(text, end="")
    if given.write:
        head = (
            f"benchmarks/quality.py, Linux {platform.release()}, {platform.machine()}, "
            f"Python {platform.python_version()}"
        )
        RESULTS.write_text(f"{head}\n\n{text}")


if __name__ == "__main__":
    main()
