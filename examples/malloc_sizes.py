"""How much memory a process asks malloc for, by thread, through probes on libc's malloc.

    python examples/malloc_sizes.py PID [seconds]
"""

import sys

from pybpf import HashMap, PtRegs, Struct, load, tid, u32, u64, uprobe, uretprobe, wait


class Usage(Struct):
    calls: u64
    bytes: u64
    failed: u64


asked = HashMap[u32, u64](max_entries=10_240)  # thread -> size of the malloc in flight
usage = HashMap[u32, Usage](max_entries=10_240)  # thread -> totals


@uprobe("c", "malloc")
def on_malloc(ctx: PtRegs, size: u64) -> None:
    asked[tid()] = size


@uretprobe("c", "malloc")
def on_return(ctx: PtRegs, address: u64) -> None:
    size = asked.pop(tid(), None)
    if size is None:
        return
    total = usage.setdefault(tid(), Usage(calls=0, bytes=0, failed=0))
    if total is None:  # the map is full
        return
    total.calls += 1
    total.bytes += size
    if address == 0:
        total.failed += 1


def main(pid: int, seconds: float = 5) -> None:
    with load(on_malloc, on_return) as obj, obj.attach(pid=pid):
        wait(seconds)
        print(f"{'TID':>7} {'CALLS':>8} {'BYTES':>12} {'FAILED':>6}")
        for thread, total in sorted(obj[usage].items(), key=lambda entry: -entry[1].bytes):
            print(f"{thread:7} {total.calls:8} {total.bytes:12} {total.failed:6}")


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 5)
