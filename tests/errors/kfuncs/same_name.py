from pybpf import XDP, Target, XdpContext, kfuncs, xdp

TARGET = Target(kernel=(6, 12))


@xdp
def bpf_rcu_read_lock(pkt: XdpContext) -> XDP:
    kfuncs.bpf_rcu_read_lock()
    kfuncs.bpf_rcu_read_unlock()
    return XDP.PASS
