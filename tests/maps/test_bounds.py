"""What is known to be in bounds the verifier of each kernel is shown: indexes, sizes, on the stack and off it."""

from __future__ import annotations

import linecache
import os
from typing import Any

import pytest

from pybpf import Target, build
from pybpf.runtime.object import open_elf
from tests.maps.crowded import HEAD, program

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

_RELEASE = os.uname().release.split(".")
LEVELS = (1, 3) if (int(_RELEASE[0]), int(_RELEASE[1])) < (6, 6) else (1, 3, 4)

# Below `v` (a Place), and x and y (any u64).
KNOWN = {
    "products of what is negative": "v.a[(i64(x & 3) - 3) * 2 + 6] = 5",
    "what is negative, shifted": "v.a[((i64(x & 3) - 3) << 1) + 6] = 5",
    "how far it is from something": "d = abs(i64(x & 31) - 16)\nif d < 16:\n    v.a[d] = 5",
    "less than another number": "n = y & 7\nif x < n:\n    v.b[x] = 5",
    "less than a number that was tested": "if y <= 13 and x < y:\n    v.b[x] = 5",
    "one less, of what is more than 0": "if x > 0 and x <= 16:\n    v.a[x - 1] = 5",
    "one less, of what is not 0": "if x != 0 and x <= 16:\n    v.a[x - 1] = 5",
    "one more, of what is not the last": "k = x & 15\nif k != 15:\n    v.a[k + 1] = 5",
    "the highest bits": "if x <= 12:\n    v.b[(x << 60) >> 60] = 5",
    "the highest bits of a quotient": "v.a[(u32(x) // u32(y or 1)) >> 28] = 5",
    "the highest bits of a remainder": "v.a[(u32(x) % u32(y or 1)) >> 28] = 5",
    "the highest bits of what was shifted": "v.a[u32(u32(x) >> (y & 31)) >> 28] = 5",
    "a quotient": "d = x // 1000000000\nif d < 13:\n    v.b[d] = 4",
    "a bit field that goes back": "f = x >> 2\nif f < 4:\n    v.b[f << 2] = 5",
    "bit fields that were tested": "f = x & 0xF0\nif f < 0x40:\n    v.c[f | (x & 0xF)] = 5",
    "products": "v.b[(x & 3) * (y & 3)] = 5",
    "what is put together": "v.b[(x & 7) ^ (y & 7)] = 5\nv.b[(x & 3) | (y & 4)] = 5",
    "large factors": "v.b[((x & 7) * 100000) // 65536] = 5",
    "one of several": "if x in (1, 3, 5, 7, 9):\n    v.b[x] = 5",
    "a size": "n = x & 63\nif y < n:\n    helpers.bpf_probe_read_kernel(v.d, y, x)",
    "a size that is not 0": (
        "if 100 <= x <= 300:\n    helpers.bpf_probe_read_kernel(v.d, (x - 50) & 127 | (y & 64), x)"
    ),
    "a signed number": "i = i64(y)\nif i >= -5 and i < 8:\n    v.b[i + 5] = 3",
    "turns of a loop": "n = y & 7\nfor i in range(n):\n    v.a[i] = 5\nfor i in range(n, 13):\n    v.b[i] = 5",
    "turns of a loop that counts down": "n = y & 7\nfor i in range(n, -1, -1):\n    v.b[i] += 1",
}


def takes(source: str, name: str, target: Target, skip: tuple[str, ...] = ()) -> None:
    """Compile for old kernels, then load on this one."""
    linecache.cache[name] = len(source), None, source.splitlines(True), name
    namespace: dict[str, Any] = {"__name__": "bounds"}
    exec(compile(source, name, "exec"), namespace)
    [made] = [value for value in namespace.values() if hasattr(value, "hook")]
    open_elf(build(made, target=target, skip=skip).elf).close()


@pytest.mark.parametrize("what", KNOWN)
def test_what_is_known_is_shown(what: str) -> None:
    body = "".join([f"    {line}\n" for line in KNOWN[what].splitlines()])
    start = "    v, x, y = m.get(1), t.get(1), t.get(2)\n    if v is None or x is None or y is None: return\n"
    source = HEAD.replace("ktime,", "i64, ktime,") + f'\n@raw_tp("sys_enter")\ndef known() -> None:\n{start}{body}'
    for level in LEVELS:
        takes(source, f"<{what}>", Target(cpu=level))


@pytest.mark.parametrize("seed", range(12))
def test_what_was_tested_lies_on_the_stack(seed: int) -> None:
    """Tests come before and after a number goes there, and comes back from there."""
    takes(program(seed), f"<crowded {seed}>", Target(cpu=1 if seed % 4 == 3 else 3))
