from pybpf import XDP, HashMap, PerfEventArray, Struct, Timer, XdpContext, u32, xdp


class Sample(Struct):
    number: u32


class Entry(Struct):
    timer: Timer = Timer()


samples = PerfEventArray[Sample](8)
entries = HashMap[u32, Entry](max_entries=16)


def expire(table: HashMap[u32, Entry], key: u32, entry: Entry) -> None:
    samples.emit(Sample(number=key))


@xdp
def ingress(pkt: XdpContext) -> XDP:
    entry = entries.setdefault(1, Entry())
    if entry is not None:
        entry.timer.start(entries, 1_000_000_000, expire)
    return XDP.PASS
