from pybpf import XDP, HashMap, XdpContext, u32, u64, xdp

counts = HashMap[u32, u64](max_entries=64)
WEIGHTS = [1, 2, 4, 8, 16, 32, 64, 128, 256]
NAMES = {6: 1, 17: 2}
DIGITS = b"0123456789abcdef"


@xdp
def probe(pkt: XdpContext) -> XDP:
    queue = pkt.rx_queue_index
    if queue < 4:
        counts[0] += WEIGHTS[queue]
        counts[2] += DIGITS[queue]
    counts[1] += NAMES[queue]
    return XDP.PASS
