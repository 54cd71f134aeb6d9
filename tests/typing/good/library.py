"""The standard library as a user writes with it."""

from pybpf import (
    XDP,
    Array,
    Counter,
    Histogram,
    HistogramBy,
    L,
    LinearHistogram,
    RateLimit,
    RateLimitBy,
    RingBuffer,
    Simulation,
    Stats,
    StatsBy,
    Struct,
    Text,
    TracepointContext,
    XdpContext,
    be32,
    jhash,
    jhash_2words,
    ktime,
    load,
    log2,
    ns_pid,
    one_in,
    pid,
    read_argv,
    tracepoint,
    u32,
    xdp,
)
from pybpf.net import (
    IPPROTO_TCP,
    Flow,
    csum_replace4,
    ethhdr,
    find_option,
    ipv4,
    ipv6,
    mac,
    parse_flow,
    parse_ipv4,
    tcp_mss,
    tcphdr,
    transport,
    transport_checksum,
)


class Started(Struct):
    pid: u32
    argc: u32
    argv: Array[Text[L[64]], L[8]]


flows = Counter[Flow](max_entries=1024)
sizes = LinearHistogram(0, 1500, 100)
latency = Histogram()
by_pid = HistogramBy[u32](max_entries=1024)
figures = Stats()
figures_by = StatsBy[Flow](max_entries=1024)
alarms = RateLimit(per_second=10, burst=5)
sources = RateLimitBy[be32](per_second=10, burst=5, max_entries=1024)
started = RingBuffer[Started](64 * 1024)


@xdp
def look(pkt: XdpContext) -> XDP:
    flow = parse_flow(pkt)
    if flow is None:
        return XDP.PASS
    flows[flow] += 1
    figures_by.record(flow, pkt.data_end - pkt.data)
    sizes.record(pkt.data_end - pkt.data)
    latency.record(ktime())
    if jhash(bytes(flow)) % 16 == jhash_2words(flow.sport, flow.dport, 7) % 16 and one_in(10):
        return XDP.DROP
    return XDP.PASS if alarms.allow() and log2(flow.sport) < 9 else XDP.DROP


@xdp
def change(pkt: XdpContext) -> XDP:
    if pkt.parse(ethhdr) is None:
        return XDP.PASS
    ip = parse_ipv4(pkt)
    if ip is None or not sources.allow(ip.saddr) or transport_checksum(pkt, ip) != 0:
        return XDP.DROP
    ip.check = csum_replace4(ip.check, ip.daddr, ipv4("10.0.0.1"))
    ip.daddr = ipv4("10.0.0.1")
    return XDP.TX


@xdp
def segments(pkt: XdpContext) -> XDP:
    if transport(pkt) == IPPROTO_TCP:
        tcp = pkt.parse(tcphdr)
        if tcp is not None:
            mss = find_option(pkt, tcp, tcp_mss)
            if mss is not None and mss.value < 500:
                return XDP.DROP
    return XDP.PASS


@tracepoint("syscalls:sys_enter_execve")
def executes(ctx: TracepointContext) -> None:
    by_pid.record(pid(), ktime())
    figures.record(-1)
    with started.reserve() as e:
        if e is not None:
            e.pid = ns_pid()
            e.argc = read_argv(ctx.argv, e.argv)


def read() -> None:
    with load(look, executes) as obj:
        busiest: list[tuple[Flow, int]] = obj[flows].most_common(5)
        for flow, count in busiest:
            text: str = ipv6(flow.saddr)
            print(text, flow.dport, count, mac(b"123456"), ipv4(5))
        obj[latency].print()
        counts: list[int] = [bucket.count for bucket in obj[latency].buckets()]
        mean: float = obj[figures].mean
        for number, histogram in obj[by_pid].items():
            print(number + 1, histogram.mean, counts, mean)
        print(obj[figures_by][busiest[0][0]].max, obj[sizes].total)


def simulated() -> int:
    sim = Simulation()
    sim.run(look, bytes(64))
    return sim[flows].total() + sim[latency].count
