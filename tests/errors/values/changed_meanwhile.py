"""An augmented assignment whose right side changes what is assigned."""

from pybpf import XDP, HashMap, XdpContext, u32, u64, var, xdp

total = var(u64, 0)
counts = HashMap[u32, u64](max_entries=64)


def bump() -> u64:
    global total
    total += 1
    counts[0] = 5
    return total


def harmless() -> u64:
    counts[1] = 1
    return 2


@xdp
def count(pkt: XdpContext) -> XDP:
    global total
    total += harmless()
    total += bump()
    counts[0] += bump()
    return XDP.PASS
