"""Well-known tools, written anew in the language: each is built and loaded, and shows what it must of an event of ours.

programs/ holds the kernel's half of each tool; what its user half does with the maps is done here.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import Program, build, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAMS = Path(__file__).parent / "programs"
TOOLS = sorted([path.stem for path in PROGRAMS.glob("*.py")])
# Linux as the tests' machine has it can't load them: no trampolines
NOT_HERE = {"tcprtt"}

pytestmark = pytest.mark.kernel


def tool(name: str) -> Any:
    """The module of a tool."""
    found = sys.modules.get(f"tool_{name}")
    if found is None:
        spec = util.spec_from_file_location(f"tool_{name}", PROGRAMS / f"{name}.py")
        assert spec is not None and spec.loader is not None
        found = sys.modules[f"tool_{name}"] = util.module_from_spec(spec)
        spec.loader.exec_module(found)
    return found


def programs(name: str) -> list[Any]:
    return [value for value in vars(tool(name)).values() if isinstance(value, Program)]


@contextlib.contextmanager
def running(name: str, pid: int | None = None, **constants: Any) -> Iterator[tuple[Any, Any]]:
    """The tool's module, and its programs loaded and attached."""
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    with load(*programs(name), **constants) as obj, obj.attach(**({} if pid is None else {"pid": pid})):
        yield tool(name), obj


def seen(ring: Any, event: Callable[[], object], wanted: Callable[[Any], object], seconds: float = 20) -> Any:
    """Make an event until the ring buffer tells of it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        event()
        for found in ring.poll(0.2):
            if wanted(found):
                return found
    raise AssertionError("not seen")


def until(value: Callable[[], Any], event: Callable[[], object], seconds: float = 20) -> Any:
    """Make an event until a value is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        event()
        found = value()
        if found:
            return found
    raise AssertionError("not seen")


def test_there_are_enough() -> None:
    assert len(TOOLS) >= 40


@pytest.mark.parametrize("name", TOOLS)
def test_loads(name: str) -> None:
    made = build(*programs(name))
    # that a const() was found not to be zero is not remembered
    assert {warning.code for warning in made.warnings} <= {"W0901"}
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    if name not in NOT_HERE:
        with load(*programs(name)):
            pass


# --- processes


def test_execsnoop() -> None:
    with running("execsnoop") as (module, obj):
        run = ["/bin/echo", "one", "two words"]
        e = seen(obj[module.execs], lambda: subprocess.run(run, capture_output=True), lambda e: e.file == "/bin/echo")
    assert list(e.args[: e.args_count]) == ["/bin/echo", "one", "two words"]
    assert (e.ret, e.comm, e.uid) == (0, "echo", os.getuid())


def test_exitsnoop() -> None:
    child: list[int] = []

    def end() -> None:
        process = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
        child.append(process.pid)
        process.wait()

    with running("exitsnoop") as (module, obj):
        e = seen(obj[module.exits], end, lambda e: e.pid in child)
    assert (e.code, e.signal, e.ppid, e.comm) == (7, 0, os.getpid(), "sh")
    assert 0 < e.start < e.end


def test_killsnoop() -> None:
    with running("killsnoop") as (module, obj):
        e = seen(obj[module.kills], lambda: os.kill(os.getpid(), signal.SIGCONT), lambda e: e.pid == os.getpid())
    assert (e.target, e.signal, e.ret) == (os.getpid(), signal.SIGCONT, 0)


def test_killsnoop_of_failures_only() -> None:
    def fail() -> None:
        os.kill(os.getpid(), 0)
        with contextlib.suppress(ProcessLookupError):
            os.kill(1 << 22, signal.SIGTERM)

    with running("killsnoop", only_failed=True) as (module, obj):
        e = seen(obj[module.kills], fail, lambda e: e.pid == os.getpid())
    assert (e.target, e.signal, e.ret) == (1 << 22, signal.SIGTERM, -3)


def test_syscount() -> None:
    with running("syscount", only_pid=os.getpid()) as (module, obj):
        usage = until(lambda: dict(obj[module.usage]), os.getppid)
    assert list(usage) == [os.getpid()]
    assert usage[os.getpid()].count > 0
    assert usage[os.getpid()].total_ns > 0


# --- files


def test_statsnoop(tmp_path: Path) -> None:
    path = str(tmp_path / "missing")
    with running("statsnoop", only_pid=os.getpid()) as (module, obj):
        e = seen(obj[module.stats], lambda: os.path.exists(path), lambda e: e.path == path)
    assert (e.pid, e.ret) == (os.getpid(), -2)


