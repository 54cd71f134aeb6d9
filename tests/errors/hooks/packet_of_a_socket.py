from pybpf import SocketFilterContext, socket_filter
from pybpf.net import udphdr


@socket_filter
def choose(skb: SocketFilterContext) -> int:
    udp = skb.parse(udphdr)
    return 0 if udp is None else -1
