"""Tables of operations: a TCP congestion control in Python."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import AttachError, CompileError, Simulation, StructOps, build, load, struct_ops, u32, u64, var
from pybpf.kernel import sock, tcp_congestion_ops, tcp_sock
from pybpf.runtime import syscall
from tests.proofs import prove

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

started = var(u64, 0)
acked = var(u64, 0)
grown = var(u64, 0)
largest = var(u64, 0)
ended = var(u64, 0)


class Fixed(StructOps, of=tcp_congestion_ops):
    """Ten segments at a time, whatever happens."""

    name = "pybpf_fixed"

    @struct_ops
    def init(self, sk: tcp_sock) -> None:
        global started
        started += len(self.name) == 11
        sk.snd_cwnd = 4
        sk.inet_conn.icsk_ca_priv[0] = 77

    @struct_ops
    def cong_avoid(self, sk: tcp_sock, ack: u32, count: u32) -> None:
        global acked, grown, largest
        acked += count
        if sk.snd_cwnd < 10:
            sk.snd_cwnd += 1
            grown += 1
        if sk.snd_cwnd > largest:
            largest = sk.snd_cwnd
        sk.snd_ssthresh = 5

    @struct_ops
    def ssthresh(self, sk: sock) -> u32:
        return max(tcp_sock(sk).snd_cwnd >> 1, 2)

    @struct_ops
    def undo_cwnd(self, sk: tcp_sock) -> u32:
        return sk.snd_cwnd

    @struct_ops
    def release(self, sk: tcp_sock) -> None:
        global ended
        if sk.inet_conn.icsk_ca_priv[0] == 77:
            ended += 1


@contextmanager
def own_network() -> Iterator[None]:
    """A network namespace with its loopback up, for this thread."""
    import fcntl
    import struct

    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    libc = __import__("ctypes").CDLL(None, use_errno=True)
    assert libc.unshare(0x40000000) == 0
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, 0x8914, struct.pack("16sH22x", b"lo", 0x41))  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
        yield
    finally:
        syscall.setns_network(before)
        os.close(before)


def transfer(control: bytes, size: int) -> bytes:
    """Send `size` bytes over a connection with that congestion control; its name as the socket tells it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control)
        client.connect(server.getsockname())
        peer, _ = server.accept()
        received = []

        def receive() -> None:
            while piece := peer.recv(1 << 16):
                received.append(len(piece))

        reader = threading.Thread(target=receive)
        reader.start()
        client.sendall(bytes(size))
        name = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")
        client.close()
        reader.join()
        peer.close()
        assert sum(received) == size
    return name


def test_congestion_control() -> None:
    with load(Fixed) as obj:
        prove("hook", "struct_ops+", "loaded")
        prove("map", "STRUCT_OPS", "create")
        with own_network():
            with pytest.raises(FileNotFoundError):
                transfer(b"pybpf_fixed", 1)
            with obj.attach():
                prove("hook", "struct_ops+", "attached")
                assert [link.kind for link in obj.links] == ["struct_ops"]
                assert transfer(b"pybpf_fixed", 2_000_000) == b"pybpf_fixed"
                prove("map", "STRUCT_OPS", "update")
            assert not obj.links
            with pytest.raises(FileNotFoundError):
                transfer(b"pybpf_fixed", 1)
        assert obj[started] >= 1 and obj[acked] > 0
        # How often TCP acknowledges is its own affair: the window grows by one each time, from 4 to 10 at most.
        assert 4 < obj[largest] <= min(10, 4 + obj[grown])
        assert obj[ended] == obj[started]
        prove("hook", "struct_ops+", "fired")


class Patient(StructOps, of=tcp_congestion_ops):
    """Its init may sleep: it runs while a process connects."""

    name = "pybpf_patient"

    @struct_ops(sleepable=True)
    def init(self, sk: tcp_sock) -> None:
        global started
        started += 1

    @struct_ops
    def cong_avoid(self, sk: tcp_sock, ack: u32, count: u32) -> None: ...

    @struct_ops
    def ssthresh(self, sk: tcp_sock) -> u32:
        return 2

    @struct_ops
    def undo_cwnd(self, sk: tcp_sock) -> u32:
        return 2


def test_sleepable() -> None:
    release = os.uname().release.split(".")
    if (int(release[0]), int(release[1].split("-")[0])) < (6, 3):
        with pytest.raises(CompileError, match=r"needs Linux 6\.3"):
            load(Patient)
        pytest.skip("this kernel has no tables whose programs may sleep")
    with load(Patient) as obj, own_network():
        prove("hook", "struct_ops.s+", "loaded")
        with obj.attach():
            prove("hook", "struct_ops.s+", "attached")
            assert transfer(b"pybpf_patient", 10) == b"pybpf_patient"
        assert obj[started] >= 1
        prove("hook", "struct_ops.s+", "fired")


def test_the_same_name_twice() -> None:
    with load(Fixed) as one, load(Fixed) as other, one.attach():
        with pytest.raises(AttachError, match="registered already"):
            other.attach()
        assert not other.links
        other.attach(Fixed=None)


# --- what is refused before loading


make: Any = type(StructOps)


def table(**members: Any) -> Any:
    return make("Made", (StructOps,), members, of=tcp_congestion_ops)


def test_members() -> None:
    @struct_ops
    def ssthres(self: Any, sk: tcp_sock) -> u32:
        return 2

    with pytest.raises(TypeError, match="no member 'ssthres' to be given"):
        build(table(ssthres=ssthres, name="x"))
    with pytest.raises(TypeError, match="no member 'owner'"):
        build(table(owner=3))
    with pytest.raises(TypeError, match="cong_avoid is a function"):
        build(table(cong_avoid=4))
    with pytest.raises(ValueError, match="longer than 15 bytes"):
        build(table(name="a name that is too long"))
    with pytest.raises(ValueError, match="Made has no operation"):
        build(table(name="x"))
    with pytest.raises(TypeError, match="of which of the kernel's structs"):
        make("Made", (StructOps,), {})


def errors(program: Any) -> str:
    with pytest.raises(CompileError) as caught:
        build(program)
    return str(caught.value)


def test_programs() -> None:
    @struct_ops
    def loose(self: Any, sk: tcp_sock) -> u32:
        return 2

    class Wrong(StructOps, of=tcp_congestion_ops):
        @struct_ops
        def ssthresh(self, sk: tcp_sock) -> None: ...

    class Writes(StructOps, of=tcp_congestion_ops):
        @struct_ops
        def release(self, sk: tcp_sock) -> None:
            sk.bytes_acked = 3

    class Other(StructOps, of=tcp_congestion_ops):
        @struct_ops
        def release(self, sk: tcp_congestion_ops) -> None: ...

    assert "loose() belongs to no table" in errors(loose)
    assert "Wrong.ssthresh() must be annotated to return u32" in errors(Wrong)
    assert "E" in errors(Writes)
    assert "is tcp_sock, not tcp_congestion_ops" in errors(Other)


def test_simulated() -> None:
    connection: Any = tcp_sock(snd_cwnd=20)
    Fixed.init.simulate(sk=connection)
    assert connection.snd_cwnd == 4
    assert connection.inet_conn == {"icsk_ca_priv": [77]}
    with Simulation() as sim:
        sim.run(Fixed.cong_avoid, sk=connection, ack=1, count=3)
        assert (connection.snd_cwnd, connection.snd_ssthresh, sim[largest]) == (5, 5, 5)
        sim.run(Fixed.release, sk=connection)
        assert sim[ended] == 1
    assert Fixed.undo_cwnd.simulate(sk=connection).retval == 5
