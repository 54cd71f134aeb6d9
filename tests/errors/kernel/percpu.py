"""per_cpu() asks for a per-CPU variable of the kernel, and there may be no such CPU."""

from pybpf import XDP, XdpContext, i32, ksym, per_cpu, var, xdp

active = ksym(i32, "bpf_prog_active", percpu=True)
other = var(i32)


@xdp
def packet(pkt: XdpContext) -> XDP:
    if per_cpu(other, 0) is not None:
        return XDP.DROP
    if per_cpu(active) is not None:
        return XDP.DROP
    there = per_cpu(active, 1)
    if there > 3:
        return XDP.DROP
    return XDP.PASS
