from pybpf import XDP, ArrayMap, Target, XdpContext, kfuncs, u64, xdp

TARGET = Target(kernel=(6, 12))
hits = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    for pid in range(1, 4):
        task = kfuncs.bpf_task_from_pid(pid)
        if task is None:
            continue
        if pid == 2:
            continue
        kfuncs.bpf_task_release(task)
    return XDP.PASS
