"""Loops, locks, timers and atomic functions, as a checker sees them."""

from pybpf import (
    XDP,
    ArrayMap,
    HashMap,
    SpinLock,
    Struct,
    Timer,
    XdpContext,
    compare_exchange,
    exchange,
    fetch_add,
    lock,
    u32,
    u64,
    xdp,
)
from pybpf.simulator import Simulation


class Flow(Struct):
    lock: SpinLock = SpinLock()
    timer: Timer = Timer()
    packets: u64 = 0
    owner: u32 = 0


flows = HashMap[u32, Flow](max_entries=64)
totals = ArrayMap[u64](4)


def expire(table: HashMap[u32, Flow], key: u32, flow: Flow) -> None:
    del table[key]


@xdp
def count(pkt: XdpContext) -> XDP:
    flow = flows.get(pkt.rx_queue_index)
    if flow is None:
        return XDP.PASS
    with lock(flow):
        flow.packets += 1
    before: int = fetch_add(flow.packets, 1)
    if compare_exchange(flow.owner, 0, 7) == 0 and exchange(totals[0], before):
        started: bool = flow.timer.start(flows, 1_000_000_000, expire)
        if not started:
            flow.timer.cancel()
    total: u64 = 0
    for key, other in flows.items():
        total += other.packets + key
    for value in totals.values():
        total += value
    n = total
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
    totals[1] = total
    return XDP.PASS


def simulated() -> int:
    with Simulation() as sim:
        count.simulate(packet=bytes(64))
        return sim.advance(1_000_000_000)
