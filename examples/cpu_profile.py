"""Where the CPUs spend their time: stacks, as often as they were met, for flame graphs.

    python examples/cpu_profile.py [seconds] [PID] > stacks.folded
"""

import sys

from pybpf import (
    HashMap,
    L,
    PerfEventContext,
    StackTrace,
    Struct,
    Text,
    comm,
    const,
    i32,
    load,
    perf_event,
    pid,
    u32,
    u64,
    wait,
)

NO_STACK = -1


class Place(Struct):
    pid: u32
    comm: Text[L[16]]
    user: i32  # numbers of stacks
    kernel: i32


only_pid = const(u32, 0)
stacks = StackTrace(max_entries=16_384)
samples = HashMap[Place, u64](max_entries=16_384)


@perf_event
def sample(ctx: PerfEventContext) -> None:
    if pid() == 0 or (only_pid and pid() != only_pid):  # 0 is an idle CPU
        return
    user = stacks.id(user=True)
    kernel = stacks.id()
    place = Place(
        pid=pid(),
        comm=comm(),
        user=NO_STACK if user is None else user,
        kernel=NO_STACK if kernel is None else kernel,
    )
    samples[place] += 1


def main(seconds: float = 5, process: int = 0) -> None:
    from pybpf import UserSymbols  # `pybpf build` takes longer with it above, and needs no names

    with load(sample, only_pid=process) as obj, obj.attach(sample={"event": "cpu-clock", "frequency": 99}):
        wait(seconds)
        symbols: dict[int, UserSymbols] = {}
        for place, count in obj[samples].items():
            names = [place.comm]
            if place.user != NO_STACK:
                known = symbols.setdefault(place.pid, UserSymbols(place.pid))
                names += [frame.name or "[unknown]" for frame in reversed(obj[stacks].user(place.user, known))]
            if place.kernel != NO_STACK:
                names += [f"{frame.name}_[k]" for frame in reversed(obj[stacks].kernel(place.kernel))]
            print(";".join(names), count)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
