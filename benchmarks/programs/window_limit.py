"""At most so many packets of a source in a sliding window of eight slots; UDP packets bring their own clock."""

from pybpf import XDP, Array, L, LruHash, Struct, XdpContext, be32, be64, u32, u64, xdp
from pybpf.net import ETH_P_IP, IPPROTO_UDP, ethhdr, iphdr, udphdr

SLOTS = 8
SLOT_NS = 125_000_000
LIMIT = 100


class Window(Struct):
    slot: u64
    counts: Array[u32, L[8]] = Array[u32, L[8]]()
    dropped: u64 = 0


class Stamp(Struct):
    now: be64


windows = LruHash[be32, Window](max_entries=4096)


@xdp
def window_limit(pkt: XdpContext) -> XDP:
    eth, ip, udp, stamp = pkt.parse(ethhdr), pkt.parse(iphdr), pkt.parse(udphdr), pkt.parse(Stamp)
    if eth is None or ip is None or udp is None or stamp is None:
        return XDP.PASS
    if eth.h_proto != ETH_P_IP or ip.ihl != 5 or ip.protocol != IPPROTO_UDP:
        return XDP.PASS
    slot = stamp.now // SLOT_NS
    window = windows.get(ip.saddr)
    if window is None:
        fresh = Window(slot=slot)
        fresh.counts[slot % SLOTS] = 1
        windows[ip.saddr] = fresh
        return XDP.PASS
    if slot > window.slot:
        passed = min(slot - window.slot, SLOTS)
        for i in range(passed):
            window.counts[(window.slot + 1 + i) % SLOTS] = 0
        window.slot = slot
    if sum(count for count in window.counts) >= LIMIT:
        window.dropped += 1
        return XDP.DROP
    window.counts[window.slot % SLOTS] += 1
    return XDP.PASS
