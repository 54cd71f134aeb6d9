from pybpf import XDP, Target, XdpContext, kfuncs, xdp

TARGET = Target(kernel=(6, 18))


@xdp
def count(pkt: XdpContext) -> XDP:
    kfuncs.bpf_task_from_pid()
    kfuncs.bpf_task_from_pid("init")
    kfuncs.bpf_task_release(pkt)
    kfuncs.bpf_task_release(7)
    kfuncs.bpf_tsk_from_pid(7)
    return XDP.PASS
