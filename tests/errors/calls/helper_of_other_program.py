from pybpf import (
    XDP, Bytes, L, TracepointContext, XdpContext, comm, helpers, pid, raw_tp, sizeof, tracepoint, u64, xdp,
)


@xdp
def probe(pkt: XdpContext) -> XDP:
    header = Bytes[L[14]]()
    helpers.bpf_skb_load_bytes(pkt, 0, header, sizeof(header))
    name = comm()
    return XDP.PASS


@xdp
def pull(pkt: XdpContext) -> XDP:
    helpers.bpf_skb_pull_data(pkt, 64)
    return XDP.PASS


@xdp
def stack(pkt: XdpContext) -> XDP:
    task = helpers.bpf_get_stack(pkt, Bytes[L[64]](), 64, 0)
    return XDP.PASS


@tracepoint("syscalls:sys_enter_openat")
def refuse(ctx: TracepointContext) -> None:
    helpers.bpf_override_return(ctx, 1)
