"""Dynptrs in the kernel and in the simulator: of memory, of records of any size, of packets in several pieces."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import (
    NETFILTER,
    TC,
    XDP,
    Array,
    ArrayMap,
    Dynptr,
    HashMap,
    L,
    NetfilterContext,
    Object,
    RingBuffer,
    Simulation,
    SocketFilterContext,
    Struct,
    Target,
    TcContext,
    TracepointContext,
    UserRingBuffer,
    XdpContext,
    be32,
    build,
    const,
    helpers,
    load,
    netfilter,
    pid,
    releasing,
    sizeof,
    socket_filter,
    syscall,
    tc,
    tracepoint,
    u8,
    u16,
    u32,
    u64,
    var,
    xdp,
)
from pybpf.net import iphdr
from tests.helpers.test_every_helper import here
from tests.hooks.conftest import network as network

if TYPE_CHECKING:
    from tests.hooks.network import Network

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

OLD = Target(kernel=(6, 1))


class Args(Struct):
    value: u64 = 0
    size: u32 = 0
    result: u64 = 0


class Header(Struct):
    kind: u16
    length: u16
    count: u32


class Room(Struct):
    data: Array[u8, L[64]]


rooms = ArrayMap[Room](4)
sparse = HashMap[u32, Room](4)
kept = var(Room)
records = RingBuffer[bytes](4096, count_lost=True)
commands = UserRingBuffer[bytes](4096)
answers = RingBuffer[bytes](4096)
mine = const(u32, 0)


def compiled(*programs: object, since: tuple[int, int] = (6, 1)) -> Object:
    if here() < since:
        pytest.skip("this kernel lacks the functions")
    return build(*programs, target=Target(kernel=since))


# --- memory


@syscall
def memory(args: Args) -> int:
    """Of one and the same variable, of different slots in a loop, of a global."""
    total = 0
    for slot in range(4):
        d = Dynptr.from_mem(rooms[slot])
        if not d.write(Header(kind=1, length=2, count=slot * 100), slot * 16):
            return -1
        found = d.read(Header, slot * 16)
        if found is None:
            return -2
        total += found.count
        part = d.data(Header, slot * 16)
        if part is None:
            return -3
        part.kind += 5
        if d.read(u64, 57) is not None or d.write(Header(kind=1, length=2, count=3), 60):
            return -4  # outside
    d = Dynptr.from_mem(kept)
    d.write(b"abcdef", args.size, 3)
    number = d.read(u32, args.size)
    args.value = number if number is not None else 0xFFFF
    args.result = total
    return 0


def check_memory(answer: int, left: Args) -> None:
    assert answer == 0
    assert left.result == 600
    assert left.value == int.from_bytes(b"abc", "little")


def test_memory() -> None:
    with load(compiled(memory)) as obj:
        check_memory(*obj.programs["memory"].run(Args(size=7)))
        for slot in range(4):
            data: Any = obj[rooms][slot].data
            wanted = (6).to_bytes(2, "little") + b"\2\0" + (slot * 100).to_bytes(4, "little")
            assert bytes(data)[slot * 16 : slot * 16 + 8] == wanted
        assert bytes(obj[kept].data)[7:10] == b"abc"  # type: ignore[call-overload]
        answer, left = obj.programs["memory"].run(Args(size=61))
        assert (answer, left.value) == (0, 0xFFFF)  # three bytes fit, four don't


@syscall
def by_name(args: Args) -> int:
    """The helpers under their own names."""
    room = sparse.setdefault(7, Room(data=[0] * 64))
    if room is None:
        return -1
    d = Dynptr()
    if helpers.bpf_dynptr_from_mem(room.data, 16, 0, d) != 0:
        return -2
    helpers.bpf_dynptr_write(d, 4, b"xyz", 3, 0)
    part = helpers.bpf_dynptr_data(d, 4, 3)
    if part is None or helpers.bpf_dynptr_data(d, 15, 2) is not None:
        return -3
    args.value = part[2]
    four = Array[u8, L[4]]()
    helpers.bpf_dynptr_read(four, 4, d, 4, 0)
    args.result = four[1]
    return 0


def test_by_name() -> None:
    with load(compiled(by_name)) as obj:
        answer, left = obj.programs["by_name"].run(Args())
        assert (answer, left.value, left.result) == (0, ord("z"), ord("y"))


@syscall
def bounds(args: Args) -> int:
    d = Dynptr.from_mem(rooms[0])
    other = d.clone()
    if not other.adjust(8, 24) or other.adjust(0, 17):
        return -1
    other.write(Header(kind=1, length=2, count=77))
    args.size = other.size()
    args.result = 0
    number = d.read(u32, 12)
    if number is not None:
        args.result = number
    args.value = d.size() + (1000 if d.is_null() else 0) + (2000 if d.is_rdonly() else 0)
    return 0


def test_bounds() -> None:
    with load(compiled(bounds, since=(6, 5))) as obj:
        answer, left = obj.programs["bounds"].run(Args())
        assert (answer, left.size, left.result, left.value) == (0, 16, 77, 64)


@syscall
def whole(args: Args) -> int:
    d = Dynptr.from_mem(rooms[0])
    e = Dynptr.from_mem(rooms[1])
    d.fill(args.size, 8, 4)
    return 1 if e.copy_from(d, 12, 16, 0) else 0


def test_whole_pieces() -> None:
    with load(compiled(whole, since=(6, 17))) as obj:
        assert obj.programs["whole"].run(Args(size=0x41))[0] == 1
        data: Any = obj[rooms][1].data
        assert bytes(data)[16:32] == bytes(4) + b"A" * 8 + bytes(4)


# --- records of any size


@syscall
def send(args: Args) -> int:
    for count in range(1, 6):
        with records.reserve(sizeof(Header) + count) as record:
            if not record.write(Header(kind=7, length=count, count=0)):
                return -1
            if count == 2:
                record.discard()
                continue
            record.write(b"abcdefgh", sizeof(Header), count)
            if count == args.value:
                return count
            number = record.read(u16, 2)
            if number is None or number != count:
                return -2
    return 0


def expected(count: int) -> bytes:
    return b"\7\0" + count.to_bytes(2, "little") + bytes(4) + b"abcdefgh"[:count]


def test_records() -> None:
    with load(compiled(send)) as obj:
        assert obj.programs["send"].run(Args())[0] == 0
        found = obj[records].read()
        assert found == [expected(count) for count in (1, 3, 4, 5)]
        assert [Header.from_bytes(record).length for record in found] == [1, 3, 4, 5]
        with pytest.raises(ValueError, match="takes 8 bytes, and there are 6 at 3"):
            Header.from_bytes(found[0], 3)
        assert obj.programs["send"].run(Args(value=3))[0] == 3
        assert obj[records].read() == [expected(count) for count in (1, 3)]
        assert obj[records].lost == 0
        for _ in range(60):
            obj.programs["send"].run(Args())
        taken = len(obj[records].read())
        assert obj.programs["send"].run(Args())[0] == 0
        assert obj[records].lost > 0
        assert 100 < taken < 240


@syscall
def by_hand(args: Args) -> int:
    def made(size: u32) -> Dynptr:
        d = Dynptr()
        helpers.bpf_ringbuf_reserve_dynptr(records, size, 0, d)
        return d

    with releasing(made(8)) as dropped:
        dropped.write(b"12345678", 0, 8)
    d = made(args.size)
    part = d.data(Header)
    if part is not None:
        part.count = 5
        part.kind = 6
        part.length = 7
    if args.value == 1:
        helpers.bpf_ringbuf_discard_dynptr(d, 0)
        return 1
    room = rooms[args.value & 3]
    d.write(room.data, 8, 4)
    helpers.bpf_ringbuf_submit_dynptr(d, 0)
    return 0


def test_records_by_hand() -> None:
    with load(compiled(by_hand)) as obj:
        obj[rooms][0] = Room(data=[9] * 64)  # type: ignore[arg-type]
        assert obj.programs["by_hand"].run(Args(size=12))[0] == 0
        assert obj[records].read() == [b"\6\0\7\0\5\0\0\0\11\11\11\11"]
        assert obj.programs["by_hand"].run(Args(size=12, value=1))[0] == 1
        assert obj.programs["by_hand"].run(Args(size=1 << 20))[0] == 0  # never fits: nothing is sent
        assert obj[records].read() == []


@tracepoint("syscalls:sys_enter_getppid")
def answer(ctx: TracepointContext) -> None:
    if pid() != mine:
        return
    for command in commands.drain():
        header = command.read(Header)
        if header is None:
            continue
        if header.kind == 99:
            break
        with answers.reserve(sizeof(Header)) as reply:
            reply.write(header)
            reply.write(b"!", 7, 1)


def test_commands_of_any_size() -> None:
    import os

    with load(compiled(answer), mine=os.getpid()) as obj, obj.attach():
        send = obj[commands].send
        for command in (b"short", b"12345678", Header(kind=1, length=2, count=3), b"c\0too late", b"87654321"):
            send(command)  # type: ignore[arg-type]
        os.getppid()
        deadline = time.monotonic() + 5
        found: list[bytes] = []
        while len(found) < 2 and time.monotonic() < deadline:
            found += obj[answers].read()
        assert found == [b"1234567!", b"\1\0\2\0\3\0\0!"]
        os.getppid()
        assert obj[answers].read() == [b"8765432!"]
        with pytest.raises(TypeError, match="neither bytes nor a Struct"):
            send(7)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="never fit"):
            send(bytes(5000))


# --- packets


split = var(u32, 0)


@xdp(frags=True)
def pieces(pkt: XdpContext) -> XDP:
    """Finds where the packet's first piece ends; reads and writes across, and through a reference in the first."""
    global split
    d = Dynptr.from_xdp(pkt)
    for offset in range(2000, 4900, 4):
        if d.slice_rdwr(Header, offset) is None:
            split = offset
            break
    else:
        return XDP.ABORTED
    far = d.slice(Header, split)
    if far is None:
        return XDP.ABORTED
    near = d.slice_rdwr(Header, 14)
    if near is None:
        return XDP.TX
    near.count = far.count + d.size()
    if not d.write(Header(kind=1, length=2, count=3), split):
        return XDP.REDIRECT
    return XDP.PASS


