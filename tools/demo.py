#!/usr/bin/env python3
"""`make demo`: trace file opens of this machine for some seconds with examples/opensnoop.py.

Where the kernel refuses BPF, say why and what would help; then compile the example, show its bytecode, and run it in
the simulator.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "examples"))

# Another process that opens files, so that there is something to see on a quiet machine.
OPENER = """
import os, time
while True:
    for path in ("/etc/hostname", "/etc/passwd", "/proc/self/status", "/no/such/file"):
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError:
            pass
        time.sleep(0.2)
"""


def say(text: str) -> None:
    print(f"\n== {text}", flush=True)


def trace(seconds: float) -> None:
    """Run the example as a person would."""
    say(f"examples/opensnoop.py for {seconds:g} seconds: who opens which file, in this machine's kernel")
    opener = subprocess.Popen([sys.executable, "-c", OPENER])
    try:
        subprocess.run([sys.executable, str(ROOT / "examples" / "opensnoop.py"), f"{seconds:g}"], check=True)
    finally:
        opener.kill()
        opener.wait()


def explain(error: Exception) -> None:
    """Why programs can't be loaded here, and what would help."""
    say("this machine does not let us load BPF programs")
    print(error)
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        print("help: `sudo make demo` loads it for real; `pybpf doctor` says what this user may do")


def offline() -> None:
    """What works everywhere: compiling, looking at the code, simulating."""
    import opensnoop

    from pybpf import build
    from pybpf.listing import listings, side_by_side

    made = build(opensnoop.enter, opensnoop.leave)
    say(f"compiled: {len(made.elf)} bytes of object, programs {', '.join(made.programs)}")
    print(side_by_side(listings(made.elf)))
    say("simulated: the same functions in plain Python, over maps in memory, with a made-up process")
    simulate(opensnoop)


def simulate(opensnoop: Any) -> None:
    """Three opens of a made-up process."""
    from pybpf.simulator import Simulation

    with Simulation(pid=4242, comm="cat") as sim:
        for path, result in (("/etc/hostname", 3), ("/etc/passwd", 4), ("/no/such/file", -2)):
            opensnoop.enter.simulate(filename=sim.user.put(path))
            opensnoop.leave.simulate(ret=result)
        print(f"{'PID':>7} {'COMM':16} {'RET':>4} PATH")
        for e in sim[opensnoop.opens]:
            print(f"{e.pid:7} {e.comm:16} {e.ret:4} {e.path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    seconds = parser.parse_args().seconds
    import opensnoop

    from pybpf import load
    from pybpf.runtime import PybpfError

    try:
        with load(opensnoop.enter, opensnoop.leave).attach():
            pass
    except PybpfError as error:
        explain(error)
        offline()
        return
    trace(seconds)


main()
