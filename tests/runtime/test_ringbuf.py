"""The ring-buffer consumer: every event once, in order, by each way of reading; and it ends when it should."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import U8, ArrayType
from pybpf.runtime import PybpfError, load_object

if TYPE_CHECKING:
    from pybpf.runtime import LoadedObject

pytestmark = pytest.mark.kernel


def fire(count: int) -> None:
    for _ in range(count):
        os.getppid()


def kept(count: int, start: int = 0) -> list[int]:
    """Numbers of the events that the program did not discard."""
    return [number for number in range(start, start + count) if number % 16 != 7]


def test_typed_events_in_order(ring: Any, programs: Any) -> None:
    assert ring.read() == []
    fire(40)
    events = ring.read()
    assert [event.number for event in events] == kept(40)
    assert {event.pid for event in events} == {os.getpid()} and type(events[0]) is programs.Event
    assert [event.value for event in events] == [-number for number in kept(40)]
    with open("/proc/self/comm", encoding="ascii") as comm:
        assert {event.comm for event in events} == {comm.read().strip()}
    assert ring.read() == []


def test_wrapping_around(ring: Any) -> None:
    """65,536 bytes hold 1,638 records of 40: several times round, in uneven steps."""
    seen: list[int] = []
    fired = 0
    for step in (1, 1500, 300, 1600, 7, 1638, 1100, 1500):
        fire(step)
        fired += step
        seen += [event.number for event in ring.read()]
    assert seen == kept(fired)


def test_full_buffer_drops_and_goes_on(ring: Any, obj: LoadedObject) -> None:
    fire(3000)
    events = ring.read()
    assert [event.number for event in events] == kept(1638)
    assert obj["total"] == 3000
    fire(10)
    assert [event.number for event in ring.read()] == kept(10, 3000)


def test_poll_waits_and_gives_up(ring: Any) -> None:
    start = time.monotonic()
    assert ring.poll(0.05) == []
    assert 0.04 < time.monotonic() - start < 5
    assert ring.poll(0) == []
    start = time.monotonic()
    fire(3)
    assert [event.number for event in ring.poll_for(0.05)] == [0, 1, 2]
    assert 0.04 < time.monotonic() - start < 5
    timer = threading.Timer(0.05, fire, [3])
    timer.start()
    events = []
    while len(events) < 3:
        events += ring.poll(5)
    timer.join()
    assert [event.number for event in events] == [3, 4, 5]


def test_break_loses_nothing(ring: Any) -> None:
    fire(20)
    for event in ring:
        if event.number == 4:
            break
    assert [event.number for event in ring.read()] == kept(20)[5:]


def test_iteration_ends_on_close_from_another_thread(kit: Any) -> None:
    obj = load_object(kit, globals={"only_pid": os.getpid()}).attach(ingress=None, raw=None)
    timer = threading.Timer(0.1, obj.close)
    fire(3)
    timer.start()
    assert [event.number for event in obj["events"]] == [0, 1, 2]
    timer.join()
    assert obj.closed


def test_close_while_polling(kit: Any) -> None:
    obj = load_object(kit)
    ring = obj["events"]
    threading.Timer(0.05, obj.close).start()
    assert ring.poll(10) == []
    assert obj.closed


def test_waiting_leaves_other_threads_running(ring: Any) -> None:
    waiting = threading.Thread(target=ring.poll, args=(0.3,))
    waiting.start()
    count = 0
    while waiting.is_alive():
        count += 1
        time.sleep(0.001)
    assert count > 50


def test_ctrl_c_gets_out(ring: Any) -> None:
    """SIGINT while the loop sleeps raises there; nothing is lost, and the buffer is still good."""
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        for _ in ring:
            pass
    fire(2)
    assert [event.number for event in ring.read()] == [0, 1]


def test_events_fired_by_another_thread_all_arrive(ring: Any) -> None:
    """Reader and writer race; as long as the buffer is never full nothing may be lost, doubled or out of order."""
    total = 20_000
    seen: list[int] = []

    def writer() -> None:
        for fired in range(0, total, 50):
            while (seen and fired - seen[-1] > 1200) or (not seen and fired > 1200):
                time.sleep(0.0005)
            fire(50)

    thread = threading.Thread(target=writer)
    thread.start()
    last = kept(total)[-1]
    while not seen or seen[-1] != last:
        events = ring.poll(20)
        assert events
        seen += [event.number for event in events]
    thread.join()
    assert seen == kept(total)


def test_async_iteration(ring: Any) -> None:
    async def main() -> list[int]:
        ticks = 0

        async def ticker() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1
                if ticks % 5 == 0 and ticks <= 50:
                    fire(3)

        task = asyncio.create_task(ticker())
        seen = []
        async for event in ring:
            seen.append(event.number)
            if len(seen) >= 15:
                break
        task.cancel()
        assert ticks >= 20  # the loop went on while nothing came
        return seen

    assert asyncio.run(asyncio.wait_for(main(), 20)) == kept(40)[:15]


def test_async_iteration_ends_on_close(kit: Any) -> None:
    async def main() -> list[int]:
        obj = load_object(kit, globals={"only_pid": os.getpid()}).attach(ingress=None, raw=None)
        asyncio.get_running_loop().call_later(0.1, obj.close)
        fire(3)
        return [event.number async for event in obj["events"]]

    before = len(os.listdir("/proc/self/fd"))
    assert asyncio.run(asyncio.wait_for(main(), 20)) == [0, 1, 2]
    assert len(os.listdir("/proc/self/fd")) == before


def test_two_async_readers_share(kit: Any) -> None:
    async def main() -> list[int]:
        with load_object(kit, globals={"only_pid": os.getpid()}).attach(ingress=None, raw=None) as obj:
            seen: list[int] = []

            async def reader() -> None:
                async for event in obj["events"]:
                    seen.append(event.number)

            tasks = [asyncio.create_task(reader()) for _ in range(2)]
            for _ in range(10):
                fire(5)
                await asyncio.sleep(0.01)
            obj.close()
            await asyncio.gather(*tasks)
            return sorted(seen)

    assert asyncio.run(asyncio.wait_for(main(), 20)) == kept(50)


def test_bytes_where_no_type_is_known(kit: Any) -> None:
    kit.maps["events"] = replace(kit.maps["events"], value=None)
    with load_object(kit, globals={"only_pid": os.getpid()}).attach(ingress=None, raw=None) as obj:
        fire(2)
        assert [struct.unpack_from("<IiQ", event) for event in obj["events"].read()] == [
            (os.getpid(), 0, 0),
            (os.getpid(), -1, 1),
        ]


def test_records_smaller_than_the_type(kit: Any) -> None:
    kit.maps["events"] = replace(kit.maps["events"], value=ArrayType(U8, 64))
    with load_object(kit, globals={"only_pid": os.getpid()}).attach(ingress=None, raw=None) as obj:
        fire(1)
        with pytest.raises(PybpfError, match=r"a record of 32 bytes, but Array\[u8, 64\] has 64"):
            obj["events"].read()


def test_twice_as_fast_as_bcc() -> None:
    """The benchmark, in short: typed events against ctypes ones."""
    if not os.path.exists("/usr/lib/python3/dist-packages/bcc"):
        pytest.skip("BCC's Python package is not installed (python3-bpfcc)")
    code = (
        "import statistics, ring_buffer\n"
        "speeds = ring_buffer.measure(3, 30_000)\n"
        "for read in (False, True):\n"
        "    pairs = zip(speeds['pybpf', read], speeds['bcc', read])\n"
        "    assert statistics.median([a / b for a, b in pairs]) > 2, speeds\n"
    )
    benchmarks = Path(__file__).parents[2] / "benchmarks"
    environment = {**os.environ, "PYTHONPATH": str(benchmarks.parent)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=benchmarks, env=environment, timeout=120)


def test_decoding_keeps_up(ring: Any, programs: Any) -> None:
    """Bulk decoding takes no longer than making the same events in Python several times over."""
    fire(1600)
    start = time.thread_time()
    events = ring.read()
    decoding = time.thread_time() - start
    start = time.thread_time()
    for number in range(3 * 1600):
        programs.Event(pid=1, value=-number, number=number, comm="python")
    assert len(events) == len(kept(1600)) and decoding < time.thread_time() - start
