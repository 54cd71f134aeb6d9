"""A token bucket for each IPv4 source; UDP packets bring their own clock."""

from pybpf import TC, HashMap, Struct, TcContext, be32, be64, tc, u64
from pybpf.net import ETH_P_IP, IPPROTO_UDP, ethhdr, iphdr, udphdr

RATE = 125_000  # bytes a second
BURST = 3_000  # bytes
SECOND = 1_000_000_000


class Bucket(Struct):
    tokens: u64
    last: u64


class Stamp(Struct):
    now: be64


buckets = HashMap[be32, Bucket](max_entries=1024, name="tb")


@tc
def token_bucket(skb: TcContext) -> TC:
    eth, ip, udp, stamp = skb.parse(ethhdr), skb.parse(iphdr), skb.parse(udphdr), skb.parse(Stamp)
    if eth is None or ip is None or udp is None or stamp is None:
        return TC.OK
    if eth.h_proto != ETH_P_IP or ip.ihl != 5 or ip.protocol != IPPROTO_UDP:
        return TC.OK
    now = stamp.now
    bucket = buckets.get(ip.saddr)
    if bucket is None:
        if skb.len > BURST:
            return TC.SHOT
        buckets[ip.saddr] = Bucket(tokens=BURST - skb.len, last=now)
        return TC.OK
    tokens = bucket.tokens
    if now > bucket.last:
        tokens = min(tokens + min(now - bucket.last, SECOND) * RATE // SECOND, BURST)
        bucket.last = now
    if tokens < skb.len:
        bucket.tokens = tokens
        return TC.SHOT
    bucket.tokens = tokens - skb.len
    return TC.OK
