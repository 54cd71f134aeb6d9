"""One BPF instruction, its encoding and decoding.

     0        8    12   16               32                             64
    +--------+----+----+----------------+------------------------------+
    | opcode |dst |src |     offset     |          immediate           |   RFC 9669 section 3, little-endian
    +--------+----+----+----------------+------------------------------+

The 64-bit immediate load takes two such slots, the second with the upper half of the immediate and all else zero. It
is one `Insn` here, with a 64-bit `imm`; `slots` says how many slots an instruction takes, and jump offsets count
slots.
"""

from __future__ import annotations

from _struct import Struct

from pybpf.compiler.isa.opcodes import LD_IMM64
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Insn", "MalformedCode", "decode", "encode"]

_SLOT = Struct("<BBhi")
_WIDE = Struct("<BBhIIi")  # the second slot's opcode, registers and offset as one zero word


class MalformedCode(ValueError):
    """Bytes that are no instruction stream: cut short, or the second half of a wide load is not as it must be."""


class Insn(Record):
    """`opcode` 8 bits, `dst` and `src` 4 bits, `off` signed 16 bits, `imm` signed 32 bits.

    For LD_IMM64 `imm` is the 64-bit value, signed as well.
    """

    opcode: int
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0

    @property
    def slots(self) -> int:
        """Eight-byte slots that the instruction takes: 2 for LD_IMM64, else 1."""
        return 2 if self.opcode == LD_IMM64 else 1


def encode(insns: Iterable[Insn]) -> bytes:
    """Bytes of the instructions. A field out of range is a caller's bug and raises struct.error."""
    out = []
    for i in insns:
        regs = i.src << 4 | i.dst
        if i.opcode == LD_IMM64:
            out.append(_WIDE.pack(LD_IMM64, regs, i.off, i.imm & 0xFFFF_FFFF, 0, i.imm >> 32))
        else:
            out.append(_SLOT.pack(i.opcode, regs, i.off, i.imm))
    return b"".join(out)


def decode(code: bytes) -> list[Insn]:
    """Instructions of `code`; MalformedCode says at which slot it is no instruction stream."""
    if len(code) % 8:
        raise MalformedCode(f"{len(code)} bytes are no whole number of 8-byte instructions")
    found = []
    slots = _SLOT.iter_unpack(code)
    number = 0
    for opcode, regs, off, imm in slots:
        if opcode == LD_IMM64:
            second = next(slots, None)
            if second is None or second[:3] != (0, 0, 0):
                raise MalformedCode(f"instruction {number}: the 64-bit load has no second half")
            imm = second[3] << 32 | imm & 0xFFFF_FFFF
            number += 1
        found.append(Insn(opcode, regs & 15, regs >> 4, off, imm))
        number += 1
    return found
