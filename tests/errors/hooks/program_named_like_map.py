"""A program and a map with the same symbol."""

from pybpf import XDP, HashMap, XdpContext, u32, u64, xdp

by_protocol = HashMap[u32, u64](max_entries=64, name="count")


@xdp
def count(pkt: XdpContext) -> XDP:
    by_protocol[0] += 1
    return XDP.PASS
