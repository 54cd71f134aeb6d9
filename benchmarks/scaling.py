"""How the time to compile grows with the length of the program: it should be proportional.

    .venv/bin/python benchmarks/scaling.py [--write]

One XDP program of n equal parts (a branch, arithmetic, a map update, a lookup that may miss) is compiled for growing
n. Shown are processor time, time for a part, and instructions made. The best of three compilations counts.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pybpf

if TYPE_CHECKING:
    from types import ModuleType

RESULTS = Path(__file__).with_name("scaling.txt")
SIZES = (10, 30, 100, 300, 1000)

HEAD = """\
from pybpf import XDP, ArrayMap, HashMap, XdpContext, u32, u64, xdp
seen = HashMap[u32, u64](max_entries=64)
result = ArrayMap[u64](1)
@xdp
def program(pkt: XdpContext) -> XDP:
    x = u64(pkt.ingress_ifindex)
"""
PART = """\
    if x > {n} * 7:
        x += {n}
        seen[{n}] += 1
    else:
        v{n} = seen.get({n})
        if v{n} is not None:
            x ^= v{n}
"""
TAIL = """\
    result[0] = x
    return XDP.PASS
"""


def module(parts: int, folder: str) -> ModuleType:
    """The program of so many parts, imported."""
    path = Path(folder, f"parts_{parts}.py")
    path.write_text(HEAD + "".join([PART.format(n=n) for n in range(parts)]) + TAIL)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = made
    spec.loader.exec_module(made)
    return made


def table() -> str:
    """Compile all sizes."""
    lines = [f"{'parts':>8} {'instructions':>14} {'ms':>10} {'ms a part':>12}"]
    with tempfile.TemporaryDirectory() as folder:
        for parts in SIZES:
            program = module(parts, folder).program
            times, size = [], 0
            for _ in range(3):
                start = time.process_time()
                made = pybpf.build(program)
                times.append((time.process_time() - start) * 1000)
                size = sum(len(code.code) // 8 for code in made.functions.values())
            lines.append(f"{parts:8} {size:14} {min(times):10.1f} {min(times) / parts:12.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the table in benchmarks/scaling.txt")
    wanted = parser.parse_args()
    text = table()
    print(text)
    if wanted.write:
        RESULTS.write_text(f"Compile time by length of the program, one run of benchmarks/scaling.py\n\n{text}\n")
