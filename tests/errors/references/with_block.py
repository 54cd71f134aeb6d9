from pybpf import XDP, Target, XdpContext, helpers, i32, kfuncs, releasing, xdp

TARGET = Target(kernel=(6, 12))


def find(pid: i32):
    with releasing(kfuncs.bpf_task_from_pid(pid)) as task:
        return task


@xdp
def escapes(pkt: XdpContext) -> XDP:
    return XDP.DROP if find(1) is None else XDP.PASS


@xdp
def nothing_acquired(pkt: XdpContext) -> XDP:
    with releasing(helpers.bpf_ktime_get_ns()) as now:
        pass
    return XDP.PASS


@xdp
def no_name(pkt: XdpContext) -> XDP:
    with releasing(kfuncs.bpf_task_from_pid(1)) as task.tgid:
        pass
    return XDP.PASS


@xdp
def no_block(pkt: XdpContext) -> XDP:
    task = releasing(kfuncs.bpf_task_from_pid(1))
    return XDP.PASS
