"""Histograms, counters, statistics and limits: in the kernel and in the simulator; their text is bpftrace's."""

from __future__ import annotations

import io
import random
import struct
import time
from typing import Any

import pytest

from pybpf import (
    XDP,
    Bytes,
    Counter,
    Histogram,
    HistogramBy,
    L,
    LinearHistogram,
    RateLimit,
    RateLimitBy,
    Simulation,
    Stats,
    StatsBy,
    Struct,
    XdpContext,
    build,
    i64,
    load,
    log2,
    log2_up,
    one_in,
    u32,
    u64,
    xdp,
)
from pybpf.compiler.schema.errors import DeclarationError
from pybpf.stdlib.summaries.views import Bucket, render_buckets
from tests.stdlib.machines import MACHINES, machine


class input(Struct):
    mac: Bytes[L[12]]
    kind: Bytes[L[2]]
    key: u32
    value: u64
    signed: i64


class Pair(Struct):
    a: u32
    b: u32


latency = Histogram()
small = Histogram(bucket_max=10)
by_key = HistogramBy[u32](max_entries=2000, bucket_max=27)
by_pair = HistogramBy[Pair](max_entries=2000)
linear = LinearHistogram(-100, 400, 50)
sizes = LinearHistogram(0, 8192, 1024)
hits = Counter[u32](max_entries=100)
figures = Stats()
figures_by = StatsBy[Pair](max_entries=100)


@xdp
def record(pkt: XdpContext) -> XDP:
    given = pkt.parse(input)
    if given is None:
        return XDP.ABORTED
    latency.record(given.value)
    small.record(given.value)
    by_key.record(given.key, given.value)
    by_pair.record(Pair(a=given.key, b=1), given.value)
    linear.record(given.signed)
    sizes.record(given.signed)
    hits[given.key] += 1
    figures.record(given.signed)
    figures_by.record(Pair(a=given.key, b=2), given.signed)
    return XDP.PASS


def packet(key: int, value: int, signed: int = 0) -> bytes:
    return bytes(14) + bytes(2) + struct.pack("<IIQq", key, 0, value, signed)


def feed(m: Any, rows: list[tuple[int, int, int]]) -> None:
    for row in rows:
        assert m.run(record, packet(*row))[0] == XDP.PASS


VALUES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 1000, 1023, 1024, 1025, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 1]


@pytest.mark.guest
@pytest.mark.parametrize("kind", MACHINES)
def test_histograms_of_powers(kind: str) -> None:
    with machine(kind, record) as m:
        assert m[latency].buckets() == [Bucket(0, 1, 0), *[Bucket(1 << n, 2 << n, 0) for n in range(64)]]
        assert (m[latency].count, m[latency].mean, str(m[latency])) == (0, 0.0, "")
        feed(m, [(1, value, 0) for value in VALUES])
        view = m[latency]
        for low, high, count in view.buckets():
            assert count == sum(low <= value < high for value in VALUES), low
        for bound, count in view.upper_bounds():  # ebpf_exporter's rule, Prometheus' `le`
            assert count == sum(value <= bound for value in VALUES), bound
        assert view.count == len(VALUES)
        assert view.total == sum(VALUES) % (1 << 64)
        short = m[small]
        assert short.upper_bounds()[-1] == (1024, len(VALUES)) and short.upper_bounds()[-2] == (512, 9)
        assert short.buckets()[-1] == Bucket(512, None, 8)
        assert short.buckets()[:4] == [Bucket(0, 1, 1), Bucket(1, 2, 1), Bucket(2, 4, 2), Bucket(4, 8, 3)]
        assert sum(bucket.count for bucket in short.buckets()) == len(VALUES)
        # the layout itself: key n counts those up to 2**n, the highest key all above, the next one is the sum
        slots = [sum(values) for values in m[latency.slots].values()]
        assert slots[:4] == [2, 1, 2, 3] and slots[64] == 2 and slots[65] == sum(VALUES) % (1 << 64)
        view.clear()
        assert m[latency].count == 0


