"""System calls by number: how many, how long, how many failed. After syscount of libbpf-tools."""

from pybpf import HashMap, Struct, const, i64, ktime, pid, raw_tp, tid, u32, u64


class Usage(Struct):
    count: u64
    total_ns: u64
    failed: u64


only_pid = const(u32, 0)
only_errno = const(i64, 0)
start = HashMap[u32, u64](max_entries=8192)
usage = HashMap[u32, Usage](max_entries=8192)


@raw_tp("sys_enter")
def enter() -> None:
    if not only_pid or pid() == only_pid:
        start[tid()] = ktime()


@raw_tp("sys_exit")
def leave(regs: u64, ret: i64) -> None:
    began = start.pop(tid(), None)
    if began is None or (only_errno and ret != -only_errno):
        return
    total = usage.setdefault(pid(), Usage(count=0, total_ns=0, failed=0))
    if total is None:
        return
    total.count += 1
    total.total_ns += ktime() - began
    total.failed += ret < 0
