from pybpf import XDP, XdpContext, kfuncs, xdp


@xdp
def count(pkt: XdpContext) -> XDP:
    for number in kfuncs.bpf_iter_num(0, 9):
        pass
    return XDP.PASS
