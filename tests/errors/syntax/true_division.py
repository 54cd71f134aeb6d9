from pybpf import XDP, HashMap, XdpContext, u32, u64, xdp

packets = HashMap[u32, u64](max_entries=64)
octets = HashMap[u32, u64](max_entries=64)
average = HashMap[u32, u64](max_entries=64)


@xdp
def size(pkt: XdpContext) -> XDP:
    queue = pkt.rx_queue_index
    count = packets.get(queue, 1)
    if count > 0:
        average[queue] = octets.get(queue, 0) / count
    average[queue] /= 2
    return XDP.PASS
