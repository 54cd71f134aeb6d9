from pybpf import XDP, Target, XdpContext, kfuncs, xdp

TARGET = Target(kernel=(6, 18))


@xdp
def count(pkt: XdpContext) -> XDP:
    kfuncs.bpf_dynptr_from_xdp(pkt, 0, 0)
    kfuncs.bpf_iter_num_new(0, 1, 2)
    it = kfuncs.bpf_iter_num(0, 3)
    return XDP.PASS
