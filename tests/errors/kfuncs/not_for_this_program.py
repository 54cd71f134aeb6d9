from pybpf import XDP, Target, XdpContext, kfuncs, releasing, xdp

TARGET = Target(kernel=(6, 12))


@xdp
def count(pkt: XdpContext) -> XDP:
    with releasing(kfuncs.bpf_cpumask_create()) as mask:
        pass
    return XDP.PASS
