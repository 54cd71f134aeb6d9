from pybpf import XDP, PtRegs, TracepointContext, XdpContext, kprobe, raw_tp, tracepoint, xdp


@xdp
def probe(ctx: PtRegs) -> XDP:
    return XDP.PASS


@tracepoint("syscalls:sys_enter_openat")
def on_open(ctx: XdpContext) -> None:
    pass


@kprobe("do_unlinkat")
def unlink(ctx: TracepointContext) -> None:
    pass


@raw_tp("sched_switch")
def on_switch(ctx: PtRegs) -> None:
    pass
