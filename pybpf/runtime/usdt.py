"""USDT probes of a file: where they are and where their arguments lie.

    probes(path, "python", "gc__start")     the places of a probe, by the notes in section .note.stapsdt
    spec(place, cookie)                     what the map __bpf_usdt_specs holds for one (pybpf.stdlib.usdt), 208 bytes

A note holds the addresses of the place, of .stapsdt.base when the file was linked, and of a 16-bit counter of those who
probe there (0: none), then provider, name and arguments as texts (https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation).
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.record import Record
from pybpf.runtime.errors import AttachError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Place", "probes", "spec"]

MOST_ARGUMENTS = 12  # BPF_USDT_MAX_ARG_CNT
_ARGUMENT = 16  # bytes of struct __bpf_usdt_arg_spec
_CONST, _REGISTER, _MEMORY, _INDEXED = range(4)  # enum __bpf_usdt_arg_type


class Place(Record):
    """One place of a probe: offsets in the file of its instruction and its counter (0: none), and its arguments."""

    offset: int
    counter: int
    arguments: str


def probes(path: str, provider: str, name: str) -> list[Place]:
    """All places of a probe. AttachError where the file has no such probe, with names like it."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with open(path, "rb") as file:
            elf: Any = ELFFile(file)
            found, known = [], []
            for note in _notes(elf):
                known.append(f"{note[3]}:{note[4]}")
                if note[3] == provider and note[4] == name:
                    found.append(_place(path, elf, note))
    except ELFError:
        raise AttachError(f"{path} is not an ELF file") from None
    except OSError as error:
        raise AttachError(f"reading {path}: {error.strerror}") from None
    if not found:
        raise AttachError(f"{path} has no USDT probe {provider}:{name}", _similar(f"{provider}:{name}", known))
    return sorted(found, key=lambda place: place.offset)


def _similar(wanted: str, known: list[str]) -> str:
    import difflib

    names = sorted(set(known))
    close = difflib.get_close_matches(wanted, names, 3, 0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"it has {', '.join(names[:10])}{' and more' if names[10:] else ''}" if names else "it has no USDT probes"


_Note = tuple[int, int, int, str, str, str]


def _notes(elf: Any) -> Iterator[_Note]:
    """Address, base, counter's address, provider, name, arguments of each note."""
    section = elf.get_section_by_name(".note.stapsdt")
    if section is None:
        return
    data, at = section.data(), 0
    order = "<" if elf.little_endian else ">"
    word = order + ("QQQ" if elf.elfclass == 64 else "III")
    head = struct.calcsize(word)
    while at + 12 <= len(data):
        name_size, size, kind = struct.unpack_from(order + "III", data, at)
        at += 12
        owner = data[at : at + name_size]
        at += name_size + 3 & ~3
        body = data[at : at + size]
        at += size + 3 & ~3
        if kind == 3 and owner == b"stapsdt\0" and len(body) > head:
            texts = [text.decode(errors="replace") for text in body[head:].split(b"\0")]
            yield (*struct.unpack_from(word, body), *(texts + ["", "", ""])[:3])


def _place(path: str, elf: Any, note: _Note) -> Place:
    address, base, counter, *_, arguments = note
    section = elf.get_section_by_name(".stapsdt.base")
    moved = section["sh_addr"] - base if section is not None else 0  # prelink moved the file since it was linked
    at = _offset(elf, address + moved, executable=True)
    if at is None:
        raise AttachError(f"{path}: the place {address:#x} of a USDT probe is in no loaded segment")
    where = _offset(elf, counter + moved, executable=False) if counter else 0
    if where is None:
        raise AttachError(f"{path}: the counter {counter:#x} of a USDT probe is in no loaded segment")
    return Place(at, where, arguments)


def _offset(elf: Any, address: int, executable: bool) -> int | None:
    for segment in elf.iter_segments():
        if segment["p_type"] != "PT_LOAD" or bool(segment["p_flags"] & 1) != executable:
            continue
        into = address - segment["p_vaddr"]
        if 0 <= into < segment["p_filesz"]:
            return int(into + segment["p_offset"])
    return None


# --- arguments

# Offsets in struct pt_regs of the registers' names, x86-64: all widths of each.
_REGISTERS: dict[str, int] = {}
for _offset_of, _names in (
    (0, "r15 r15d r15w r15b"), (8, "r14 r14d r14w r14b"), (16, "r13 r13d r13w r13b"), (24, "r12 r12d r12w r12b"),
    (32, "rbp ebp bp bpl"), (40, "rbx ebx bx bl"), (48, "r11 r11d r11w r11b"), (56, "r10 r10d r10w r10b"),
    (64, "r9 r9d r9w r9b"), (72, "r8 r8d r8w r8b"), (80, "rax eax ax al"), (88, "rcx ecx cx cl"),
    (96, "rdx edx dx dl"), (104, "rsi esi si sil"), (112, "rdi edi di dil"), (128, "rip"), (152, "rsp esp sp spl"),
):  # fmt: skip
    _REGISTERS.update(dict.fromkeys(_names.split(), _offset_of))

_NUMBER = r"[-+]?(?:0x[0-9a-fA-F]+|\d+)"
_FORM = re.compile(rf"(-?[1248])@(?:\$({_NUMBER})|%(\w+)|({_NUMBER})?\(%(\w+)(?:,%(\w+)(?:,([1248]))?)?\)|({_NUMBER}))")


def spec(path: str, place: Place, cookie: int) -> bytes:
    """struct __bpf_usdt_spec: the arguments of a place, as assembly operands of the form SIZE@OPERAND."""
    texts = place.arguments.split()
    if len(texts) > MOST_ARGUMENTS:
        raise AttachError(f"{path}: a USDT probe has {len(texts)} arguments; programs can be given {MOST_ARGUMENTS}")
    made = b""
    for text in texts:
        form = _FORM.fullmatch(text)
        registers = [form[index] for index in (3, 5, 6) if form[index] is not None] if form is not None else []
        if form is None or any(register not in _REGISTERS for register in registers):
            raise AttachError(
                f"{path}: the USDT argument {text!r} lies where programs can't read it",
                "a number in a register, in memory or a constant can be read; a floating-point number can't",
            )
        made += _argument(form)
    return (made.ljust(MOST_ARGUMENTS * _ARGUMENT, b"\0") + struct.pack("<Qh", cookie, len(texts))).ljust(208, b"\0")


def _argument(form: re.Match[str]) -> bytes:
    size = int(form[1])
    kind, value, register, index, scale = _CONST, 0, 0, 0, 0
    if form[3] is not None:
        kind, register = _REGISTER, _REGISTERS[form[3]]
    elif form[5] is not None:
        kind, register, value = _MEMORY, _REGISTERS[form[5]], int(form[4] or "0", 0)
        if form[6] is not None:
            kind, index, scale = _INDEXED, _REGISTERS[form[6]], int(form[7] or "1").bit_length() - 1
    else:
        value = int(form[2] or form[8], 0)
    how = kind | index << 8 | scale << 20
    return struct.pack("<QIhBb", value & (1 << 64) - 1, how, register, size < 0, 64 - 8 * abs(size))
