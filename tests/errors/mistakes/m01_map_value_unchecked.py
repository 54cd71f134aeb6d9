from pybpf import XDP, HashMap, XdpContext, u32, u64, xdp

m = HashMap[u32, u64](max_entries=64)


@xdp
def prog(ctx: XdpContext) -> XDP:
    v = m.get(1)
    v += 1  # wrong
    m[1] = v
    return XDP.PASS
