"""Pages that are moved between NUMA nodes: how many, how long. After numamove of libbpf-tools."""

from pybpf import HashMap, kprobe, kretprobe, ktime, tid, u32, u64, var

start = HashMap[u32, u64](max_entries=1024)
latency = var(u64, 0)
count = var(u64, 0)


@kprobe("migrate_misplaced_folio")
def enter() -> None:
    start[tid()] = ktime()


@kretprobe("migrate_misplaced_folio")
def leave() -> None:
    global latency, count
    began = start.pop(tid(), None)
    if began is not None:
        latency += (ktime() - began) // 1_000_000
        count += 1
