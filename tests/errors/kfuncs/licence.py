from pybpf import XDP, Target, XdpContext, kfuncs, xdp

TARGET = Target(kernel=(6, 12), license="Proprietary")


@xdp
def count(pkt: XdpContext) -> XDP:
    kfuncs.bpf_rcu_read_lock()
    return XDP.PASS
