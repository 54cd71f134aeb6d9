from pybpf import XDP, Array, L, Struct, HashMap, XdpContext, u32, xdp


class Row(Struct):
    cells: Array[u32, L[4]]


rows = HashMap[u32, Row](max_entries=8)


@xdp
def probe(pkt: XdpContext) -> XDP:
    queue = pkt.rx_queue_index
    assert queue < 4, "too many queues"
    row = rows.get(0)
    if row is not None:
        row.cells[queue] += 1
    return XDP.PASS
