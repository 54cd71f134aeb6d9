"""XDP programs that use one feature each on bytes of the packet; the kernel and the simulator must agree on them."""

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    Bytes,
    HashMap,
    L,
    PerCpuArray,
    RingBuffer,
    Struct,
    Text,
    XdpContext,
    be16,
    be32,
    const,
    helpers,
    i8,
    i16,
    i32,
    i64,
    printk,
    u8,
    u16,
    u32,
    u64,
    var,
    xdp,
)
from pybpf.net import ETH_P_IP, ethhdr, iphdr, udphdr


class Head(Struct, packed=True):
    kind: u8
    a: u32
    b: be16
    text: Text[L[9]]
    raw: Bytes[L[5]]
    big: be32
    wide: u64
    small: i8
    cells: Array[u16, L[3]]


class Seen(Struct):
    key: u32
    name: Text[L[12]]
    raw: Bytes[L[5]]
    cells: Array[u16, L[3]]
    count: u64


class Big(Struct):
    n: u32
    data: Array[u64, L[120]]


results = ArrayMap[i64](16)
seen = HashMap[u32, Seen](max_entries=8)
names = HashMap[Text[L[12]], u32](max_entries=8)
events = RingBuffer[Seen](8192)
bigs = RingBuffer[Big](8192)
big_map = HashMap[u32, Big](max_entries=2)
percpu = PerCpuArray[u64](4)
counts = HashMap[u16, u16](max_entries=8)
limit = const(u32, 3)
total = var(i32, 0)


def head_of(pkt: XdpContext) -> Head | None:
    return pkt.parse(Head)


@xdp
def fields(pkt: XdpContext) -> XDP:
    h = head_of(pkt)
    if h is None:
        return XDP.ABORTED
    results[0] = h.a
    results[1] = h.b
    results[2] = h.big
    results[3] = i64(h.wide)
    results[4] = h.small
    results[5] = h.cells[h.kind % 3]
    results[6] = h.raw[h.kind & 3]
    results[7] = h.small // 7
    results[8] = h.small % 7
    results[9] = i64(h.small) << 3
    results[10] = h.a - h.b
    h.big = h.b
    h.b ^= 0x0FF0
    h.small -= 100
    h.cells[h.kind % 3] += h.cells[0]
    h.a = u32(h.b < 300) + u32(h.wide > 1000) * 2
    return XDP.PASS


