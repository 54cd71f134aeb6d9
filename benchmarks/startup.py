"""How long compiling takes: a cold `pybpf build`, as a whole process, beside clang, bpftrace and bcc; and warm.

    .venv/bin/python benchmarks/startup.py [--rounds 40] [--write]

All are run in turns, so that whatever else the machine does hits all alike; each round gives a pair. Shown are the
time on the clock, median and fastest, the processor time (user and system), and how often pybpf took less processor
time than its pair: other processes that run meanwhile lengthen that least. "Cold" is a process with nothing in memory;
files are in the page cache and Python's `.pyc` files (and pybpf's image of them) exist, as after any first run. In C,
`hello` includes small headers of the kernel only; `opensnoop` has vmlinux.h, as programs that name the kernel's types
do, made by bpftool of the running kernel's BTF.

bpftrace compiles a script that does the same (`--emit-elf`, which loads nothing); bcc the same in C (`BPF(text=...)` in
a Python process of its own, which also makes the maps, but loads no program). They need root (others.py), and are
measured in fewer rounds. What is not there is left out, with the reason.

"Warm" is build() once more in one process: the median and the fastest of the rounds, for each example; and
BPF(text=...) once more in one process. It is processor time.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from others import compilers, in_namespace, missing, warm_bcc

from pybpf import build
from pybpf.cli.module import import_file, programs_of

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
RESULTS = HERE / "startup.txt"


FEW = 5  # rounds of what takes seconds
HELLO = "clang-19 -O2 -g hello.c"
OPENSNOOP = "clang-19 -O2 -g opensnoop.c"


def commands(out: str) -> dict[str, list[str]]:
    """What is run, by the name it has in the table."""
    triplet = f"{platform.machine()}-linux-gnu"
    c = ["clang-19", "-O2", "-g", "-target", "bpf", "-mcpu=v3", f"-I/usr/include/{triplet}", f"-I{out}", "-c"]
    pybpf = str(Path(sys.executable).with_name("pybpf"))
    found = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "pybpf build hello.py": [pybpf, "build", str(EXAMPLES / "hello.py"), "-o", f"{out}/hello.bpf.o"],
        "pybpf build opensnoop.py": [pybpf, "build", str(EXAMPLES / "opensnoop.py"), "-o", f"{out}/opensnoop.bpf.o"],
        "pybpf build xdp_count.py": [pybpf, "build", str(EXAMPLES / "xdp_count.py"), "-o", f"{out}/xdp_count.bpf.o"],
    }
    if shutil.which("clang-19"):
        found[HELLO] = [*c, str(HERE / "hello.c"), "-o", f"{out}/hello.o"]
        if _vmlinux(f"{out}/vmlinux.h"):
            found[OPENSNOOP] = [*c, str(HERE / "opensnoop.c"), "-o", f"{out}/opensnoop.o"]
    return {**found, **compilers(out)}


def _vmlinux(path: str) -> bool:
    """Write the header with all of the kernel's types, if there is what that takes."""
    bpftool = shutil.which("bpftool", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if bpftool is None or not os.path.exists("/sys/kernel/btf/vmlinux"):
        return False
    with open(path, "wb") as file:
        dump = [bpftool, "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"]
        return subprocess.run(dump, stdout=file).returncode == 0


Times = dict[str, list[tuple[float, float]]]  # milliseconds on the clock, and of the processor, by command and round


def measure(rounds: int) -> Times:
    """The times of each command in each round; the two first rounds only warm up."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as out:
        todo = commands(out)
        times: Times = {name: [] for name in todo}
        slow = compilers(out)
        for index in range(rounds + 2):
            for name, command in todo.items():
                if name in slow and index >= FEW + 2:
                    continue
                start = time.perf_counter()
                process = subprocess.Popen(
                    command,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL if name in slow else None,
                    env=environment,
                )
                _, status, used = os.wait4(process.pid, 0)
                wall = time.perf_counter() - start
                process.returncode = os.waitstatus_to_exitcode(status)
                if process.returncode:
                    sys.exit(f"failed: {' '.join(command)}")
                if index >= 2:
                    times[name].append((wall * 1000, (used.ru_utime + used.ru_stime) * 1000))
    return times


def table(times: Times) -> str:
    rows = [f"{'ms':31} {'median':>8} {'fastest':>8} {'cpu median':>12} {'cpu least':>10}"]
    for name, values in times.items():
        wall, cpu = [list(column) for column in zip(*values)]
        rows.append(
            f"{name:31} {statistics.median(wall):8.1f} {min(wall):8.1f} {statistics.median(cpu):12.1f} {min(cpu):10.1f}"
        )
    for name, c in (("hello", HELLO), ("opensnoop", OPENSNOOP)):
        if c in times:
            pairs = list(zip(times[f"pybpf build {name}.py"], times[c]))
            wins = sum(ours[1] <= theirs[1] for ours, theirs in pairs)
            ratio = statistics.median([ours[1] / theirs[1] for ours, theirs in pairs])
            rows.append(
                f"{name}: pybpf took less in {wins} of {len(pairs)} pairs; median of pybpf / clang: {ratio:.2f}"
            )
    return "\n".join(rows)


def warm(rounds: int) -> str:
    """Each example, compiled again and again in this process: processor time."""
    rows = [f"{'ms, in process, warm':31} {'median':>8} {'fastest':>8} {'instructions':>14}"]
    for path in sorted(EXAMPLES.glob("*.py")):
        programs = programs_of(import_file(str(path)))
        times, count = [], 0
        for _ in range(rounds + 2):
            start = time.process_time()
            made = build(*programs)
            times.append((time.process_time() - start) * 1000)
            count = sum(len(function.code) // 8 for function in made.functions.values())
        del times[:2]
        rows.append(f"{path.name:31} {statistics.median(times):8.1f} {min(times):8.1f} {count:14}")
    for name, command in warm_bcc(FEW).items():
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        times = [float(word) for word in done.stdout.split()]
        rows.append(f"{name:31} {statistics.median(times):8.1f} {min(times):8.1f}")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULTS.name}")
    options = parser.parse_args()
    in_namespace()
    load = os.getloadavg()[0]  # of others: this is the beginning
    text = "\n".join([table(measure(options.rounds)), *missing(), "", warm(options.rounds)])
    print(text)
    if options.write:
        system = f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores"
        system += f", load average at the start {load:.1f}"
        RESULTS.write_text(f"benchmarks/startup.py --rounds {options.rounds}\n{system}\n\n{text}\n")


if __name__ == "__main__":
    main()
