from pybpf import XDP, Array, L, Target, XdpContext, kfuncs, u64, xdp

TARGET = Target(kernel=(6, 18))


@xdp
def count(pkt: XdpContext) -> XDP:
    kfuncs.bpf_dynptr_from_xdp(pkt, 0, 0)
    kfuncs.bpf_iter_num_new(0, 1, 2)
    it = kfuncs.bpf_iter_num(0, 3)
    flags = Array[u64, L[1]]()
    kfuncs.bpf_local_irq_save(flags)
    return XDP.PASS