def test_mountsnoop() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with running("mountsnoop") as (module, obj):
        e = seen(
            obj[module.mounts],
            lambda: libc.mount(b"from", b"/nowhere/at/all", b"tmpfs", 3, None),
            lambda e: e.pid == os.getpid(),
        )
        u = seen(obj[module.mounts], lambda: libc.umount2(b"/nowhere/at/all", 0), lambda e: e.op == module.Op.UMOUNT)
    assert (e.src, e.dest, e.fs, e.flags, e.ret) == ("from", "/nowhere/at/all", "tmpfs", 3, -2)
    assert (u.dest, u.ret) == ("/nowhere/at/all", -2)


# --- scheduling


@pytest.mark.parametrize("off_cpu", [False, True])
def test_cpudist(off_cpu: bool) -> None:
    with running("cpudist", off_cpu=off_cpu) as (module, obj):
        hist = until(lambda: obj[module.hists].get(os.getpid()), lambda: time.sleep(0.01))
    assert sum(hist.slots) > 0


def test_runqlat() -> None:
    with running("runqlat", only_tgid=os.getpid()) as (module, obj):
        hists = until(lambda: dict(obj[module.hists]), lambda: time.sleep(0.01))
    assert list(hists) == [os.getpid()]
    assert sum(hists[os.getpid()].slots) > 0


def test_runqslower() -> None:
    with running("runqslower", only_pid=os.getpid(), min_us=0) as (module, obj):
        e = seen(obj[module.slow], lambda: time.sleep(0.01), lambda e: e.pid == os.getpid())
    assert e.task == Path("/proc/self/comm").read_text().strip()


def test_offcputime() -> None:
    with running("offcputime") as (module, obj):
        mine = until(
            lambda: {k: us for k, us in obj[module.blocked].items() if k.pid == os.getpid()}, lambda: time.sleep(0.05)
        )
    ((key, us),) = mine.items()
    assert key.tgid == os.getpid()
    assert us > 10_000


def test_softirqs() -> None:
    with running("softirqs") as (module, obj):
        total = until(lambda: [t for t in obj[module.totals].values() if t.count], lambda: time.sleep(0.05))
    assert total[0].time > 0


# --- memory and libraries


def test_memleak() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    with running("memleak", os.getpid(), min_size=123_456, max_size=123_456) as (module, obj):
        kept, freed = libc.malloc(123_456), libc.malloc(123_456)
        libc.free(freed)
        blocks = dict(obj[module.blocks])
        held = obj[module.held].get(threading.get_native_id())
        libc.free(kept)
    assert {address: block.size for address, block in blocks.items()} == {kept: 123_456}
    assert held is not None and (held.bytes, held.blocks) == (123_456, 1)


def test_gethostlatency() -> None:
    with running("gethostlatency") as (module, obj):
        e = seen(obj[module.lookups], lambda: socket.getaddrinfo("localhost", 80), lambda e: e.pid == os.getpid())
    assert e.host == "localhost"
    assert 0 < e.time < 60 * 10**9


# --- the network


def test_bindsnoop() -> None:
    ports: list[int] = []

    def bind() -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            ports.append(s.getsockname()[1])

    with running("bindsnoop") as (module, obj):
        e = seen(obj[module.binds], bind, lambda e: e.pid == os.getpid())
    assert (e.addr, e.port, e.ret) == (0x7F000001, 0, 0)


