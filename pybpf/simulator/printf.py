"""printf formats as bpf_trace_printk takes them: kernel/bpf/helpers.c, bpf_bprintf_prepare()."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pybpf.simulator.numbers import signed

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["format_line"]

_SPEC = re.compile(rb"%([-+ #0]*)(\d*)(l{0,2})([diuxXcsp%])")


def format_line(format: bytes, args: Sequence[int | bytes]) -> str:
    """The line that the trace shows. Numbers are 64-bit patterns, strings come without their NUL."""
    rest = iter(args)

    def one(match: re.Match[bytes]) -> bytes:
        flags, width, longs, letter = match.groups()
        if letter == b"%":
            return b"%"
        value = next(rest)
        if isinstance(value, bytes):
            return _padded(value, flags, width)
        bits = 64 if longs or letter == b"p" else 32
        if letter == b"c":
            return _padded(bytes([value & 255]), flags, width)
        number = signed(value, bits) if letter in b"di" else value & (1 << bits) - 1
        if letter == b"p":
            return b"%016x" % number
        return (b"%" + flags + width + letter.replace(b"u", b"d").replace(b"i", b"d")) % number

    return _SPEC.sub(one, format).decode("utf-8", "replace")


def _padded(text: bytes, flags: bytes, width: bytes) -> bytes:
    size = int(width or b"0")
    return text.ljust(size) if b"-" in flags else text.rjust(size)