def test_packet_in_pieces() -> None:
    with load(compiled(pieces, since=(6, 5))) as obj:
        result = obj.programs["pieces"].test(b"\1" * 5000)
        assert result.retval == XDP.PASS
        start = obj[split]
        assert 2000 < start < 4900
        assert int.from_bytes(result.packet[18:22], "little") == 0x01010101 + 5000
        assert result.packet[start : start + 8] == b"\1\0\2\0\3\0\0\0"
        assert set(result.packet[22:start] + result.packet[start + 8 :]) == {1}
        assert obj.programs["pieces"].test(bytes(200)).retval == XDP.ABORTED


@tc
def socket_buffer(pkt: TcContext) -> TC:
    d = Dynptr.from_skb(pkt)
    first = d.slice(Header, 14)
    if first is None:
        return TC.SHOT
    count = first.count
    if not d.write(Header(kind=9, length=9, count=count + 1), 22):
        return TC.SHOT
    again = d.slice(Header, 22)
    if again is None or again.kind != 9:
        return TC.SHOT
    eight = d.read(Array[u8, L[8]], d.size() - 8)
    if eight is None:
        return TC.SHOT
    pkt.mark = eight[7]
    return TC.OK


def test_socket_buffer() -> None:
    with load(compiled(socket_buffer, since=(6, 5))) as obj:
        packet = bytes(18) + (41).to_bytes(4, "little") + bytes(77) + b"\7"
        result = obj.programs["socket_buffer"].test(packet)
        assert result.retval == TC.OK
        assert result.packet[22:30] == b"\11\0\11\0" + (42).to_bytes(4, "little")


