"""What the kernel keeps goes when the process that attached it does, however that ends: filters, routes, and programs
of maps that are pinned; and nothing that is somebody else's goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import TC, TcContext, load, tc
from pybpf.runtime.links import guard, guardian

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.kernel

MINE = "PYBPF_GUARDIANS_OF"

# Attaches a filter and a route; says so; then ends as told.
SOURCE = """
import os, sys, time
from pybpf import *

@tc
def kept_filter(skb: TcContext) -> TC:
    return TC.OK

@action
def kept_action(skb: TcContext) -> TC:
    return TC.OK

@lwt.out
def kept_route(skb: LwtContext) -> LWT:
    return LWT.OK

how, netns = sys.argv[1:]
obj = load(kept_filter, kept_action, kept_route)
with obj:
    obj.programs["kept_filter"].attach("right", netns=netns, priority=7, handle=3)
    try:
        obj.programs["kept_action"].attach("right", netns=netns, direction="egress")
    except AttachError:
        pass  # this kernel has no actions of BPF programs
    obj.programs["kept_route"].attach("10.99.0.0/24", dev="left", via="10.77.0.2", netns=netns)
    if how == "forked":  # a child has the socket to the guardian too, for a moment
        if not os.fork():
            with obj:
                pass  # the child's end of it takes nothing away
            print("attached", flush=True)
            time.sleep(60)
            os._exit(0)
        time.sleep(60)
    print("attached", flush=True)
    if how == "exception":
        raise RuntimeError("on purpose")
    if how == "exit":
        sys.exit(3)
    if how == "at once":
        os._exit(4)
    if how == "other program":
        os.execv("/bin/true", ["true"])
    time.sleep(60)
"""


def left(network: Any) -> str:
    """What there is of it in the namespace."""
    found = network.run("tc", "qdisc", "show", "dev", "right") + network.ip("route", "show", "table", "all")
    return "".join(line for line in found.splitlines(True) if "clsact" in line or "kept_route" in line)


def guardians() -> list[int]:
    """Guardians of processes that have ended, or that are there: of the test in hand."""
    mine = f"{MINE}={os.environ.get(MINE, '')}\0".encode()
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file, open(f"/proc/{name}/environ", "rb") as settings:
                if b"links/guard.py" in file.read() and mine in settings.read():
                    found.append(int(name))
        except (OSError, ValueError):
            continue
    return found


def soon(what: Callable[[], bool]) -> bool:
    for _ in range(200):
        if what():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def routed(network: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A network; what the test starts has a variable in its environment that nothing else has."""
    monkeypatch.setenv(MINE, network.name)
    network.address()
    return network


@pytest.mark.parametrize(
    ("how", "number", "code"),
    [
        pytest.param("wait", signal.SIGKILL, -signal.SIGKILL, marks=pytest.mark.guest),
        ("wait", signal.SIGTERM, -signal.SIGTERM),
        ("wait", signal.SIGINT, -signal.SIGINT),
        ("forked", signal.SIGKILL, -signal.SIGKILL),
        ("exception", None, 1),
        ("exit", None, 3),
        ("at once", None, 4),
        ("other program", None, 0),
    ],
)
def test_nothing_stays(how: str, number: int | None, code: int, routed: Any, tmp_path: Path) -> None:
    before = set(guardians())
    file = tmp_path / "kept.py"
    file.write_text(SOURCE)
    command = [sys.executable, str(file), how, routed.name]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            assert process.stdout.readline() == "attached\n", process.stderr.read()
            if number is not None:
                assert "clsact" in left(routed) and "kept_route#" in left(routed)
                assert len(set(guardians()) - before) == 1
                if number == signal.SIGINT:  # to the whole foreground group, as a terminal does
                    os.killpg(process.pid, number)
                else:
                    os.kill(process.pid, number)
            assert process.wait(20) == code
            assert soon(lambda: not left(routed)), left(routed)
            assert soon(lambda: not set(guardians()) - before)
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


@tc
def ours(skb: TcContext) -> TC:
    return TC.OK


