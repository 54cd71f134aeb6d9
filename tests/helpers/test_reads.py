"""Numbers and structs at addresses: `user_read(p, T)`, `kernel_read(p, T)`; helpers that take constants and nothing."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    Bytes,
    L,
    Simulation,
    Struct,
    Text,
    XdpContext,
    be32,
    current_task,
    helpers,
    i64,
    kernel_read,
    load,
    sizeof,
    tp_btf,
    u8,
    u16,
    u32,
    u64,
    user_read,
    xdp,
)

PID = os.getpid()
seen = ArrayMap[i64](max_entries=8)


class Pair(Struct):
    first: u32
    second: be32


@tp_btf("sys_enter")
def reads(regs, number) -> None:
    if helpers.bpf_get_current_pid_tgid() >> 32 != PID or number != 257:  # openat
        return
    name = regs.si
    if user_read(name, u32) != 0x2F706D74:  # "tmp/"
        return
    seen[0] = user_read(name, u8)
    seen[1] = user_read(name, u16)
    pair = user_read(name, Pair)
    seen[2] = pair.first
    seen[3] = pair.second
    seen[4] = i64(user_read(0, u64))
    seen[5] = kernel_read(current_task().comm, u32)


@pytest.mark.kernel
@pytest.mark.guest
def test_reads() -> None:
    path = b"tmp/abcdefgh"
    with load(reads).attach() as obj:
        try:
            os.open(path, os.O_RDONLY)
        except OSError:
            pass
        found = [obj[seen][n] for n in range(6)]
    first, second = struct.unpack("<I", path[:4])[0], struct.unpack(">I", path[4:8])[0]
    comm = struct.unpack("<I", Path("/proc/self/comm").read_bytes()[:4])[0]
    assert found == [path[0], int.from_bytes(path[:2], "little"), first, second, 0, comm]


# --- what the kernel takes as constants, or as nothing


@xdp
def constants(pkt: XdpContext) -> XDP:
    number = Array[i64, L[1]]()
    seen[0] = helpers.bpf_strtol("-42 ", 5, 10, number)
    seen[1] = number[0]
    name: Text[L[8]] = "sshd"
    seen[2] = helpers.bpf_strncmp(name, sizeof(name), "sshd")
    seen[3] = helpers.bpf_strncmp(name, sizeof(name), "sshe")
    text = Bytes[L[16]]()
    number[0] = 77
    seen[4] = helpers.bpf_snprintf(text, sizeof(text), "n=%d", number, sizeof(number))
    seen[5] = text[2]
    seen[6] = helpers.bpf_snprintf(None, 0, "hello", None, 0)
    helpers.bpf_trace_printk("pybpf test\n", 12)
    return XDP.TX


@pytest.mark.kernel
@pytest.mark.guest
def test_constants() -> None:
    with load(constants) as obj:
        assert obj.programs["constants"].test(bytes(64)).retval == XDP.TX
        assert [obj[seen][n] for n in range(7)] == [3, -42, 0, -1, 5, ord("7"), 6]


def test_simulated_reads() -> None:
    @xdp
    def look(pkt: XdpContext) -> XDP:
        seen[0] = i64(user_read(0x1000, u64))
        seen[1] = user_read(0x1000, Pair).second
        return XDP.PASS

    with Simulation() as sim:
        sim.user.put(bytes(range(8)), 0x1000)
        look.simulate(packet=bytes(64))
        assert [sim[seen][n] for n in range(2)] == [0x0706050403020100, 0x04050607]
