"""Every example, run as a person runs it, in the machine's kernel, over events that the test makes itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")


class Running:
    """An example at work; its lines arrive in `lines`."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=EXAMPLES
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.errors)),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: TextIO, into: list[str]) -> None:
        into.extend(iter(stream.readline, ""))

    def until(self, event: Callable[[], object], seen: Callable[[str], bool], seconds: float = 40) -> str:
        """Make the event again and again until a line tells of it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            event()
            time.sleep(0.05)
            for line in list(self.lines):
                if seen(line):
                    return line
        raise AssertionError("".join(["not seen\n", *self.lines[-20:], *self.errors]))

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(20)
        finally:
            self.process.kill()
            for reader in self._readers:
                reader.join(10)
        return code


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def start(*words: str, module: bool = False) -> Running:
        command = [sys.executable, "-m", "pybpf.cli", *words] if module else [sys.executable, *words]
        running.append(Running(command))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def open_file(path: Path) -> None:
    path.write_text("")


def test_hello(start: Callable[..., Running], tmp_path: Path) -> None:
    example = start("hello.py")
    example.until(lambda: open_file(tmp_path / "x"), lambda line: f"[{os.getpid()}] opens a file" in line)
    assert example.stop() in (0, 130, -signal.SIGINT)
    assert "Traceback" not in "".join(example.errors)


def test_hello_by_the_command_line(start: Callable[..., Running], tmp_path: Path) -> None:
    example = start("run", "hello.py", module=True)
    example.until(lambda: open_file(tmp_path / "x"), lambda line: f"[{os.getpid()}] opens a file" in line)
    assert example.stop() == 0
    assert "".join(example.errors).startswith("hello: running")


def test_opensnoop(start: Callable[..., Running], tmp_path: Path) -> None:
    example = start("opensnoop.py")
    mine = tmp_path / "opened-by-this-test"
    line = example.until(lambda: open_file(mine), lambda line: line.rstrip().endswith(str(mine)))
    pid, *_, result, path = line.split()
    assert (int(pid), path) == (os.getpid(), str(mine))
    assert int(result) > 2
    gone = tmp_path / "not-there"
    line = example.until(lambda: _try_open(gone), lambda line: line.rstrip().endswith(str(gone)))
    assert line.split()[-2] == "-2"
    example.stop()
    assert "Traceback" not in "".join(example.errors)


def _try_open(path: Path) -> None:
    try:
        os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        pass


def test_opensnoop_of_one_process_by_the_command_line(start: Callable[..., Running], tmp_path: Path) -> None:
    """`--set` reaches the constant: only the one process is shown."""
    example = start("run", "opensnoop.py", "--set", f"only_pid={os.getpid()}", "--seconds", "8", module=True)
    mine = tmp_path / "opened-by-this-test"

    def both() -> None:
        open_file(mine)
        subprocess.run(["cat", "/etc/hostname"], check=True, stdout=subprocess.DEVNULL)

    example.until(both, lambda line: repr(str(mine)) in line and line.startswith(f"pid={os.getpid()} "))
    assert example.process.wait(30) == 0
    assert {line.split()[0] for line in example.lines} == {f"pid={os.getpid()}"}


def test_opensnoop_ends_by_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "opensnoop.py", "0.5"],
        cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("    PID COMM")


def test_execsnoop(start: Callable[..., Running], tmp_path: Path) -> None:
    program = tmp_path / "started-here"
    shutil.copy(shutil.which("true") or "/bin/true", program)
    example = start("execsnoop.py")
    line = example.until(
        lambda: subprocess.run([program], check=True), lambda line: line.rstrip().endswith(str(program))
    )
    _, uid, comm, _ = line.split()
    assert (uid, comm) == ("0", "started-here")


def test_syscount() -> None:
    spin = "import os, time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: os.getppid()"
    busy = subprocess.Popen([sys.executable, "-c", spin])
    try:
        done = subprocess.run(
            [sys.executable, "syscount.py", "1"],
            cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    finally:
        busy.kill()
        busy.wait()
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.split("\n")[1:-1]]
    counts = [int(calls) for calls, *_ in rows]
    assert max(int(calls) for calls, pid, *_ in rows if int(pid) == busy.pid) > 1000
    assert counts == sorted(counts, reverse=True)


def test_malloc_sizes() -> None:
    code = (
        "import ctypes, time\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]\n"
        "libc.free.argtypes = [ctypes.c_void_p]\n"
        "end = time.monotonic() + 30\n"
        "while time.monotonic() < end:\n"
        "    libc.free(libc.malloc(1_000_000)); time.sleep(0.01)\n"
    )
    busy = subprocess.Popen([sys.executable, "-c", code])
    try:
        time.sleep(0.3)
        done = subprocess.run(
            [sys.executable, "malloc_sizes.py", str(busy.pid), "1.5"],
            cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    finally:
        busy.kill()
        busy.wait()
    assert (done.returncode, done.stderr) == (0, "")
    rows = [[int(word) for word in line.split()] for line in done.stdout.split("\n")[1:-1]]
    assert {thread for thread, *_ in rows} == {busy.pid}, "no other process is seen"
    ((_, calls, total, failed),) = rows
    assert calls > 10 and failed == 0
    assert total > 10 * 1_000_000


@pytest.fixture
def network() -> Iterator[str]:
    """A network namespace with a veth pair inside: `left` 10.77.0.1 in it, `right` 10.77.0.2 in a second one."""
    if not shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        pytest.skip("ip is not installed")
    name = f"pybpf-example-{os.getpid()}"
    peer = f"{name}-peer"

    def ip(*words: str, inside: str = name) -> None:
        subprocess.run(["ip", "-n", inside, *words], check=True)

    try:
        for each in (name, peer):
            subprocess.run(["ip", "netns", "add", each], check=True)
        ip("link", "add", "left", "type", "veth", "peer", "name", "right", "netns", peer)
        for inside, device, address in ((name, "left", "10.77.0.1/24"), (peer, "right", "10.77.0.2/24")):
            ip("addr", "add", address, "dev", device, inside=inside)
            ip("link", "set", device, "up", inside=inside)
        yield name
    finally:
        for each in (name, peer):
            subprocess.run(["ip", "netns", "del", each], check=False, stderr=subprocess.DEVNULL)


def test_xdp_count(network: str) -> None:
    send = (
        "import socket, time\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "end = time.monotonic() + 20\n"
        "while time.monotonic() < end: s.sendto(b'x' * 100, ('10.77.0.1', 9999)); time.sleep(0.02)\n"
    )
    sender = subprocess.Popen(["ip", "netns", "exec", f"{network}-peer", sys.executable, "-c", send])
    try:
        done = subprocess.run(
            ["ip", "netns", "exec", network, sys.executable, "xdp_count.py", "left", "2"],
            cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    finally:
        sender.kill()
        sender.wait()
    assert (done.returncode, done.stderr) == (0, "")
    counts = dict(line.split() for line in done.stdout.strip().split("\n"))
    assert 20 < int(counts["udp"]) < 200


def test_every_example_is_tested() -> None:
    tested = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.name}"' in tested, path.name


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("opensnoop.py", "--set", "only_pid=many"), "only_pid"),
        (("opensnoop.py", "--set", "nosuch=1"), "nosuch"),
        (("opensnoop.py", "--seconds", "soon"), "error: --seconds soon: not a number of seconds"),
        (("opensnoop.py", "--attach", "enter"), "help: write it as --attach firewall=eth0"),
        (("opensnoop.py", "--attach", "nosuch=lo"), "nosuch"),
        (("xdp_count.py",), "--attach PROGRAM=TARGET"),
        (("xdp_count.py", "--attach", "count=nosuch0"), "error: there is no interface nosuch0"),
    ],
)
def test_run_refuses(words: tuple[str, ...], told: str) -> None:
    command = [sys.executable, "-m", "pybpf.cli", "run", *words]
    done = subprocess.run(command, cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_run_prints_maps_at_the_end() -> None:
    command = [sys.executable, "-m", "pybpf.cli", "run", "syscount.py", "--seconds", "0.5", "--maps"]
    done = subprocess.run(command, cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    heading, *elements = done.stdout.strip().split("\n")
    assert heading.startswith("calls: ") and " element" in heading
    assert all(line.startswith("  pid=") for line in elements[:5])


def test_run_without_privilege_says_what_is_missing() -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not installed")
    command = [setpriv, "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "pybpf.cli", "run", "hello.py"]
    done = subprocess.run(command, cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "not permitted (EPERM)" in done.stderr and "CAP_BPF" in done.stderr
