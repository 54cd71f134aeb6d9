from pybpf import XDP, Array, Bytes, L, XdpContext, helpers, u64, xdp


@xdp
def probe(pkt: XdpContext) -> XDP:
    text, numbers = Bytes[L[16]](), Array[u64, L[2]]()
    helpers.bpf_snprintf(text, 16, "%d of %d %%", numbers, 8)
    helpers.bpf_snprintf(text, 16, "none", numbers, pkt.rx_queue_index & 8)
    return XDP.PASS
