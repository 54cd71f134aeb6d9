"""How long it takes to find a kernel type by name, as a whole process and in parts.

    .venv/bin/python benchmarks/kernel_types.py [--rounds 20] [--write]

All times are of the processor, so that they hold whatever else the machine does. Those of whole processes are over that
of `python -c pass`. The parts are measured inside a process, so they hold no start-up: the bundle opened, its struct
found with a member; the running kernel's BTF opened for the first time (which walks over all its types and writes the
index) and again (with it), a struct found there.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pybpf.stdlib.kernel import files, names
from pybpf.stdlib.kernel.classes import class_for

RESULTS = Path(__file__).parent / "kernel_types.txt"
PROCESSES = {
    "import pybpf.kernel": "import pybpf.kernel",
    "task_struct.real_parent": "from pybpf.kernel import task_struct as t; t.__bpf__.find('real_parent')",
    "ext4_sb_info, not bundled": "from pybpf.kernel import ext4_sb_info as t; t.__bpf__.members",
}


def process(code: str) -> float:
    """Processor milliseconds (user and system) of a Python process, with byte code and caches in place."""
    root = str(Path(__file__).parents[1])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = subprocess.Popen([sys.executable, "-S", "-c", code], env={**environment, "PYTHONPATH": root})
    _, status, used = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise RuntimeError(code)
    return (used.ru_utime + used.ru_stime) * 1000


def parts() -> dict[str, float]:
    """Processor milliseconds of the steps, each done once."""
    found: dict[str, float] = {}

    def step(name: str, start: float) -> None:
        found[name] = (time.process_time() - start) * 1000

    start = time.process_time()
    bundled = names._Names("").first()
    step("open the bundle", start)
    start = time.process_time()
    kind = bundled.named("task_struct")
    assert kind is not None
    class_for(kind, "task_struct").__bpf__.find("real_parent")
    step("task_struct and its members", start)
    if Path(files.RUNNING).exists():
        for name in ("open the kernel's BTF, first time", "open the kernel's BTF, again"):
            start = time.process_time()
            btf = files.open_btf(files.RUNNING)
            step(name, start)
        start = time.process_time()
        number = btf.find("ext4_sb_info") or btf.find("task_struct")
        assert btf[number]
        step("find and read a struct there", start)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULTS.name}")
    options = parser.parse_args()
    rows = [f"{'processor ms':40} {'median':>8} {'fastest':>8}"]
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        for code in PROCESSES.values():
            try:
                process(code)  # writes byte code and the index
            except RuntimeError:
                pass
        bare = [process("pass") for _ in range(options.rounds)]
        for name, code in PROCESSES.items():
            try:
                times = [process(code) - statistics.median(bare) for _ in range(options.rounds)]
            except RuntimeError:
                continue  # this kernel has no such type
            rows.append(f"{name:40} {statistics.median(times):8.2f} {min(times):8.2f}")
    measured: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as cache:
            os.environ["XDG_CACHE_HOME"] = cache
            for name, value in parts().items():
                measured.setdefault(name, []).append(value)
    rows += [f"{name:40} {statistics.median(each):8.2f} {min(each):8.2f}" for name, each in measured.items()]
    text = "\n".join(rows)
    print(text)
    if options.write:
        size = os.path.getsize(files.RUNNING) if Path(files.RUNNING).exists() else 0
        system = f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores, BTF {size}"
        RESULTS.write_text(f"benchmarks/kernel_types.py --rounds {options.rounds}\n{system} bytes\n\n{text}\n")


if __name__ == "__main__":
    main()
