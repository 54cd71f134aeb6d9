"""The difference of two u64 wraps: it is never negative."""

from pybpf import XDP, HashMap, XdpContext, ktime, u32, u64, xdp

began = HashMap[u32, u64](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    delta = ktime() - began.get(0, 0)
    if delta < 0 or i64_of(delta):
        return XDP.DROP
    return XDP.PASS


def i64_of(delta: u64) -> bool:
    return delta >= 0
