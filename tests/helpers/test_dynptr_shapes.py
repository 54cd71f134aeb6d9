"""Dynptrs and iterators in all shapes of programs: what the language takes, the verifier takes.

For the newest kernel here, and for each older one whose code is another.
"""

from __future__ import annotations

import pytest

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    Dynptr,
    HashMap,
    L,
    RingBuffer,
    Struct,
    Target,
    Text,
    XdpContext,
    build,
    helpers,
    kfuncs,
    load,
    subprog,
    syscall,
    u8,
    u32,
    u64,
    var,
    xdp,
)
from tests.helpers.test_every_helper import here

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

RELEASES = ((6, 1), (6, 7), (6, 12), (6, 18))


class Args(Struct):
    a: u64


class H(Struct):
    x: u32
    y: u32


class Room(Struct):
    data: Array[u8, L[64]]


rooms = ArrayMap[Room](4)
counts = HashMap[u32, u64](16)
table = ArrayMap[u64](16)
events = RingBuffer[bytes](4096)
kept = var(Room)


@subprog
def take(h: H) -> u32:
    return h.x + h.y


@subprog
def inside(n: u32) -> u32:
    d = Dynptr.from_mem(kept)
    d.write(H(x=n, y=2))
    v = d.read(u32)
    with events.reserve(8) as rec:
        rec.write(H(x=n, y=n))
        if n == 3:
            return 9
    return v if v is not None else 7


@syscall
def subs(args: Args) -> int:
    d = Dynptr.from_mem(rooms[0])
    h = d.data(H, 3)
    if h is None:
        return -1
    return take(h) + inside(3) + inside(4)


@syscall
def loops(args: Args) -> int:
    d = Dynptr.from_mem(rooms[0])
    total = 0
    i = 0
    while i < args.a * 1000:
        i += 1
        e = Dynptr.from_mem(rooms[i & 3])
        e.write(H(x=i, y=1))
        n = d.read(u32)
        if n is not None:
            total += n
        with events.reserve(8) as rec:
            if i == 7:
                continue
            rec.write(H(x=i, y=1))
            if i == 20:
                break
    return total


@syscall
def over_a_map(args: Args) -> int:
    d = Dynptr.from_mem(rooms[0])
    total = 0
    counts[1] = 5
    counts[2] = 6
    for k, v in counts.items():
        n = d.read(u32)
        d.write(H(x=k, y=1))
        Dynptr.from_mem(rooms[1])
        if n is not None:
            total += n + v
        with events.reserve(8) as rec:
            if not rec.write(H(x=k, y=k)):
                return -1
            if k == args.a:
                break
    return total


@syscall
def chosen(args: Args) -> int:
    a = Dynptr.from_mem(rooms[0])
    b = Dynptr.from_mem(rooms[1])
    c = a if args.a == 3 else b
    c.write(H(x=9, y=8))
    part = c.data(H)
    if part is None:
        return -1
    part.x += 1
    v = a.read(u32)
    return v if v is not None else -2


@syscall
def many(args: Args) -> int:
    total = 0
    for d in (Dynptr.from_mem(rooms[0]), Dynptr.from_mem(rooms[1])):
        v = d.read(u32)
        total += v if v is not None else 1
    return total


@syscall
def nested(args: Args) -> int:
    with events.reserve(8) as a, events.reserve(16) as b:
        a.write(H(x=1, y=2))
        b.write(H(x=3, y=4), 8)
        if args.a == 3:
            b.discard()
            return 1
        i = args.a
        if i < 16:
            table[i] += 1
        c = b.data(H, 8)
        if c is not None:
            c.y = 11
    return 0


@syscall
def adjusted(args: Args) -> int:
    d = Dynptr.from_mem(rooms[0])
    while d.size() > 8:
        if not d.adjust(8, d.size()):
            return -1
        h = d.read(H)
        if h is None:
            return -2
    return d.size()


