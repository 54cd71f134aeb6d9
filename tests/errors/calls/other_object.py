from pybpf import XDP, RawTracepointContext, Struct, XdpContext, helpers, raw_tp, u64, xdp


class Pair(Struct):
    a: u64
    b: u64


@xdp
def probe(pkt: XdpContext) -> XDP:
    pair = Pair(a=1, b=2)
    helpers.bpf_dynptr_from_mem(pair, 16, 0, pair)
    helpers.bpf_kptr_xchg(pair, pair)
    return XDP.PASS


@raw_tp("sys_enter")
def other(ctx: RawTracepointContext) -> None:
    pair = Pair(a=1, b=2)
    helpers.bpf_get_task_stack(pair, pair, 16, 0)
