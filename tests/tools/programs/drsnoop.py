"""Direct reclaim of memory: who waited, how long, how many pages. After drsnoop of BCC."""

from pybpf import HashMap, L, RingBuffer, Struct, Text, TracepointContext, comm, ktime, pid, tid, tracepoint, u32, u64


class Reclaim(Struct):
    pid: u32
    comm: Text[L[16]]
    delta: u64
    pages: u64


start = HashMap[u32, u64](max_entries=8192)
reclaims = RingBuffer[Reclaim](16 * 1024)


@tracepoint("vmscan:mm_vmscan_direct_reclaim_begin")
def begin(ctx: TracepointContext) -> None:
    start[tid()] = ktime()


@tracepoint("vmscan:mm_vmscan_direct_reclaim_end")
def end(ctx: TracepointContext) -> None:
    if began := start.pop(tid(), None):
        reclaims.emit(Reclaim(pid=pid(), comm=comm(), delta=ktime() - began, pages=ctx.nr_reclaimed))
