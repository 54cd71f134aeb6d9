"""Show every program that is started: process, parent's name, and the file executed.

    python examples/execsnoop.py [seconds]
"""

import sys

from pybpf import L, RingBuffer, Struct, Text, TracepointContext, comm, load, pid, tracepoint, u32, uid


class Exec(Struct):
    pid: u32
    uid: u32
    comm: Text[L[16]]
    file: Text[L[128]]


execs = RingBuffer[Exec](64 * 1024)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    execs.emit(Exec(pid=pid(), uid=uid(), comm=comm(), file=ctx.filename))


def main(seconds: float | None = None) -> None:
    print(f"{'PID':>7} {'UID':>6} {'COMM':16} FILE", flush=True)
    with load(on_exec).attach() as obj:
        for e in obj[execs].poll_for(seconds):
            print(f"{e.pid:7} {e.uid:6} {e.comm:16} {e.file}", flush=True)


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else None)
    except KeyboardInterrupt:
        pass
