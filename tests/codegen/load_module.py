"""Run a compiled IR module in the kernel without an object file: maps made, relocations applied, an XDP program tested.

`run_module(module, codes, packet)` gives what tests/ir/random_ir.py's `observe` gives from the interpreter.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import TYPE_CHECKING

from hypothesis import reject

from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.insn import decode, encode
from tests.codegen import kernel

if TYPE_CHECKING:
    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.ir.function import Module

MAP_LOOKUP, MAP_UPDATE, MAP_NEXT_KEY = 1, 2, 4
ARRAY = 2


class Refused(AssertionError):
    """The verifier did not take the program; the log is the message."""


def link(codes: list[MachineCode], maps: dict[str, int], variables: dict[str, int]) -> bytes:
    """One program: the first function and those called, with calls and map file descriptors put in.

    A function that nobody calls would be "unreachable" to the kernel.
    """
    called = {r.symbol for code in codes for r in code.relocs if r.kind == "call"}
    codes = [code for index, code in enumerate(codes) if not index or code.name in called]
    starts = {}
    at = 0
    for code in codes:
        starts[code.name] = at
        at += len(code.code) // 8
    insns = []
    for code in codes:
        relocs = {r.offset // 8: r for r in code.relocs}
        at = 0
        for insn in decode(code.code):
            reloc = relocs.get(at)
            if reloc is not None:
                if reloc.kind == "call":
                    assert insn.opcode == op.CALL_IMM
                    assert insn.src == op.CALL_LOCAL
                    insn.imm = starts[reloc.symbol] - (starts[code.name] + at + 1)
                else:
                    assert insn.opcode == op.LD_IMM64
                    insn.src = {"map": op.PSEUDO_MAP_FD, "global": op.PSEUDO_MAP_VALUE}[reloc.kind]
                    insn.imm = maps[reloc.symbol] if reloc.kind == "map" else variables[reloc.symbol]
            insns.append(insn)
            at += insn.slots
    return encode(insns)


def make_map(kind: int, key: int, value: int, entries: int) -> int:
    fd = kernel.bpf(kernel.BPF_MAP_CREATE, bytearray(struct.pack("<IIIII", kind, key, value, entries, 0) + bytes(52)))
    assert fd > 0, errno.errorcode[-fd]
    return fd


def _element(command: int, fd: int, key: bytes | None, value: ctypes.Array[ctypes.c_char]) -> int:
    held = ctypes.create_string_buffer(key, len(key)) if key is not None else None
    place = ctypes.addressof(held) if held is not None else 0
    return kernel.bpf(command, bytearray(struct.pack("<IIQQQ", fd, 0, place, ctypes.addressof(value), 0)))


def contents(fd: int, value: int) -> list[tuple[bytes, bytes]]:
    """All entries of a map with 4-byte keys, sorted."""
    found = []
    key = None
    following = ctypes.create_string_buffer(4)
    while _element(MAP_NEXT_KEY, fd, key, following) == 0:
        key = following.raw
        held = ctypes.create_string_buffer(value)
        assert _element(MAP_LOOKUP, fd, key, held) == 0
        found.append((key, held.raw))
    return sorted(found)


def test_run(fd: int, packet: bytes) -> tuple[int, bytes]:
    """BPF_PROG_TEST_RUN of a packet program: (its result, the packet afterwards)."""
    data = ctypes.create_string_buffer(packet, len(packet))
    out = ctypes.create_string_buffer(len(packet) + 256)
    attr = bytearray(
        struct.pack("<IIIIQQII", fd, 0, len(packet), len(out), ctypes.addressof(data), ctypes.addressof(out), 1, 0)
        + bytes(40)
    )
    done = kernel.bpf(kernel.BPF_PROG_TEST_RUN, attr)
    assert done == 0, errno.errorcode[-done]
    result, size = struct.unpack_from("<I4xI", attr, 4)
    return result, out.raw[:size]


def run_module(module: Module, codes: list[MachineCode], packet: bytes) -> tuple[object, ...]:
    """Load and run the module's program. Raises Refused with the verifier's log."""
    opened = []
    try:
        maps, variables = {}, {}
        for spec in module.maps:
            maps[spec.name] = make_map(spec.kind.number, 4, 16, spec.max_entries)
            opened.append(maps[spec.name])
        for variable in module.globals:
            variables[variable.name] = make_map(ARRAY, 4, len(variable.init), 1)
            opened.append(variables[variable.name])
            init = ctypes.create_string_buffer(variable.init, len(variable.init))
            assert _element(MAP_UPDATE, variables[variable.name], bytes(4), init) == 0
        code = link(codes, maps, variables)
        fd, _ = kernel.load(code, kernel.XDP)
        if fd == -errno.E2BIG:
            reject()  # more for the verifier to walk than it does: loops in loops
        if fd < 0:
            raise Refused(f"{errno.errorcode.get(-fd)}: {kernel.load(code, kernel.XDP, log_level=1)[1][-6000:]}")
        opened.append(fd)
        result, after = test_run(fd, packet)
        [(_, state)] = contents(variables["state"], 64)
        return result, state, contents(maps["counts"], 16), contents(maps["seen"], 16), after
    finally:
        for fd in opened:
            os.close(fd)
