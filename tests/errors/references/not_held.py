from pybpf import XDP, ArrayMap, Target, XdpContext, kfuncs, releasing, u64, xdp

TARGET = Target(kernel=(6, 12))
hits = ArrayMap[u64](max_entries=4)


def drop(task) -> None:
    kfuncs.bpf_task_release(task)


@xdp
def count(pkt: XdpContext) -> XDP:
    with releasing(kfuncs.bpf_task_from_pid(1)) as task:
        if task is None:
            return XDP.PASS
        kfuncs.bpf_task_release(task)
    a = kfuncs.bpf_task_from_pid(2)
    b = kfuncs.bpf_task_from_pid(3)
    if a is not None and b is not None:
        one = a if pkt.rx_queue_index else b
        kfuncs.bpf_task_release(one)
    return XDP.PASS


@xdp
def inlined(pkt: XdpContext) -> XDP:
    task = kfuncs.bpf_task_from_pid(1)
    if task is not None:
        drop(task)
    return XDP.PASS
