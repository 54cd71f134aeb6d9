"""What compiles, the verifier takes: natural ways to make an index, against the machine's kernel."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from pybpf import build
from pybpf.compiler.diagnostics.base import CompileError
from tests.loaders.libbpf import load_with_libbpf, need_root

if TYPE_CHECKING:
    from pathlib import Path

    from pybpf.compiler.object import Object

SOURCE = """\
from pybpf import XDP, Array, HashMap, L, PerCpuArray, Struct, XdpContext, i64, u8, u16, u32, u64, xdp


class Header(Struct):
    number: u32
    other: u32
    small: u8


class Block(Struct):
    octets: Array[u8, L[8]]
    words: Array[u16, L[4]]


class Cells(Struct):
    cells: Array[u32, L[20]]


table = HashMap[u32, Cells](max_entries=3)
slots = PerCpuArray[u64](max_entries=20)


@xdp
def program(pkt: XdpContext) -> XDP:
    h = pkt.parse(Header)
    v = table.get(3)
    if h is None or v is None:
        return XDP.PASS
    n = h.number
    {line}
    return XDP.PASS
"""

# The verifier follows neither quotients nor remainders nor shifts by a variable, and forgets much at a join.
INDICES = [
    "n % 20", "(n & 15) % 20", "n // 300000000", "(n & 255) // 13", "n >> 28", "h.small >> 4",
    "(n & 15) >> (h.other & 3)", "(n & 15) >> (n & 31)", "min(n, 19)", "n if n < 20 else 0",
    "n % 20 if h.other else 3", "(n & 3) * (n & 3)", "(n & 15) ^ (n & 7)", "19 - (n & 15)", "15 - n % 16",
    "1 if n > 5 else 2", "~n & 15", "5 - (n & 3)", "max(n % 7, h.small % 19)", "abs(i64(n & 7) - 3)",
]  # fmt: skip
TAIL = "\n    tail = pkt.parse(Header)\n    if tail is not None:\n        slots[0] += tail.number"
STATEMENTS = [
    "for i in range(min(n, 15)): v.cells[i] += 1",
    "for i in range(n & 15): slots[i] += 1",
    "for i in range(n % 20): slots[i] += 1",
    "for i in range((n & 15) >> (h.other & 3)): v.cells[i] += 1",
    "for i in range(n % 20, 20): v.cells[i] += 1",
    "for i in range(0, n % 20, 3): v.cells[i] += 1",
    "for i in range(n % 20, -1, -1): v.cells[i] += 1",
    "for i in range(19, n % 20, -1): v.cells[i] += 1",
    "k = n % 20 if h.small else 7\n    for i in range(k, h.other % 20): v.cells[i] += 1",
    "k = u32(7)\n    if h.other == 1:\n        k = n % 20\n    v.cells[k] += 1",
    "if n >= 20:\n        return XDP.DROP\n    v.cells[n] += 1",
    "k = n - 5\n    if not 0 <= k < 20:\n        return XDP.DROP\n    v.cells[k] += 1",
    "pkt.skip(n)\n    pkt.skip(h.other)" + TAIL,
    "pkt.skip(n % 40)" + TAIL,
    "pkt.cursor += 3" + TAIL,
]

# Loops that may get further into the packet than the verifier follows an address, unless told how far they are.
STEP = """
        f = pkt.parse(Header)
        if f is None or f.small == 3 or not pkt.skip(f.number):
            break"""
WALKS = [
    "def walk() -> bool:\n        for _ in range(9):"
    + STEP.replace("\n", "\n    ").replace("break", "return False")
    + "\n        return True\n    if h.small and not walk():\n        return XDP.DROP",
    "for _ in range(16):" + STEP + TAIL,
    "for _ in range(3):" + STEP + TAIL,
    "i = 0\n    while i < 16:\n        i += 1" + STEP + TAIL,
    "pkt.skip(h.number)\n    for _ in range(2):" + STEP + TAIL,
    "for _ in range(16):" + STEP + "\n    for _ in range(16):" + STEP + TAIL,
    "for _ in range(16):" + STEP + "\n    pkt.skip(n & 255)\n    for _ in range(16):" + STEP + TAIL,
    "for i in range(4):\n        pkt.skip(2)\n        for _ in range(8):" + STEP.replace("\n", "\n    ") + TAIL,
    "for i in range(h.other):" + STEP + TAIL,
    "def walk() -> bool:\n        for _ in range(9):"
    + STEP.replace("\n", "\n    ").replace("break", "return False")
    + "\n        return True\n    if not walk():\n        return XDP.DROP"
    + TAIL,
    "for _ in range(40):\n        at = pkt.cursor\n        if not pkt.skip(h.small) or at + 12 > pkt.data_end:\n"
    "            break\n"
    "        v.cells[2] = 1 if n & 1 else 2 if n & 2 else 3 if n & 4 else Header.at(at).number" + TAIL,
    "at = pkt.cursor\n    for _ in range(12):\n        if at + 12 > pkt.data_end:\n            break\n"
    "        v.cells[1] += Header.at(at).number\n        at += Header.at(at).number & 0x3FFF" + TAIL,
]

# What lies in the packet at an index that the verifier knows in each iteration, or does not.
BLOCK = "block = pkt.parse(Block)\n    if block is None:\n        return XDP.DROP\n    "
COUNTED = [
    BLOCK + "for i in range(8): v.cells[1] += block.octets[i]",
    BLOCK + "for i in range(3, -1, -1): block.words[i] = block.octets[2 * i] << 8 | block.octets[i ^ 1]",
    BLOCK + "for i in range(4):\n        for j in range(2): block.octets[2 * i + j] = u8(block.words[3 - i] >> j)",
    BLOCK + "for i in range(4):\n        for j in range(h.number): v.cells[1] += block.octets[i] + j",
    BLOCK + "for i in range(4):\n        i = i64(h.small & 7)\n        v.cells[1] += block.octets[i]",
    BLOCK + "for i in range(16): v.cells[1] += block.octets[i // 2] + block.octets[i >> 1] + block.words[i % 4]",
    BLOCK + "for i in range(min(n, 8)): v.cells[1] += block.octets[i]",
    BLOCK
    + "def at(k: u32) -> u8:\n        return block.octets[k & 7]\n    for i in range(200): v.cells[1] += at(i) + at(n)",
    BLOCK + "for i in range(100): v.cells[1] += block.octets[i & 7]",
]

# A number in memory is what it was when it was tested, as long as nothing is written.
TOLD = [
    "if h.number > 15:\n        return XDP.DROP\n    total = 0\n    for i in range(h.number): v.cells[i] += 1",
    "if h.other > 4 or h.number > 15:\n        return XDP.DROP\n    slots[3] += 1\n    v.cells[2] = 7\n"
    "    for i in range(h.number): v.cells[i] += 1",
    "if 0 < h.small < 20:\n        for i in range(h.small): v.cells[i] += 1",
]

# What the verifier would not take, or would read as something else than Python does.
REFUSED = {
    "h += 4": "E0230",
    "table[1] = h + 4": "E0210",
    "v.cells[n] += 1": "E0225",
    "v.cells[(n & 7) - 3] += 1": "E0225",
    "v.cells[abs((n & 7) - 3)] += 1": "E0225",
    "v.cells[n - 5 if n - 5 < 20 else 0] += 1": "E0225",
}


def compiled(line: str, folder: Path) -> Object:
    """The program with that line in it."""
    path = folder / "written.py"
    path.write_text(SOURCE.replace("{line}", line))
    spec = importlib.util.spec_from_file_location("written_for_the_verifier", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        return build(module.program)
    finally:
        del sys.modules[spec.name]


@pytest.mark.kernel
@pytest.mark.parametrize(
    "line",
    [
        *[f"{place}[{index}] += 1" for place in ("v.cells", "slots") for index in INDICES],
        *STATEMENTS,
        *WALKS,
        *COUNTED,
        *TOLD,
    ],
)
def test_it_loads(line: str, tmp_path: Path) -> None:
    need_root()
    verdict = load_with_libbpf(compiled(line, tmp_path).elf, 1)
    assert verdict.clean, verdict.logs["program"][-2000:]


@pytest.mark.parametrize("line", REFUSED)
def test_it_is_refused(line: str, tmp_path: Path) -> None:
    with pytest.raises(CompileError) as raised:
        compiled(line, tmp_path)
    assert [diagnostic.code for diagnostic in raised.value.diagnostics] == [REFUSED[line]]
