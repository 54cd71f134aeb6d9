"""Each block I/O: who, which disk, sector, bytes, latency. After biosnoop of libbpf-tools."""

from pybpf import HashMap, L, RingBuffer, Struct, Text, TracepointContext, comm, ktime, pid, tracepoint, u32, u64


class Request(Struct):
    dev: u32
    sector: u64


class Who(Struct):
    queued: u64
    issued: u64
    pid: u32
    comm: Text[L[16]]


class Io(Struct):
    delta: u64
    queue: u64
    sector: u64
    dev: u32
    bytes: u32
    pid: u32
    comm: Text[L[16]]
    rwbs: Text[L[10]]


requests = HashMap[Request, Who](max_entries=10_240)
ios = RingBuffer[Io](256 * 1024)


@tracepoint("block:block_rq_insert")
def insert(ctx: TracepointContext) -> None:
    requests[Request(dev=ctx.dev, sector=ctx.sector)] = Who(queued=ktime(), issued=0, pid=pid(), comm=comm())


@tracepoint("block:block_rq_issue")
def issue(ctx: TracepointContext) -> None:
    key = Request(dev=ctx.dev, sector=ctx.sector)
    who = requests.get(key)
    if who is None:  # issued without having been queued
        requests[key] = Who(queued=0, issued=ktime(), pid=pid(), comm=comm())
    else:
        who.issued = ktime()


@tracepoint("block:block_rq_complete")
def complete(ctx: TracepointContext) -> None:
    key = Request(dev=ctx.dev, sector=ctx.sector)
    who = requests.get(key)
    if who is None:
        return
    ios.emit(
        Io(
            delta=ktime() - who.issued,
            queue=who.issued - who.queued if who.queued else 0,
            sector=ctx.sector,
            dev=ctx.dev,
            bytes=ctx.nr_sector * 512,
            pid=who.pid,
            comm=who.comm,
            rwbs=ctx.rwbs,
        )
    )
    del requests[key]
