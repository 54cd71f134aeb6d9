"""A histogram of numbers in UDP packets, by their powers of two."""

from pybpf import ArrayMap, SocketFilterContext, Struct, be64, fetch_add, i32, log2, socket_filter, u8, u64
from pybpf.net import IPPROTO_UDP


class Byte(Struct):
    value: u8 = 0


class Sample(Struct):
    value: be64 = 0


hist = ArrayMap[u64](64)


@socket_filter
def hist_log2(skb: SocketFilterContext) -> i32:
    first, proto, sample = Byte(), Byte(), Sample()
    if not skb.load_bytes(0, first) or first.value >> 4 != 4:
        return 0
    if not skb.load_bytes(9, proto) or proto.value != IPPROTO_UDP:
        return 0
    if not skb.load_bytes((first.value & 15) * 4 + 8, sample):
        return 0
    slot = log2(sample.value)
    fetch_add(hist[slot], 1)
    return i32(slot + 1)
