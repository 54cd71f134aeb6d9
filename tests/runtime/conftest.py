"""Objects to load: C programs built by clang-19, with the specs that a compiler of typed programs would give."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pybpf.compiler.schema.record import Record, factory
from pybpf.compiler.schema.specs import GlobalSpec, MapSpec
from pybpf.compiler.schema.types import I32, U32, U64, TextType, layout
from pybpf.runtime import load_object
from pybpf.stdlib.maps import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.runtime import LoadedObject

SOURCES = Path(__file__).parent / "programs"


class Compiled(Record, eq=False):
    """What the compiler gives, as far as the runtime looks."""

    elf: bytes
    name: str
    programs: dict[str, Any] = factory(dict)
    maps: dict[str, MapSpec] = factory(dict)
    globals: dict[str, GlobalSpec] = factory(dict)


@pytest.fixture(scope="session")
def build_c(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """Object bytes of `programs/NAME.bpf.c`."""
    if shutil.which("clang-19") is None:
        pytest.skip("no clang-19 to build the test objects with")
    made: dict[str, bytes] = {}
    directory = tmp_path_factory.mktemp("objects")

    def build(name: str) -> bytes:
        if name not in made:
            out = directory / f"{name}.o"
            command = ["clang-19", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-I/usr/include/x86_64-linux-gnu",
                       "-c", str(SOURCES / f"{name}.bpf.c"), "-o", str(out)]  # fmt: skip
            subprocess.run(command, check=True, cwd=SOURCES)
            made[name] = out.read_bytes()
        return made[name]

    return build


@pytest.fixture(scope="session", autouse=True)
def needs_root() -> None:
    """All of these tests but those of plain functions load programs."""
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")


EVENT = layout("Event", [("pid", U32), ("value", I32), ("number", U64), ("comm", TextType(16))])
FLOW = layout("Flow", [("addr", U32), ("port", U32)])


def specs() -> dict[str, MapSpec]:
    """The maps of kit.bpf.c."""
    return {
        "hash": MapSpec("hash", KINDS["HASH"], U32, U64, 64),
        "array": MapSpec("array", KINDS["ARRAY"], U32, I32, 8),
        "lru": MapSpec("lru", KINDS["LRU_HASH"], U32, U64, 16),
        "percpu": MapSpec("percpu", KINDS["PERCPU_HASH"], U32, U64, 64),
        "slots": MapSpec("slots", KINDS["PERCPU_ARRAY"], U32, U32, 4),
        "flows": MapSpec("flows", KINDS["HASH"], FLOW, EVENT, 32),
        "events": MapSpec("events", KINDS["RINGBUF"], None, EVENT, 65536),
    }


def variables() -> dict[str, GlobalSpec]:
    """The globals of kit.bpf.c."""
    return {
        "only_pid": GlobalSpec("only_pid", U32, bytes(4), True),
        "total": GlobalSpec("total", U64, bytes(8), False),
        "limit": GlobalSpec("limit", I32, (5).to_bytes(4, "little"), False),
    }


@pytest.fixture
def kit(build_c: Callable[[str], bytes]) -> Compiled:
    return Compiled(build_c("kit"), "kit", {}, specs(), variables())


@pytest.fixture
def obj(kit: Compiled) -> Iterator[LoadedObject]:
    """kit.bpf.c in the kernel, whose programs see this process only."""
    with load_object(kit, globals={"only_pid": os.getpid()}) as loaded:
        yield loaded


@pytest.fixture
def ring(obj: LoadedObject) -> Iterator[Any]:
    """The ring buffer, with an event for each os.getppid() of this process; each carries the number of the call."""
    with obj.programs["enter"].attach():
        yield obj["events"]


class Network:
    """A network namespace with a pair of virtual interfaces, `left` and `right`, both up."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = f"/run/netns/{name}"

    def ip(self, *arguments: str) -> str:
        command = ["ip", "-n", self.name, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def send(self, count: int, size: int = 64) -> None:
        """Send frames out of `left`, so that they arrive at `right`."""
        code = (
            "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('left', 0))\n"
            f"for i in range({count}): s.send(b'\\xff' * 12 + b'\\x88\\xb5' + bytes({size - 14}))"
        )
        subprocess.run(["ip", "netns", "exec", self.name, "/usr/bin/python3", "-c", code], check=True)


@pytest.fixture
def network() -> Iterator[Network]:
    name = f"pybpf-test-{os.getpid()}"
    if shutil.which("ip") is None:
        pytest.skip("no `ip` command (iproute2)")
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        net = Network(name)
        net.ip("link", "add", "left", "type", "veth", "peer", "name", "right")
        for link in ("left", "right"):
            net.ip("link", "set", link, "up")
        yield net
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
