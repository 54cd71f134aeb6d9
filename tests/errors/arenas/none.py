"""A pointer leads into an arena, of which the object has none."""

from pybpf import XDP, HashMap, Ptr, Struct, Target, XdpContext, u32, u64, xdp

TARGET = Target(kernel=(6, 12))


class Node(Struct):
    value: u64


class Entry(Struct):
    node: Ptr[Node]


entries = HashMap[u32, Entry](max_entries=4)


@xdp
def look(pkt: XdpContext) -> XDP:
    entry = entries.get(0)
    if entry is not None:
        node = entry.node
        if node is not None:
            node.value += 1
    return XDP.PASS
