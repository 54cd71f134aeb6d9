"""Count system calls by process.

    python examples/syscount.py [seconds]
"""

import sys

from pybpf import Counter, L, Struct, Text, comm, load, pid, raw_tp, u32, u64, wait


class Process(Struct):
    pid: u32
    comm: Text[L[16]]


calls = Counter[Process](max_entries=10_240)


@raw_tp("sys_enter")
def count(regs: u64, number: u64) -> None:
    calls[Process(pid=pid(), comm=comm())] += 1


def main(seconds: float = 5) -> None:
    with load(count).attach() as obj:
        wait(seconds)
        print(f"{'CALLS':>10} {'PID':>7} COMM")
        for process, n in obj[calls].most_common(20):
            print(f"{n:10} {process.pid:7} {process.comm}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5)
