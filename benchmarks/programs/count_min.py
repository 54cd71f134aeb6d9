"""Heavy hitters by a count-min sketch of four rows: sources above a threshold are kept, and dropped."""

from pybpf import TC, Array, ArrayMap, L, LruHash, Struct, TcContext, be32, jhash_1word, tc, u32, u64
from pybpf.net import ETH_P_IP, ethhdr, iphdr

ROWS = 4
COLUMNS = 512
THRESHOLD = 100


class Row(Struct):
    counts: Array[u32, L[512]]


sketch = ArrayMap[Row](ROWS)
heavy = LruHash[be32, u64](max_entries=128)


@tc
def count_min(skb: TcContext) -> TC:
    eth, ip = skb.parse(ethhdr), skb.parse(iphdr)
    if eth is None or ip is None or eth.h_proto != ETH_P_IP:
        return TC.OK
    least: u32 = 0xFFFF_FFFF
    for i in range(ROWS):
        column = jhash_1word(ip.saddr, i) % COLUMNS
        row = sketch[i]
        count = u32(row.counts[column] + 1)
        row.counts[column] = count
        least = min(least, count)
    if least < THRESHOLD:
        return TC.OK
    heavy[ip.saddr] = least
    return TC.SHOT