def connection() -> tuple[int, int]:
    """A TCP session over the loopback interface; its ports."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        client.sendall(b"x" * 1000)
        while peer.recv(1000):
            client.shutdown(socket.SHUT_WR)
        peer.close()
        return client.getsockname()[1], server.getsockname()[1]


def test_tcpstates() -> None:
    made: list[tuple[int, int]] = []
    with running("tcpstates") as (module, obj):
        e = seen(
            obj[module.changes],
            lambda: made.append(connection()),
            lambda e: (e.sport, e.dport) in made and e.new == 1,
        )
    assert (e.pid, e.old, bytes(e.daddr)) == (os.getpid(), 2, bytes([127, 0, 0, 1]))


def test_tcplife() -> None:
    made: list[tuple[int, int]] = []
    with running("tcplife") as (module, obj):
        e = seen(obj[module.sessions], lambda: made.append(connection()), lambda e: (e.sport, e.dport) in made)
    assert (e.pid, e.saddr, e.daddr) == (os.getpid(), 0x7F000001, 0x7F000001)
    assert e.acked >= 1000


# --- packets


def frame(
    source: str = "10.1.2.3", target: str = "10.0.0.1", sport: int = 1234, dport: int = 80, flags: int = 2
) -> bytes:
    """An Ethernet frame with a TCP segment, its checksums right."""
    tcp = sport.to_bytes(2, "big") + dport.to_bytes(2, "big") + bytes(8) + bytes([0x50, flags]) + bytes(6)
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    tcp = tcp[:16] + checksum(ends + bytes([0, 6]) + len(tcp).to_bytes(2, "big") + tcp) + tcp[18:]
    ip = bytes([0x45, 0]) + (20 + len(tcp)).to_bytes(2, "big") + bytes([0, 1, 0, 0, 64, 6, 0, 0]) + ends
    ip = ip[:10] + checksum(ip) + ip[12:]
    return bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]) + b"\x08\x00" + ip + tcp


def checksum(data: bytes) -> bytes:
    total = sum([int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)])
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


@contextlib.contextmanager
def loaded(name: str, **constants: Any) -> Iterator[tuple[Any, Any]]:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    with load(*programs(name), **constants) as obj:
        yield tool(name), obj


def test_xdp_firewall() -> None:
    with loaded("xdp_firewall") as (module, obj):
        run = obj.programs["firewall"].test
        assert run(frame()).retval == 2
        obj[module.ports][80] = 0
        assert run(frame()).retval == 1
        assert obj[module.ports][80] == 1
        obj[module.blocked][module.Prefix(length=16, addr=0x0A010000)] = 0
        assert run(frame(dport=81)).retval == 1
        assert run(frame("10.2.0.1", dport=81)).retval == 2
        assert run(frame()[:30]).retval == 1
        counts = [sum([cpu.packets for cpu in each]) for each in obj[module.verdicts].values()]
    assert counts == [2, 1, 1, 0, 1]


def test_xdp_lb() -> None:
    with loaded("xdp_lb", vip=0x0A000001, vport=80, count=2) as (module, obj):
        for i in range(2):
            backend = module.Backend(addr=0x0A0000F0 + i, mac=[6, 0, 0, 0, 0, i], used=1, packets=0)
            obj[module.backends][i] = backend
        chosen = set()
        for port in range(2000, 2032):
            result = obj.programs["balance"].test(frame(sport=port))
            assert result.retval == 3
            target = "10.0.0." + str(result.packet[33])
            chosen.add(target)
            rest = frame(sport=port, target=target)[14:]
            mac = bytes([6, 0, 0, 0, 0, result.packet[33] - 0xF0])
            assert result.packet == mac + bytes([2, 0, 0, 0, 0, 1]) + b"\x08\x00" + rest
        assert chosen == {"10.0.0.240", "10.0.0.241"}
        assert sum([b.packets for b in obj[module.backends].values()]) == 32
        assert obj.programs["balance"].test(frame(dport=81)).retval == 2


def test_xdp_ratelimit() -> None:
    with loaded("xdp_ratelimit", rate=1, burst=5) as (module, obj):
        verdicts = [obj.programs["limit"].test(frame()).retval for _ in range(8)]
        other = obj.programs["limit"].test(frame("10.9.9.9")).retval
        dropped = sum(obj[module.dropped][0])
    assert verdicts == [2] * 5 + [1] * 3
    assert (other, dropped) == (2, 3)


def test_xdp_vlan_stats() -> None:
    plain = frame()
    tagged = plain[:12] + b"\x88\xa8\x00\x07" + b"\x81\x00\x20\x2a" + plain[12:]
    with loaded("xdp_vlan_stats") as (module, obj):
        for packet in (plain, tagged, tagged):
            assert obj.programs["stats"].test(packet).retval == 2
        totals = {(k.outer, k.inner, k.proto): (v.packets, v.bytes) for k, v in obj[module.totals].items()}
    assert totals == {(0, 0, 0x800): (1, len(plain)), (7, 42, 0x800): (2, 2 * len(tagged))}


def test_xdp_syn_stats() -> None:
    with loaded("xdp_syn_stats", threshold=3) as (module, obj):
        run = obj.programs["flags"].test
        for port in (20, 21, 22):
            run(frame(dport=port))
        for flags in (18, 1, 4, 3, 0, 41, 16):
            run(frame(flags=flags))
        (scan,) = obj[module.scans].read()
        total = obj[module.by_port][80].sum()
        first = obj[module.by_port][20].sum()
    assert (scan.addr, scan.ports) == (0x0A010203, 3)
    assert (total.syn, total.syn_ack, total.fin, total.rst, total.odd) == (0, 1, 1, 1, 3)
    assert first.syn == 1
