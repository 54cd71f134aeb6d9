"""Many values of one type at once, at equal distances: the records of a ring buffer, the elements of a batch.

One `struct` unpacks them all, in a loop that is generated for the type (codec.py shows what is done with one value):

    def decode(raw):
        out = []
        for v0, v1 in iter_unpack(raw):                   # "<8xI16s4x": a header, two fields, padding
            o0 = new(Open); o0.pid = v0; o0.comm = texts[v1]
            append(o0)
        return out
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.types import StructType, Type, size_of
from pybpf.runtime.codec import DECODE_ENV, Code, decoder, is_flat, read

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_decoder"]


def run_decoder(kind: Type, header: int, stride: int) -> Callable[[Any], list[Any]]:
    """A function of a buffer that holds a whole number of strides, each a value of the type behind `header` bytes."""
    if isinstance(kind, StructType) and not is_flat(kind):  # unions and bit fields: a value at a time
        decode = decoder(kind)
        return lambda raw: [decode(raw, at) for at in range(header, len(raw), stride)]
    code = Code(header)
    result = read(code, kind, header)
    code.pad(stride)
    assert size_of(kind) + header <= stride
    env = {**DECODE_ENV, **code.constants, "iter_unpack": struct.Struct(code.format).iter_unpack}
    names = ", ".join(code.names) + ("," if len(code.names) == 1 else "")
    lines = [*code.lines, f"append({result})"]
    text = f"def decode(raw):\n out = []\n append = out.append\n for {names or '_'} in iter_unpack(raw):\n  "
    exec(text + "\n  ".join(lines) + "\n return out", env)
    decode_all: Callable[[Any], list[Any]] = env["decode"]
    return decode_all
