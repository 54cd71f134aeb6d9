from pybpf import XDP, PtRegs, RawTracepointContext, TracepointContext, XdpContext, kprobe, raw_tp, tracepoint, xdp


@tracepoint("syscalls:sys_enter_openat")
def on_open(ctx: TracepointContext) -> None:
    name = ctx.filenam
    pid = ctx.pid


@xdp
def probe(pkt: XdpContext) -> XDP:
    size = pkt.len
    port = pkt.ingress_index
    return XDP.PASS


@kprobe("do_unlinkat")
def unlink(ctx: PtRegs) -> None:
    first = ctx.rdi


@raw_tp("sched_switch")
def on_switch(ctx: RawTracepointContext) -> None:
    first = ctx.arg0