@syscall
def iterated(args: Args) -> int:
    words = Array[u64, L[1]]([0xFF])
    d = Dynptr.from_mem(rooms[0])
    total = 0
    for bit in kfuncs.bpf_iter_bits(words, 1):
        with events.reserve(8) as rec:
            rec.write(H(x=1, y=2))
            e = d.clone()
            if e.adjust(bit, 64):
                total += e.size()
            if bit == 5:
                return total
    return 0


@xdp
def moves(pkt: XdpContext) -> XDP:
    d = Dynptr.from_xdp(pkt)
    h = d.slice(H, 0)
    if h is None:
        return XDP.DROP
    x = h.x
    helpers.bpf_xdp_adjust_head(pkt, 4)
    g = d.slice(H, 0)
    if g is None:
        return XDP.DROP
    if g.x == x:
        return XDP.TX
    arr = d.slice(Array[u8, L[16]], 4)
    if arr is None:
        return XDP.DROP
    s = 0
    for b in arr:
        s += b
    k = pkt.rx_queue_index
    if k < 16:
        s += arr[k]
    text = d.slice(Text[L[8]], 4)
    if text is not None and text == "abc":
        return XDP.TX
    return XDP.PASS if s > 3 else XDP.DROP


@syscall
def held(args: Args) -> int:
    """A record that is held through a loop that the kernel bounds, and where an array's slot may be missing."""
    d = Dynptr()
    helpers.bpf_ringbuf_reserve_dynptr(events, 8, 0, d)
    i = 0
    while i < args.a * 3:
        i += 1
        d.write(H(x=i, y=1))
        if i == 1000:
            helpers.bpf_ringbuf_discard_dynptr(d, 0)
            return 1
    if i < 16:
        table[i] += 1
    helpers.bpf_ringbuf_submit_dynptr(d, 0)
    return i


@syscall
def either(args: Args) -> int:
    """Releasing a clone releases the record."""
    d = Dynptr()
    helpers.bpf_ringbuf_reserve_dynptr(events, 8, 0, d)
    e = d.clone()
    if args.a == 3:
        e.write(H(x=1, y=1))
        helpers.bpf_ringbuf_submit_dynptr(e, 0)
        return 5
    helpers.bpf_ringbuf_discard_dynptr(d, 0)
    return 0


@subprog
def below(n: u32) -> u32:
    total = u32(0)
    for i in kfuncs.bpf_iter_num(0, 10):
        if i == n:
            return total
        total += u32(i)
    return 100


@syscall
def among_loops(args: Args) -> int:
    i = 0
    while i < args.a * 100:
        i += 1
        for k in kfuncs.bpf_iter_num(0, 3):
            if k + i > 250:
                break
            with events.reserve(8) as rec:
                if not rec.write(H(x=i, y=1)):
                    continue
                table[i & 15] += 1
                rec.discard()
    return below(4) + i


# What each answers to a = 3, and the release that it needs.
ANSWERS = {
    subs: (13, (6, 1)), loops: (180, (6, 1)), over_a_map: (None, (6, 1)), chosen: (10, (6, 1)), many: (0, (6, 1)),
    nested: (1, (6, 1)), adjusted: (8, (6, 5)), iterated: (369, (6, 11)),
    held: (9, (6, 1)), either: (5, (6, 5)), among_loops: (306, (6, 4)),
}  # fmt: skip


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: f"{release[0]}.{release[1]}")
def test_shapes(release: tuple[int, int]) -> None:
    if here() < release:
        pytest.skip("this kernel is older")
    for program, (answer, since) in ANSWERS.items():
        if since <= release:
            with load(build(program, target=Target(kernel=release))) as obj:
                found = obj.programs[program.__bpf__.name].run(Args(a=3))[0]  # type: ignore[attr-defined]
                assert answer in (found, None), program


@pytest.mark.parametrize("release", RELEASES[1:], ids=lambda release: f"{release[0]}.{release[1]}")
def test_packets(release: tuple[int, int]) -> None:
    if here() < release:
        pytest.skip("this kernel is older")
    with load(build(moves, target=Target(kernel=release))) as obj:
        assert obj.programs["moves"].test(bytes(range(100))).retval == XDP.PASS