def test_what_is_of_somebody_else_stays(routed: Any, tmp_path: Path) -> None:
    """The filter in the place of the killed process's own has another program."""
    before = set(guardians())
    file = tmp_path / "kept.py"
    file.write_text(SOURCE)
    command = [sys.executable, str(file), "wait", routed.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, load(ours) as obj:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "attached\n"
            obj.programs["ours"].attach("right", netns=routed.name, priority=7, handle=3, replace=True)
            mine = set(guardians()) - before
            process.kill()
            process.wait(20)
            assert soon(lambda: len(set(guardians()) - before) == len(mine) - 1)
            assert "ours" in routed.run("tc", "filter", "show", "dev", "right", "ingress")
            assert "kept_route" not in left(routed) and "clsact" in left(routed)
        finally:
            process.kill()
    routed.run("tc", "qdisc", "del", "dev", "right", "clsact")  # the process made it that was killed


def test_the_guardian_ends_with_the_last_link(routed: Any) -> None:
    before = set(guardians())
    with load(ours) as obj:
        first = obj.programs["ours"].attach("right", netns=routed.name)
        (number,) = set(guardians()) - before
        second = obj.programs["ours"].attach("left", netns=routed.name)
        first.detach()
        assert set(guardians()) - before == {number}
        second.detach()
        assert soon(lambda: not set(guardians()) - before)
        obj.programs["ours"].attach("right", netns=routed.name)
        (number,) = set(guardians()) - before
        os.kill(number, signal.SIGKILL)  # the links do without it
        assert soon(lambda: not set(guardians()) - before)
        obj.programs["ours"].attach("left", netns=routed.name)
    assert "clsact" not in left(routed)
    assert soon(lambda: not set(guardians()) - before)
    try:
        assert os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None, "a zombie"
    except ChildProcessError:
        pass


def test_without_a_guardian(routed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has Python inside can't be started again as Python."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    before = set(guardians())
    with load(ours) as obj:
        obj.programs["ours"].attach("right", netns=routed.name)
        assert set(guardians()) == before and "clsact" in left(routed)
    assert not left(routed)


PINNED = """
import sys, time
from pybpf import *
from pybpf.runtime import syscall

def refuse(*arguments):
    raise OSError(22, "no links")

syscall.link_create = refuse  # as before Linux 6.10
socks = SockMap(max_entries=4)

@sk_msg
def kept_msg(msg: SkMsgContext) -> SK:
    return socks.redirect(msg, 0)

with load(kept_msg) as obj:
    obj[socks].pin(sys.argv[1])
    obj.attach()
    print("attached", flush=True)
    time.sleep(60)
"""


@pytest.mark.guest
def test_programs_of_pinned_maps(tmp_path: Path) -> None:
    """Where the kernel has no links to maps of sockets, a pinned map would keep the program."""
    import struct

    from pybpf.runtime import syscall

    file = tmp_path / "pinned.py"
    file.write_text(PINNED)
    place = tmp_path / "bpf"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "bpf", "bpf", str(place)], check=False)
    if mount.returncode:
        pytest.skip("this kernel can't mount a bpf file system")
    try:
        path = str(place / "socks")
        with subprocess.Popen([sys.executable, str(file), path], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline() == "attached\n"
                fd = syscall.bpf(7, struct.pack("<QII", name_address(path), 0, 0))  # BPF_OBJ_GET

                def programs() -> int:
                    answer = syscall.bpf_result(16, struct.pack("<IIIIQII", fd, 7, 0, 0, 0, 0, 0))[1]
                    return int(struct.unpack_from("<I", answer, 24)[0])

                def asked() -> int:
                    try:
                        return programs()
                    except OSError as error:
                        assert error.errno == 28  # no room for the numbers of those that there are
                        return 1

                assert asked() == 1
                process.kill()
                process.wait(20)
                assert soon(lambda: asked() == 0)
                os.close(fd)
            finally:
                process.kill()
    finally:
        subprocess.run(["umount", str(place)], check=True)


_names: list[Any] = []


def name_address(path: str) -> int:
    import ctypes

    _names.append(ctypes.create_string_buffer(path.encode()))
    return ctypes.addressof(_names[-1])


def test_attributes() -> None:
    data = bytes.fromhex("0500010041000000100002800c000b0001000000ffffffff")
    assert guard.attribute(data, [1]) == b"A"
    assert guard.attribute(data, [2, 11]) == bytes.fromhex("01000000ffffffff")
    assert guard.attribute(data, [2, 12]) is None and guard.attribute(b"\0\0\0\0", [1]) is None


def test_a_python_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    assert guardian._python() == []
