"""Round-trip times of TCP, as a histogram by remote address. After tcprtt of libbpf-tools."""

from pybpf import Array, HashMap, L, Struct, be32, const, fentry, u16, u32, u64
from pybpf.kernel import sock, tcp_sock

SLOTS = 27


class Hist(Struct):
    latency: u64
    count: u64
    slots: Array[u32, L[SLOTS]]


only_dport = const(u16, 0)
hists = HashMap[be32, Hist](max_entries=10_240)


def log2(v: u64) -> u32:
    r: u32 = 0
    for shift in (16, 8, 4, 2, 1):
        if v >> shift:
            v >>= shift
            r += shift
    return r


@fentry("tcp_rcv_established")
def received(sk: sock) -> None:
    if only_dport and sk.__sk_common.skc_dport != only_dport:
        return
    hist = hists.setdefault(sk.__sk_common.skc_daddr, Hist(latency=0, count=0, slots=Array()))
    if hist is None:
        return
    srtt = tcp_sock(sk).srtt_us >> 3
    hist.slots[min(log2(srtt), SLOTS - 1)] += 1
    hist.latency += srtt
    hist.count += 1
