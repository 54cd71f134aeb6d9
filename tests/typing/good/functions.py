"""Functions: subprograms, tail calls, nested functions, tuples."""

from __future__ import annotations

from pybpf import (
    XDP,
    ArrayMap,
    HashMap,
    ProgArray,
    Struct,
    TracepointContext,
    XdpContext,
    helpers,
    load,
    subprog,
    tracepoint,
    u32,
    u64,
    xdp,
)
from pybpf.net import ethhdr


class Flow(Struct):
    packets: u64
    bytes: u64

    @subprog
    def add(self, size: u32) -> u64:
        self.packets += 1
        self.bytes += size
        return self.bytes


flows = HashMap[u32, Flow](max_entries=64)
seen = ArrayMap[u64](2)
stages = ProgArray[XdpContext, XDP](2)


@subprog
def count(flow: Flow, size: u32) -> None:
    flow.packets += 1
    flow.bytes += size


@subprog(global_=True)
def weight(flow: Flow | None, by: u32 = 2) -> u64:
    return flow.bytes * by if flow is not None else 0


@subprog
def find(key: u32) -> Flow | None:
    return flows.get(key)


def halves(n: u32) -> tuple[u32, u32]:
    return n // 2, n - n // 2


def total(*sizes: u32) -> u32:
    made = 0
    for size in sizes:
        made += size
    return made


@xdp
def entry(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    flow = find(eth.h_proto)
    if flow is not None:
        count(flow, size=64)
        seen[1] = flow.add(size=2) + flow.add(3)
        seen[0] += weight(flow)
    low, high = halves(eth.h_proto)
    most = 0

    def larger(n: u32) -> bool:
        nonlocal most
        if n <= most:
            return False
        most = n
        return True

    for i, (size, extra) in enumerate(zip((low, high), (1, 2))):
        if larger(total(size, extra, i)):
            seen[1] = most
    stages.tail_call(pkt, 1)
    helpers.bpf_tail_call(pkt, stages, 1)
    return XDP.PASS


@xdp
def last(pkt: XdpContext) -> XDP:
    return XDP.DROP


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    flow = Flow(packets=1, bytes=2)
    count(flow, 3)


stages[1] = last

if __name__ == "__main__":
    with load(entry, on_exec) as obj:
        obj[stages][0] = obj.programs["entry"]
        ids: list[int] = list(obj[stages].values())
        del obj[stages][0]