seen = var(u64, 0)


@netfilter
def filtered(ctx: NetfilterContext) -> NETFILTER:
    """A netfilter program has no bounds of the packet to go by."""
    global seen
    d = Dynptr.from_skb(ctx.skb)
    header = d.slice(iphdr)
    data = d.read(be32, 28)
    if header is not None and header.protocol == 17 and data is not None:
        seen = data
    return NETFILTER.ACCEPT


def test_netfilter(network: Network) -> None:
    with load(compiled(filtered, since=(6, 4))) as obj:
        network.ip("link", "set", "lo", "up")
        receiver, sender = (network.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        receiver.bind(("127.0.0.1", 0))
        sender.connect(receiver.getsockname())
        with obj.programs["filtered"].attach("local_in", netns=network.name):
            sender.send(b"\1\2\3\4")
            receiver.settimeout(5)
            assert receiver.recv(100) == b"\1\2\3\4"
        assert obj[seen] == 0x01020304


@socket_filter
def from_a_socket(ctx: SocketFilterContext) -> int:
    d = Dynptr.from_skb(ctx)
    found = d.read(u8, 20)
    if d.write(b"xyz", 20, 3) or not d.is_rdonly():
        return 0
    return found if found is not None else 0


def test_read_only_packet() -> None:
    with load(compiled(from_a_socket, since=(6, 5))) as obj:
        assert obj.programs["from_a_socket"].test(bytes(range(64))).retval == 20 + 14


# --- without a kernel


def test_simulated() -> None:
    sim = Simulation(target=Target(kernel=(6, 18)))
    assert sim.run(memory, context=bytes(Args(size=7))).retval == 0
    assert bytes(sim[kept].data)[7:10] == b"abc"  # type: ignore[call-overload]
    assert sim.run(by_name, context=bytes(Args())).retval == 0
    assert sim.run(bounds, context=bytes(Args())).retval == 0
    assert sim.run(whole, context=bytes(Args(size=0x41))).retval == 1
    assert sim.run(send, context=bytes(Args())).retval == 0
    assert list(sim[records]) == [expected(count) for count in (1, 3, 4, 5)]
    assert sim.run(by_hand, context=bytes(Args(size=12))).retval == 0
    assert sim.run(by_hand, context=bytes(Args(size=1 << 20))).retval == 0
    assert len(sim[records]) == 5
    packet = bytes(18) + (41).to_bytes(4, "little") + bytes(77) + b"\7"
    found = sim.run(socket_buffer, packet)
    assert found.retval == TC.OK
    assert found.packet[22:30] == b"\11\0\11\0" + (42).to_bytes(4, "little")


def test_simulated_commands() -> None:
    sim = Simulation(target=Target(kernel=(6, 18)), pid=77, mine=77)
    for command in (b"short", b"12345678", b"c\0too late", b"87654321"):
        sim[commands].send(command)  # type: ignore[arg-type]
    sim.run(answer)
    assert list(sim[answers]) == [b"1234567!"]
    sim.run(answer)
    assert list(sim[answers]) == [b"1234567!", b"8765432!"]
