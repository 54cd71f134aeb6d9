from pybpf import XDP, ArrayMap, Struct, XdpContext, u8, u64, xdp


class Packed(Struct, packed=True):
    kind: u8
    count: u64


a = ArrayMap[Packed](max_entries=1)


@xdp
def prog(ctx: XdpContext) -> XDP:
    a[0].count += 1  # wrong
    return XDP.PASS
