from pybpf import XDP, ArrayMap, XdpContext, asm, helpers, u64, xdp

counts = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    a = pkt.rx_queue_index
    b = pkt.ingress_ifindex
    counts[0] = asm(
        u64,
        "call {f:i}; r6 = r0; {out} = {a}; {out} += {b}; {out} += {c}; {out} += {d}; {out} += r6",
        a=a,
        b=b,
        c=a + b,
        d=a * b,
        f=helpers.bpf_ktime_get_ns,
    )
    return XDP.PASS
