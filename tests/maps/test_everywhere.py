"""Objects with maps of each type in other loaders, and for older kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pybpf import XDP, ArrayMap, BloomFilter, CompileError, HashMap, Target, XdpContext, build, u32, u64, xdp
from tests.loaders.harness import bpftool_loadall, compile_skeleton, gen_object
from tests.maps import test_keyed, test_nested, test_queues

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = [
    test_keyed.route,
    test_keyed.count,
    test_keyed.keep,
    test_keyed.locked,
    test_queues.work,
    test_nested.through,
]


@pytest.mark.kernel
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_bpftool_loads_it(program: Any, tmp_path: Path) -> None:
    path = tmp_path / "maps.bpf.o"
    path.write_bytes(build(program).elf)
    verdict = bpftool_loadall(path)
    assert verdict.clean, verdict
    assert program.name in verdict.output


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_it_links_and_has_a_skeleton(program: Any, tmp_path: Path) -> None:
    path = tmp_path / "maps.bpf.o"
    path.write_bytes(build(program).elf)
    if program is not test_keyed.locked:  # its bpf_spin_lock would clash with that of linux/bpf.h
        assert compile_skeleton(path).clean
    assert gen_object(path).clean


seen = BloomFilter[u64](100)
fixed = ArrayMap[u64](16, mmapable=True)
out = HashMap[u32, u64](max_entries=4)


@xdp
def young(pkt: XdpContext) -> XDP:
    seen.add(1)
    return XDP.PASS


@xdp
def mapped(pkt: XdpContext) -> XDP:
    fixed[1] += 1
    return XDP.PASS


@pytest.mark.parametrize(
    "program, kernel, what",
    [(young, (5, 15), "a map of type BLOOM_FILTER"), (mapped, (5, 4), "`mmapable`")],
    ids=["type", "flag"],
)
def test_an_older_kernel_is_told(program: Any, kernel: tuple[int, int], what: str) -> None:
    with pytest.raises(CompileError, match=what):
        build(program, target=Target(kernel=kernel))
    assert build(program, target=Target(kernel=(5, 16))).elf
