"""What is said of a kernel function that can't be probed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pybpf import PtRegs, RingBuffer, kprobe, load, u64
from pybpf.runtime import AttachError
from pybpf.runtime.kallsyms import why_not_probed

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """\
ffffffff81000000 T do_unlinkat
ffffffff81000010 t vfs_read.constprop.0
ffffffff81000020 D jiffies
ffffffff81000030 T tcp_connect\t[net]
"""

events = RingBuffer[u64](4096)


@kprobe("do_unlinkatt")
def misspelt(ctx: PtRegs) -> None:
    events.emit(1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("do_unlinkatt", "this kernel has no function do_unlinkatt; did you mean do_unlinkat?"),
        ("tcp_conect", "did you mean tcp_connect?"),
        ("do_unlinkat", "the kernel has do_unlinkat(), but does not let it be probed"),
        ("vfs_read", "there is vfs_read.constprop.0"),
        ("jiffies", "this kernel has no function jiffies, or has it inlined"),
    ],
)
def test_by_the_table(name: str, said: str, tmp_path: Path) -> None:
    table = tmp_path / "kallsyms"
    table.write_text(TABLE)
    assert said in why_not_probed(name, str(table))


def test_without_the_table(tmp_path: Path) -> None:
    assert why_not_probed("f", str(tmp_path / "none")) == "no such kernel function, or a kernel without kprobes"


@pytest.mark.kernel
def test_a_probe_that_can_not_be_attached() -> None:
    with load(misspelt) as obj, pytest.raises(AttachError) as caught:
        obj.attach()
    assert "did you mean" in caught.value.help and "do_unlinkat" in caught.value.help


def test_events_are_not_read_from_the_declaration() -> None:
    with pytest.raises(RuntimeError, match="`events` is a declaration"):
        list(events)  # type: ignore[call-overload]
