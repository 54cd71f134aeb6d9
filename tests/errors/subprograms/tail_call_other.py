from pybpf import XDP, ProgArray, TracepointContext, XdpContext, tracepoint, xdp

stages = ProgArray[XdpContext, XDP](2)


@xdp
def entry(pkt: XdpContext) -> XDP:
    stages.tail_call(pkt, 0)
    return XDP.PASS


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    pass


stages[0] = on_exec