@pytest.mark.guest
@pytest.mark.parametrize("kind", MACHINES)
def test_histograms_by_key(kind: str) -> None:
    draw = random.Random(1)
    rows = [(draw.randrange(4), draw.getrandbits(draw.randrange(40)), 0) for _ in range(200)]
    with machine(kind, record) as m:
        feed(m, rows)
        for view in (m[by_key], m[by_pair]):
            assert len(view) == 4
            assert sorted(n for _, n in [(key, one.count) for key, one in view.items()]) == sorted(
                sum(row[0] == key for row in rows) for key in range(4)
            )
        for key in range(4):
            values = [value for k, value, _ in rows if k == key]
            for one in (m[by_key][key], m[by_pair][Pair(a=key, b=1)]):
                assert one.total == sum(values)
                for low, high, count in one.buckets():
                    assert count == sum(low <= value < (high or 1 << 64) for value in values), (key, low)
        assert m[by_key].get(9) is None and 3 in m[by_key] and 9 not in m[by_key]
        out = io.StringIO()
        m[by_pair].print(top=1, file=out)
        assert out.getvalue().startswith("@by_pair[") and ", 1]: \n[" in out.getvalue()
        # as ebpf_exporter reads it: the key's parts, `bucket` last
        slot, count = next(iter(m[by_key.slots].items()))
        assert type(slot).__bpf__.size == 8 and [f.name for f in type(slot).__bpf__.fields] == ["key", "bucket"]
        assert sum(count) > 0


@pytest.mark.parametrize("kind", MACHINES)
def test_linear_histograms(kind: str) -> None:
    values = [-(1 << 63), -101, -100, -99, -1, 0, 49, 50, 399, 400, (1 << 63) - 1]
    with machine(kind, record) as m:
        feed(m, [(1, 0, value) for value in values])
        view = m[linear]
        for low, high, count in view.buckets():
            wanted = sum((low is None or low <= v) and (high is None or v < high) for v in values)
            assert count == wanted, low
        assert view.total == sum(values) and view.count == len(values)
        assert (view.buckets()[0].low, view.buckets()[-1]) == (None, Bucket(400, None, 2))


@pytest.mark.parametrize("kind", MACHINES)
def test_counters_and_figures(kind: str) -> None:
    rows = [(1, 0, -5), (2, 0, 7), (1, 0, 9), (3, 0, 0), (1, 0, 4)]
    with machine(kind, record) as m:
        assert m[figures].summary().min is None and m[figures].mean == 0.0
        feed(m, rows)
        assert m[hits].most_common(1) == [(1, 3)] and m[hits].total() == 5
        assert (m[hits][1], m[hits][9], len(m[hits]), 9 in m[hits]) == (3, 0, 3, False)
        assert dict(m[hits].items()) == {1: 3, 2: 1, 3: 1}
        seen = m[figures]
        assert (seen.count, seen.total, seen.min, seen.max, seen.mean) == (5, 15, -5, 9, 3.0)
        one = m[figures_by][Pair(a=1, b=2)]
        assert (one.count, one.total, one.min, one.max) == (3, 8, -5, 9)
        assert m[figures_by].get(Pair(a=9, b=2)) is None and len(m[figures_by]) == 3
        out = io.StringIO()
        m[figures].print(file=out)
        m[hits].print(top=1, file=out)
        assert out.getvalue() == "@figures: count 5, average 3, total 15\n@hits[1]: 3\n"
        m[hits].clear()
        assert len(m[hits]) == 0


def test_the_text_is_bpftraces() -> None:
    """What bpftrace's documentation shows of these counts (docs/reference_guide.md, hist() and lhist())."""
    powers = [Bucket(0, 1, 186), Bucket(1, 2, 0), Bucket(2, 4, 0), Bucket(4, 8, 0), Bucket(8, 16, 3), Bucket(16, 32, 1)]
    assert render_buckets(powers, powers=True).splitlines() == [
        "[0]                  186 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|",
        "[1]                    0 |                                                    |",
        "[2, 4)                 0 |                                                    |",
        "[4, 8)                 0 |                                                    |",
        "[8, 16)                3 |                                                    |",
        "[16, 32)               1 |                                                    |",
    ]
    large = [Bucket(512, 1024, 1), Bucket(1024, 2048, 27), Bucket(1 << 20, 2 << 20, 9), Bucket(1 << 50, 1 << 51, 3)]
    assert render_buckets(large, powers=True).splitlines() == [
        "[512, 1K)              1 |@                                                   |",
        "[1K, 2K)              27 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|",
        "[1M, 2M)               9 |@@@@@@@@@@@@@@@@@                                   |",
        "[1024T, 2048T)         3 |@@@@@                                               |",
    ]
    steps = [Bucket(None, 0, 0), Bucket(0, 1000, 480), Bucket(1000, 2048, 1), Bucket(2048, None, 3)]
    assert render_buckets(steps, powers=False).splitlines() == [
        "[0, 1000)            480 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|",
        "[1000, 2K)             1 |                                                    |",
        "[2K, ...)              3 |                                                    |",
    ]
    assert render_buckets([Bucket(None, -5, 1)], powers=False).startswith("(..., -5)              1 |@@@")


def test_logarithms() -> None:
    for n in range(64):
        assert (log2(1 << n), log2((2 << n) - 1), log2_up(1 << n)) == (n, n, n)
        assert log2_up((1 << n) + 1) == n + 1
    assert (log2(0), log2_up(0), log2_up((1 << 64) - 1)) == (0, 0, 64)


