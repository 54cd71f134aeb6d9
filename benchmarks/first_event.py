"""From the command to the first event: pybpf, bpftrace and bcc tracing the opens of one process, and their memory.

    .venv/bin/python benchmarks/first_event.py [--rounds 7] [--write]

A process opens a file that is not there, every millisecond. Each tool is started as a command that traces the opens of
just that process, with their result (two tracepoints, a hash map between them, the path), and prints a line for each.
Shown are the time on the clock from the command to the first line, that of the processor until then, and the most
memory that the tool had (peak resident set); medians. Nearly all of it is compiling and loading. Files are in the page
cache, and each tool had a run before. Needs root. What is not installed is left out; on Debian:

    apt-get install bpftrace python3-bpfcc linux-headers-cloud-amd64

Where those two find tracefs and the kernel's headers: others.py.
"""

from __future__ import annotations

import argparse
import os
import platform
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from others import in_namespace

HERE = Path(__file__).parent
RESULTS = HERE / "first_event.txt"
MARK = "/no/such/file"
LIMIT = 60.0  # seconds

OPENER = """
import os, time
print(os.getpid(), flush=True)
while True:
    try:
        os.open({mark!r}, os.O_RDONLY)
    except FileNotFoundError:
        time.sleep(0.001)
"""

BPFTRACE = """
tracepoint:syscalls:sys_enter_openat /pid == {pid}/ {{ @path[tid] = args->filename; }}
tracepoint:syscalls:sys_exit_openat /@path[tid]/ {{
    printf("%d %s %d %s\\n", pid, comm, args->ret, str(@path[tid])); delete(@path[tid]);
}}
"""

BCC = """
from bcc import BPF
b = BPF(text=r'''
struct open {{ u32 pid; int ret; char comm[16]; char path[256]; }};
BPF_HASH(paths, u32, u64);
BPF_RINGBUF_OUTPUT(opens, 64);
TRACEPOINT_PROBE(syscalls, sys_enter_openat) {{
    u64 id = bpf_get_current_pid_tgid(), path = (u64)args->filename;
    u32 tid = id;
    if (id >> 32 == {pid})
        paths.update(&tid, &path);
    return 0;
}}
TRACEPOINT_PROBE(syscalls, sys_exit_openat) {{
    u64 id = bpf_get_current_pid_tgid(), *path;
    u32 tid = id;
    struct open e = {{}};
    path = paths.lookup(&tid);
    if (!path)
        return 0;
    e.pid = id >> 32;
    e.ret = args->ret;
    bpf_get_current_comm(&e.comm, sizeof(e.comm));
    bpf_probe_read_user_str(&e.path, sizeof(e.path), (void *)*path);
    paths.delete(&tid);
    opens.ringbuf_output(&e, sizeof(e), 0);
    return 0;
}}''')
def show(cpu, data, size):
    e = b["opens"].event(data)
    print(e.pid, e.comm.decode(), e.ret, e.path.decode(), flush=True)
b["opens"].open_ring_buffer(show)
while True:
    b.ring_buffer_poll()
"""


def commands(pid: int) -> dict[str, list[str]]:
    """What is run, by the tool's name."""
    pybpf = str(Path(sys.executable).with_name("pybpf"))
    found = {"pybpf run": [pybpf, "run", str(HERE.parent / "examples" / "opensnoop.py"), "--set", f"only_pid={pid}"]}
    if shutil.which("bpftrace"):
        found["bpftrace"] = ["bpftrace", "-B", "line", "-e", BPFTRACE.format(pid=pid)]
    if Path("/usr/lib/python3/dist-packages/bcc").exists():
        found["bcc"] = ["/usr/bin/python3", "-c", BCC.format(pid=pid)]
    return found


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def once(command: list[str]) -> tuple[float, float, float] | str:
    """(milliseconds to the first event, of the processor, megabytes); what it said instead, where none came."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment())
    assert process.stdout is not None
    text, took = b"", 0.0
    while time.perf_counter() - start < LIMIT:
        ready, _, _ = select.select([process.stdout], [], [], 1.0)
        more = os.read(process.stdout.fileno(), 65536) if ready else b""
        text += more
        if MARK.encode() in text:
            took = time.perf_counter() - start
            break
        if ready and not more:
            break
    process.stdout.close()
    os.kill(process.pid, signal.SIGKILL)  # it is ours until it is waited for, though it may have ended
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    if not took:
        return text.decode(errors="replace").strip()[:600]
    return took * 1000, (used.ru_utime + used.ru_stime) * 1000, used.ru_maxrss / 1024


def table(rounds: int) -> str:
    opener = subprocess.Popen([sys.executable, "-c", OPENER.format(mark=MARK)], stdout=subprocess.PIPE, text=True)
    assert opener.stdout is not None
    found: dict[str, list[tuple[float, float, float]]] = {}
    notes = []
    try:
        todo = commands(int(opener.stdout.readline()))
        for index in range(rounds + 1):
            for name, command in list(todo.items()):
                measured = once(command)
                if isinstance(measured, str):
                    notes.append(f"{name}: no event: {measured}")
                    del todo[name]
                elif index:
                    found.setdefault(name, []).append(measured)
    finally:
        opener.kill()
        opener.wait()
    rows = [f"{'':14}{'first event, ms':>17}{'fastest':>10}{'processor, ms':>15}{'memory, MB':>12}"]
    for name, times in found.items():
        wall, cpu, memory = [list(column) for column in zip(*times)]
        rows.append(
            f"{name:14}{statistics.median(wall):17.0f}{min(wall):10.0f}{statistics.median(cpu):15.0f}"
            f"{statistics.median(memory):12.0f}"
        )
    return "\n".join([*rows, *notes])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULTS.name}")
    given = parser.parse_args()
    in_namespace()
    text = table(given.rounds)
    print(text)
    if given.write:
        head = f"benchmarks/first_event.py, Linux {platform.release()}, Python {platform.python_version()}"
        RESULTS.write_text(f"{head}\n\n{text}\n")


if __name__ == "__main__":
    main()
