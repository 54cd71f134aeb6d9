from pybpf import XDP, Array, HashMap, L, Struct, XdpContext, u8, u32, xdp


class Buffer(Struct):
    data: Array[u8, L[600]]


m = HashMap[u32, Buffer](max_entries=64)


@xdp
def prog(ctx: XdpContext) -> XDP:  # wrong
    data = Array[u8, L[600]]()
    data[ctx.rx_queue_index & 255] = 1
    m[0] = Buffer(data=data)
    return XDP.PASS