@xdp
def ip_options(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XDP.ABORTED
    ip = pkt.parse(iphdr)
    if ip is None or ip.header_len() < 20:
        return XDP.DROP
    if not pkt.skip(ip.header_len() - 20):
        return XDP.TX
    udp = pkt.parse(udphdr)
    if udp is None:
        return XDP.DROP
    results[0] = udp.dest
    results[1] = ip.header_len()
    results[2] = ip.version
    udp.dest = udp.source
    return XDP.PASS


@xdp
def texts(pkt: XdpContext) -> XDP:
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    results[0] = h.text == "abc"
    results[1] = h.text == "12345678"
    results[2] = h.text == "123456789"
    results[3] = h.text != ""
    here = Seen(key=1, name=h.text, raw=h.raw, cells=Array[u16, L[3]](), count=0)
    results[4] = here.name == h.text
    results[5] = here.raw == h.raw
    results[6] = here.raw == b"\x00\x01\x02\x03\x04"
    names[here.name] += 2
    if here.name in names:
        results[7] = 1
    return XDP.PASS


@xdp
def structs(pkt: XdpContext) -> XDP:
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    fresh = Seen(key=h.a, name=h.text, raw=h.raw, cells=h.cells, count=1)
    old = seen.setdefault(u32(h.kind & 1), fresh)
    if old is None:
        return XDP.DROP
    old.count += h.kind
    old.cells = h.cells
    old.name = "again"
    copied = seen.get(u32(h.kind & 1))
    if copied is not None:
        seen[7] = copied
        copied.raw = h.raw
    fresh.name = "changed"
    seen[9] = fresh
    return XDP.PASS


@xdp
def emit(pkt: XdpContext) -> XDP:
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    for i in range(h.kind & 3):
        if not events.emit(Seen(key=u32(i), name="fixed", raw=h.raw, cells=h.cells, count=h.wide)):
            return XDP.DROP
    here = Seen(key=100, name=h.text, raw=h.raw, cells=h.cells, count=h.wide)
    events.emit(here)
    return XDP.PASS


@xdp
def reserve(pkt: XdpContext) -> XDP:
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    for i in range(3):
        with events.reserve() as e:
            if e is None:
                return XDP.DROP
            e.key = u32(i)
            if h.kind == i:
                e.discard()
                continue
            if h.kind == 10 + i:
                break
            e.name = h.text
            e.cells = h.cells
            if h.kind == 20 + i:
                return XDP.TX
            e.count = h.wide
    with bigs.reserve() as big:
        if big is not None:
            big.n = h.a
            big.data[h.kind & 63] = h.wide
    return XDP.PASS


@xdp
def reserve_and_emit(pkt: XdpContext) -> XDP:
    """Events come in the order of their reservations, whichever is submitted first."""
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    with events.reserve() as outer:
        if outer is None:
            return XDP.DROP
        outer.key = 1
        events.emit(Seen(key=2, name="between", raw=outer.raw, cells=outer.cells, count=0))
        with events.reserve() as inner:
            if inner is not None:
                inner.key = 3
    return XDP.PASS


@xdp
def big_values(pkt: XdpContext) -> XDP:
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    old = big_map.get(0)
    if old is None:
        return XDP.DROP
    old.data[h.kind % 120] = h.wide
    other = big_map.get(1)
    if other is not None:
        other.data = old.data
        other.n += 1
    return XDP.PASS


@xdp
def loops(pkt: XdpContext) -> XDP:
    global total
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    n = 0
    for i in range(10, h.kind & 15, -3):
        if i == 4:
            continue
        n += i
    else:
        n += 1000
    results[0] = n
    k = u32(h.kind)
    steps = 0
    while k != 1 and steps < 30:
        k = k // 2 if k % 2 == 0 else 3 * k + 1
        steps += 1
    results[1] = steps
    found = -1
    for i in range(3):
        if h.cells[i] > limit:
            found = i
            break
    results[2] = found
    total += i32(h.small)
    total //= 3
    percpu[h.kind & 3] += h.a
    counts[h.cells[0]] -= 1
    counts[5] |= h.cells[1]
    return XDP.PASS


@xdp
def optionals(pkt: XdpContext) -> XDP:
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    one = counts.get(h.cells[0])
    two = counts.get(h.cells[1], 77)
    results[0] = one is None
    results[1] = two
    if one:
        results[2] = one
    if (one is not None and two > one) or h.kind == 3:
        results[3] = 1
    last = counts.pop(h.cells[2], None)
    results[4] = -1 if last is None else last
    counts[h.cells[2]] = h.cells[0]
    del counts[h.cells[1]]
    results[5] = h.cells[2] in counts
    return XDP.PASS


@xdp
def raw_helpers(pkt: XdpContext) -> XDP:
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    results[0] = helpers.bpf_map_update_elem(counts, h.cells[0], h.cells[1], 1)
    results[1] = helpers.bpf_map_update_elem(counts, h.cells[0], u16(9), 2)
    results[2] = helpers.bpf_map_delete_elem(counts, h.cells[2])
    return XDP.PASS


@xdp
def prints(pkt: XdpContext) -> XDP:
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    here = Seen(key=1, name=h.text, raw=h.raw, cells=h.cells, count=0)
    printk(f"{here.name:12}|{h.small:d}|{h.big:#x}|{h.kind == 3}|{h.a:08x}|100%")
    return XDP.PASS


@xdp
def narrow(pkt: XdpContext) -> XDP:
    h = pkt.parse(Head)
    if h is None:
        return XDP.ABORTED
    x: u8 = h.a
    y: i16 = h.wide
    x += 200
    y -= 30000
    results[0] = x
    results[1] = y
    results[2] = x * y
    results[3] = ~x
    results[4] = -y
    results[5] = min(x, 100) + max(y, -5) + abs(y)
    results[6] = x in (200, 201, 255) or 3 < y <= 30000
    results[7] = u16(h.wide) >> (x & 7)
    return XDP.PASS
