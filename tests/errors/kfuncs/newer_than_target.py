from pybpf import XDP, Target, XdpContext, kfuncs, xdp

TARGET = Target(kernel=(6, 1))


@xdp
def count(pkt: XdpContext) -> XDP:
    kfuncs.bpf_rcu_read_lock()
    kfuncs.bpf_rcu_read_unlock()
    return XDP.PASS
