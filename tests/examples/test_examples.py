"""Every example, run as a person runs it, in the machine's kernel, over events that the test makes itself."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
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

    def start(*words: str, module: bool = False, inside: str = "") -> Running:
        command = [sys.executable, "-m", "pybpf.cli", *words] if module else [sys.executable, *words]
        if inside:
            command = ["ip", "netns", "exec", inside, *command]
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


def test_opensnoop_sees_other_processes(start: Callable[..., Running], tmp_path: Path) -> None:
    """A child's open, under the child's pid and name, with the path as the child gave it."""
    example = start("opensnoop.py")
    (tmp_path / "read-by-the-child").touch()
    children = []

    def child() -> None:
        children.append(subprocess.Popen(["cat", "./read-by-the-child"], cwd=tmp_path))
        assert children[-1].wait(20) == 0

    line = example.until(child, lambda line: line.rstrip().endswith(" ./read-by-the-child"))
    pid, comm, result, _ = line.split()
    assert int(pid) in [child.pid for child in children]
    assert comm == "cat" and int(result) > 2


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
    children = []

    def child() -> None:
        children.append(subprocess.Popen([program]))
        assert children[-1].wait(20) == 0

    line = example.until(child, lambda line: line.rstrip().endswith(str(program)))
    pid, uid, comm, _ = line.split()
    assert int(pid) in [child.pid for child in children]
    assert (uid, comm) == ("0", "started-here")
    assert example.stop() == 0
    assert "".join(example.errors) == ""


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
    (mine,) = [int(calls) for calls, pid, *_ in rows if int(pid) == busy.pid]
    assert mine > 1000
    assert counts == sorted(counts, reverse=True)


def test_runqlat() -> None:
    done = subprocess.run(
        [sys.executable, "runqlat.py", "1"],
        cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.rstrip("\n").split("\n")
    assert head == "@microseconds: "
    counts = [int(row[16:24]) for row in rows]
    assert counts[0] > 0 < counts[-1] and all(row[0] == "[" and row[24:26] == " |" for row in rows)
    assert sum(counts) > 10  # a machine that runs this wakes tasks all the time


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


def test_malloc_sizes_of_a_c_program(tmp_path: Path) -> None:
    """Two threads whose mallocs all have a size of their own: the bytes are that many times the calls."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    (tmp_path / "busy.c").write_text(
        "#include <pthread.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
        "static void *work(void *size) { for (;;) { free(malloc((size_t)size)); usleep(2000); } }\n"
        "int main(void) { pthread_t t; pthread_create(&t, 0, work, (void *)1000); alarm(30); work((void *)77); }\n"
    )
    subprocess.run(["gcc", "-O0", "-fno-builtin", "-pthread", "busy.c", "-o", "busy"], cwd=tmp_path, check=True)
    busy = subprocess.Popen([tmp_path / "busy"])
    try:
        done = subprocess.run(
            [sys.executable, "malloc_sizes.py", str(busy.pid), "1"],
            cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    finally:
        busy.kill()
        busy.wait()
    assert (done.returncode, done.stderr) == (0, "")
    rows = {
        tid: rest for tid, *rest in ([int(word) for word in line.split()] for line in done.stdout.split("\n")[1:-1])
    }
    calls, total, failed = rows.pop(busy.pid)
    assert calls > 20 and total == 77 * calls and failed == 0
    ((calls, total, failed),) = rows.values()
    assert calls > 20 and total == 1000 * calls and failed == 0


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
        for inside, device, number in ((name, "left", 1), (peer, "right", 2)):
            ip("addr", "add", f"10.77.0.{number}/24", "dev", device, inside=inside)
            ip("addr", "add", f"fd77::{number}/64", "dev", device, "nodad", inside=inside)
            ip("link", "set", device, "up", inside=inside)
        yield name
    finally:
        for each in (name, peer):
            subprocess.run(["ip", "netns", "del", each], check=False, stderr=subprocess.DEVNULL)


def test_xdp_count(network: str, start: Callable[..., Running]) -> None:
    """Each packet is counted once, under its protocol, and the interface is as before afterwards."""
    send = (
        "import socket, struct\n"
        "udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for i in range(7): udp.sendto(b'x' * 100, ('10.77.0.1', 9999))\n"
        "raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)\n"
        "echo = lambda i: struct.pack('>BBHHH', 8, 0, 0xffff - 0x0800 - 1 - i, 1, i)\n"
        "for i in range(5): raw.sendto(echo(i), ('10.77.0.1', 0))\n"
        "other = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)\n"
        "for i in range(3): other.sendto(bytes(12), ('10.77.0.1', 0))\n"
        "udp6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
        "for i in range(4): udp6.sendto(b'x', ('fd77::1', 9999))\n"
    )

    def attached() -> bool:
        shown = subprocess.run(
            ["ip", "-n", network, "link", "show", "left"], check=True, capture_output=True, text=True
        )
        return "prog/xdp" in shown.stdout

    example = start("xdp_count.py", "left", "3", inside=network)
    deadline = time.monotonic() + 30
    while not attached():
        assert time.monotonic() < deadline and example.process.poll() is None, example.errors
        time.sleep(0.02)
    subprocess.run(["ip", "netns", "exec", f"{network}-peer", sys.executable, "-c", send], check=True, timeout=30)
    assert example.process.wait(60) == 0
    example.stop()
    assert example.errors == []
    counts = dict(line.split() for line in example.lines)
    for own in ("icmpv6", "0"):  # what the network stacks say to each other; 0 are hop-by-hop options
        counts.pop(own, None)
    assert counts == {"udp": "11", "icmp": "5", "132": "3"}
    assert not attached()


def test_xdp_firewall(network: str, start: Callable[..., Running]) -> None:
    """What the blocked address sends is counted and does not arrive; of a burst to the guarded port five packets do."""
    send = (
        "import socket\n"
        "udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "udp.bind(('10.77.0.2', 5555))\n"
        "for i in range(40): udp.sendto(b'x', ('10.77.0.1', 9999))\n"
        "other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "other.bind(('10.77.0.3', 6666))\n"
        "for i in range(6): other.sendto(b'x', ('10.77.0.1', 53))\n"
    )

    def attached() -> bool:
        shown = subprocess.run(
            ["ip", "-n", network, "link", "show", "left"], check=True, capture_output=True, text=True
        )
        return "prog/xdp" in shown.stdout

    add = ["ip", "-n", f"{network}-peer", "addr", "add", "10.77.0.3/24", "dev", "right"]
    subprocess.run(add, check=True)
    example = start("xdp_firewall.py", "left", "3", "10.77.0.3", inside=network)
    deadline = time.monotonic() + 30
    while not attached():
        assert time.monotonic() < deadline and example.process.poll() is None, example.errors
        time.sleep(0.02)
    subprocess.run(["ip", "netns", "exec", f"{network}-peer", sys.executable, "-c", send], check=True, timeout=30)
    assert example.process.wait(60) == 0
    example.stop()
    assert example.errors == []
    rows = [line.split(maxsplit=1) for line in example.lines]
    counts = {text.strip(): int(count) for count, text in rows}
    assert counts.pop("::ffff:10.77.0.3 port 6666 -> ::ffff:10.77.0.1 port 53") == 6
    ((text, count),) = counts.items()
    assert text == "::ffff:10.77.0.2 port 5555 -> ::ffff:10.77.0.1 port 9999"
    assert 25 <= count <= 35  # five at once, and one each 10 ms
    assert not attached()


def test_tcplife(start: Callable[..., Running]) -> None:
    """Both ends of a session, each as its own side saw it. What was acknowledged counts SYN and FIN too."""
    example = start("tcplife.py")
    ports = []

    def session() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            peer, address = server.accept()
            ports.append(address[1])
            client.send(b"x" * 100)
            peer.recv(100)
            peer.send(b"y" * 7)
            client.recv(7)
            client.close()
            peer.close()

    def of_a_client(line: str) -> bool:
        words = line.split()
        return len(words) == 9 and words[2] == "::ffff:127.0.0.1" and int(words[3]) in ports

    pid, _, _, _, remote, _, sent, received, took = example.until(session, of_a_client).split()
    assert int(pid) == os.getpid() and remote == "::ffff:127.0.0.1"
    assert 100 <= int(sent) <= 102 and 7 <= int(received) <= 9 and 0 < float(took) < 10_000
    assert example.stop() == 0 and example.errors == []


def test_cpu_profile() -> None:
    """A process that spins: its stacks, and no other's, with the names of functions."""
    spin = "end = __import__('time').monotonic() + 20\nwhile __import__('time').monotonic() < end: pass"
    busy = subprocess.Popen([sys.executable, "-c", spin])
    try:
        done = subprocess.run(
            [sys.executable, "cpu_profile.py", "2", str(busy.pid)],
            cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    finally:
        busy.kill()
        busy.wait()
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.rsplit(" ", 1) for line in done.stdout.splitlines()]
    assert sum(int(count) for _, count in rows) > 10
    assert {stack.split(";")[0] for stack, _ in rows} <= {"python", "python3", Path(sys.executable).name[:15]}
    assert any("_PyEval_EvalFrameDefault" in stack or "Py" in stack for stack, _ in rows), rows


def test_cgroup_firewall(start: Callable[..., Running]) -> None:
    """In a network namespace and a control group of the test's own: what is allowed arrives, the rest is counted."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    found = [words[1] for words in mounts if words[2] == "cgroup2"]
    if not found or not shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        pytest.skip("cgroup2 is not mounted, or ip is not installed")
    group, space = Path(found[0]) / f"pybpf-example-{os.getpid()}", f"pybpf-example-{os.getpid()}-group"
    send = (
        "import socket\n"
        "for address in ('127.0.0.1', '127.1.2.3') * 3:\n"
        "    try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', (address, 9))\n"
        "    except PermissionError: print(address, 'refused')\n"
    )
    join = f'echo $$ > {group}/cgroup.procs && exec "$@"'  # before `ip` shows another /sys
    group.mkdir()
    try:
        subprocess.run(["ip", "netns", "add", space], check=True)
        subprocess.run(["ip", "-n", space, "link", "set", "lo", "up"], check=True)
        example = start("cgroup_firewall.py", str(group), "5", "127.0.0.0/16")
        deadline = time.monotonic() + 30
        said = ""
        while said != "127.1.2.3 refused\n" * 3:  # it takes a while to attach
            assert time.monotonic() < deadline and example.process.poll() is None, example.errors
            command = ["sh", "-c", join, "sh", "ip", "netns", "exec", space, sys.executable, "-c", send]
            said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
        assert example.process.wait(60) == 0
        example.stop()
        assert example.errors == []
        ((count, address),) = [line.split() for line in example.lines]
        assert address == "127.1.2.3" and int(count) >= 3
    finally:
        subprocess.run(["ip", "netns", "del", space], check=False, stderr=subprocess.DEVNULL)
        group.rmdir()


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
        (("xdp_count.py",), "--attach count=eth0"),
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
    elements = done.stdout.strip().split("\n")
    counts = [re.fullmatch(r"@calls\[\d+, .*\]: (\d+)", line) for line in elements]
    assert all(counts), elements
    assert (found := [int(each[1]) for each in counts if each]) == sorted(found)


def test_run_without_privilege_says_what_is_missing() -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not installed")
    command = [setpriv, "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "pybpf.cli", "run", "hello.py"]
    done = subprocess.run(command, cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "not permitted (EPERM)" in done.stderr and "CAP_BPF" in done.stderr