loud = RateLimit(per_second=10, burst=3)
each = RateLimitBy[u32](per_second=1000, burst=2, max_entries=100)


@xdp
def limited(pkt: XdpContext) -> XDP:
    return XDP.PASS if loud.allow() else XDP.DROP


@xdp
def limited_by_key(pkt: XdpContext) -> XDP:
    given = pkt.parse(input)
    if given is None:
        return XDP.ABORTED
    return XDP.PASS if each.allow(given.key) else XDP.DROP


def test_a_limit_by_the_clock() -> None:
    sim = Simulation(time=5_000_000_000)
    assert [sim.run(limited, bytes(64)).retval for _ in range(6)] == [2, 2, 2, 1, 1, 1]
    sim.advance(99_000_000)
    assert sim.run(limited, bytes(64)).retval == 1
    sim.advance(1_000_000)
    assert [sim.run(limited, bytes(64)).retval for _ in range(2)] == [2, 1]
    sim.advance(10_000_000_000)  # the bucket holds no more than its three
    assert [sim.run(limited, bytes(64)).retval for _ in range(5)] == [2, 2, 2, 1, 1]
    assert [sim.run(limited_by_key, packet(key, 0)).retval for key in (1, 1, 1, 2, 2, 2)] == [2, 2, 1, 2, 2, 1]


@pytest.mark.guest
@pytest.mark.kernel
@pytest.mark.parametrize("kind", MACHINES[:2])
def test_limits_in_the_kernel(kind: str) -> None:
    with machine(kind, limited, limited_by_key) as m:
        answers = [m.run(limited, bytes(64))[0] for _ in range(4)]
        assert answers[:3] == [2, 2, 2]
        loaded: Any = m.where
        start, passed = time.monotonic(), 3
        while (took := time.monotonic() - start) < 0.5:
            passed += loaded.programs["limited"].test(bytes(64)).retval == XDP.PASS
        assert passed <= 3 + 10 * (took + 0.2)
        assert passed >= 3 + int(10 * 0.3)
        assert m.run(limited_by_key, packet(7, 0))[0] == XDP.PASS


@xdp
def sampled(pkt: XdpContext) -> XDP:
    return XDP.PASS if one_in(10) else XDP.DROP


def test_one_in_so_many() -> None:
    sim = Simulation()
    taken = sum(sim.run(sampled, bytes(64)).retval == XDP.PASS for _ in range(2000))
    assert 120 < taken < 280


def test_maps_are_named_and_found() -> None:
    made = build(record)
    assert {"latency", "small", "by_key", "linear", "hits", "figures"} <= set(made.maps)
    assert made.maps["latency"].kind.name == "PERCPU_ARRAY" and made.maps["latency"].max_entries == 131
    assert made.maps["small"].max_entries == 23 and made.maps["linear"].max_entries == 13


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Histogram(65), "bucket_max must lie between 1 and 64, not 65"),
        (lambda: Histogram(bucket_max="x"), "bucket_max must be an int, not 'x'"),  # type: ignore[arg-type]
        (lambda: HistogramBy(max_entries=5), "HistogramBy needs the type of its key"),
        (lambda: HistogramBy[u32, u32](max_entries=5), "takes the type of its key only"),  # type: ignore[misc]
        (lambda: HistogramBy[u32](), "HistogramBy needs `max_entries`"),  # type: ignore[call-arg]
        (lambda: LinearHistogram(0, 10, 3), "from 0 to 10 there are no whole steps of 3"),
        (lambda: LinearHistogram(0, 1 << 20, 1), "more than 4096"),
        (lambda: LinearHistogram(10, 5, 1), "high must lie between 11 and"),
        (lambda: RateLimit(0, 5), "per_second must lie between 1 and 1000000000, not 0"),
        (lambda: Counter[u32, u64](max_entries=4), "Counter takes the type of its key only"),  # type: ignore[misc]
        (lambda: Histogram().slots, "this histogram has no name"),
        (lambda: StatsBy[list](max_entries=5, name="x").slots, "stats x, its key: "),
        (lambda: Stats(nam="x"), "did you mean `name`"),  # type: ignore[call-arg]
    ],
)
def test_faulty_declarations(make: Any, says: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        make()
    assert says in f"{caught.value.title} {caught.value.help}"


def test_outside_of_a_program_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="is a declaration and holds nothing by itself"):
        latency.record(5)


@pytest.mark.kernel
def test_what_no_program_uses_is_not_there() -> None:
    with load(limited) as obj, pytest.raises(KeyError, match="none of its programs uses that declaration"):
        obj[latency]
