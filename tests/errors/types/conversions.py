"""What does not convert by itself, and how it is converted."""

from pybpf import XDP, Array, ArrayMap, Bytes, HashMap, L, Struct, TracepointContext, XdpContext
from pybpf import be32, kernel, tracepoint, u8, u32, u64, xdp
from pybpf.kernel import sock
from pybpf.net import ethhdr


class Route(Struct):
    mac: Bytes[L[6]]
    words: Array[be32, L[4]]


class Seen(Struct):
    addr: Bytes[L[16]]
    words: Array[u32, L[4]]


routes = ArrayMap[Route](4)
seen = ArrayMap[Seen](4)
born = HashMap[sock, u64](max_entries=64)


@xdp
def rewrite(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    route = routes[0]
    eth.h_dest = route.mac
    entry = seen[0]
    entry.words = route.words
    entry.addr[0:4] = route.mac[0:4]
    if route.mac[1] == kernel.ETH_ALEN:
        return XDP.DROP
    own = Array[u8, L[4]](route.mac)
    return XDP(own[0])


@tracepoint("sock:inet_sock_set_state")
def states(ctx: TracepointContext) -> None:
    born[ctx.skaddr] = 1
