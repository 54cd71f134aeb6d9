"""The `.BTF.ext` section: which function, source line and CO-RE relocation belongs to which instruction.

    header (32 bytes)   magic, version, flags, header length, then offset and length of three tables
    a table             record size (4 bytes), then for each section: name, number of records, the records

Offsets of instructions are in bytes from the start of their ELF section. The header always has its full 32 bytes, since
cilium/ebpf 0.9 can't read the older one of 24.
"""

from __future__ import annotations

import _struct
from _struct import Struct as Layout

from pybpf.compiler.btf.encode import MAGIC
from pybpf.compiler.btf.types import BtfError
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.btf.strings import StringTable

layout_error: type[Exception] = vars(_struct)["error"]  # which typeshed lacks

__all__ = ["BtfExt", "CoreInfo", "FuncInfo", "LineInfo", "decode_ext", "encode_ext"]

_HEADER = Layout("<HBBI")
_TABLE = Layout("<II")
_FUNC = Layout("<II")
_LINE = Layout("<IIII")
_CORE = Layout("<IIII")

_MAX_LINE = (1 << 22) - 1
_MAX_COLUMN = (1 << 10) - 1


class FuncInfo(Record):
    """A function begins at `offset`; `type` is the id of its Func."""

    offset: int
    type: int


class LineInfo(Record):
    """The instruction at `offset` and those after it come from this source line. Line and column are 1-based."""

    offset: int
    file: str
    text: str
    line: int
    column: int


class CoreInfo(Record):
    """The instruction at `offset` depends on the layout of type `type`; see `CoreReloc` in compiler/elf/model.py."""

    offset: int
    type: int
    access: str
    relocation: int


class BtfExt(Record):
    """The three tables: records of each section, by section name."""

    funcs: dict[str, list[FuncInfo]]
    lines: dict[str, list[LineInfo]]
    core: dict[str, list[CoreInfo]]


def encode_ext(ext: BtfExt, strings: StringTable) -> bytes:
    """The section's bytes; texts go to `strings`, the string table of `.BTF`. Empty lists leave no trace."""
    add = strings.add
    funcs = _table(ext.funcs, _FUNC.size, strings, lambda i: _FUNC.pack(i.offset, i.type))
    lines = _table(
        ext.lines,
        _LINE.size,
        strings,
        lambda i: _LINE.pack(
            i.offset, add(i.file), add(i.text), min(i.line, _MAX_LINE) << 10 | min(i.column, _MAX_COLUMN)
        ),
    )
    core = _table(ext.core, _CORE.size, strings, lambda i: _CORE.pack(i.offset, i.type, add(i.access), i.relocation))
    header, start = [_HEADER.pack(MAGIC, 1, 0, _HEADER.size + 3 * _TABLE.size)], 0
    for table in (funcs, lines, core):
        header.append(_TABLE.pack(start, len(table)))
        start += len(table)
    return b"".join([*header, funcs, lines, core])


def _table(records: dict[str, list[Any]], size: int, strings: StringTable, pack: Callable[[Any], bytes]) -> bytes:
    parts = []
    for section, items in records.items():
        if items:
            parts.append(_TABLE.pack(strings.add(section), len(items)))
            parts += [pack(item) for item in items]
    return size.to_bytes(4, "little") + b"".join(parts) if parts else b""


def decode_ext(data: bytes, string: Callable[[int], str]) -> BtfExt:
    """Read a `.BTF.ext` section; `string` gives the text at an offset in the string table of `.BTF`.

    Records that are longer than those known here (a later kernel's) are read as far as they are known.
    Raises BtfError.
    """
    if len(data) < _HEADER.size:
        raise BtfError(f".BTF.ext: only {len(data)} bytes")
    magic, version, _, length = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise BtfError(f".BTF.ext: magic number is {magic:#06x}, not {MAGIC:#06x}")
    if version != 1:
        raise BtfError(f".BTF.ext: version {version} is not known")
    if not 24 <= length <= len(data):
        raise BtfError(f".BTF.ext: header length {length} is impossible")

    def func(at: int) -> FuncInfo:
        return FuncInfo(*_FUNC.unpack_from(data, at))

    def line(at: int) -> LineInfo:
        offset, file, text, where = _LINE.unpack_from(data, at)
        return LineInfo(offset, string(file), string(text), where >> 10, where & _MAX_COLUMN)

    def core(at: int) -> CoreInfo:
        offset, type_, access, kind = _CORE.unpack_from(data, at)
        return CoreInfo(offset, type_, string(access), kind)

    def table(index: int, name: str, least: int, read: Callable[[int], Any]) -> dict[str, list[Any]]:
        at = _HEADER.size + index * _TABLE.size
        if at + _TABLE.size > length:  # a header of 24 bytes has no CO-RE table
            return {}
        offset, size = _TABLE.unpack_from(data, at)
        return _read_table(data, length + offset, size, f".BTF.ext {name}", least, read, string) if size else {}

    try:
        return BtfExt(
            table(0, "func_info", _FUNC.size, func),
            table(1, "line_info", _LINE.size, line),
            table(2, "core_relo", _CORE.size, core),
        )
    except layout_error as problem:
        raise BtfError(f".BTF.ext: cut short ({problem})") from None


def _read_table(
    data: bytes,
    at: int,
    size: int,
    name: str,
    least: int,
    read: Callable[[int], Any],
    string: Callable[[int], str],
) -> dict[str, list[Any]]:
    end = at + size
    if end > len(data) or size < 4:
        raise BtfError(f"{name}: {size} bytes at {at} of a section of {len(data)}")
    step = int.from_bytes(data[at : at + 4], "little")
    if step < least:
        raise BtfError(f"{name}: records of {step} bytes, {least} or more expected")
    records: dict[str, list[Any]] = {}
    at += 4
    while at < end:
        section, count = _TABLE.unpack_from(data, at)
        at += _TABLE.size
        if at + count * step > end:
            raise BtfError(f"{name}: {count} records of section {string(section)!r} don't fit")
        records.setdefault(string(section), []).extend([read(at + i * step) for i in range(count)])
        at += count * step
    return records
