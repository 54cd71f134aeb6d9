"""A token bucket for each source address: packets over the rate are dropped."""

from pybpf import XDP, LruHash, PerCpuArray, Struct, XdpContext, be32, const, ktime, u64, xdp
from pybpf.net import ETH_P_IP, ethhdr, iphdr

NS = 1_000_000_000


class Bucket(Struct):
    tokens: u64
    last: u64


rate = const(u64, 100)  # packets a second
burst = const(u64, 10)
buckets = LruHash[be32, Bucket](max_entries=65_536)
dropped = PerCpuArray[u64](1)


def allowed(addr: be32, now: u64) -> bool:
    bucket = buckets.get(addr)
    if bucket is None:
        buckets[addr] = Bucket(tokens=burst - 1, last=now)
        return True
    new = (now - bucket.last) * rate // NS
    if new > 0:
        bucket.tokens = min(bucket.tokens + new, burst)
        bucket.last = now
    if bucket.tokens == 0:
        return False
    bucket.tokens -= 1
    return True


@xdp
def limit(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XDP.PASS
    ip = pkt.parse(iphdr)
    if ip is None:
        return XDP.DROP
    if allowed(ip.saddr, ktime()):
        return XDP.PASS
    dropped[0] += 1
    return XDP.DROP
