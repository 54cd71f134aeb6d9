from pybpf import XDP, HashMap, XdpContext, u32, u64, xdp

m = HashMap[u32, u64](max_entries=64)


@xdp
def prog(ctx: XdpContext) -> XDP:
    m[0] = ctx  # wrong
    return XDP.PASS
