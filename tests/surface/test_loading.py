"""`load`: programs are compiled for the kernel they are loaded into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf import TracepointContext, build, tracepoint, u64, var
from pybpf.building import compile_specs
from pybpf.loading import _as_it_is_here
from pybpf.runtime import tracefs

if TYPE_CHECKING:
    import pytest

seen = var(u64, 0)


@tracepoint("sched:sched_process_exit")
def leaving(ctx: TracepointContext) -> None:
    global seen
    seen = ctx.prio


FORMAT = """name: sched_process_exit
ID: 318
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:int added_by_another_kernel;	offset:8;	size:4;	signed:1;
	field:char comm[16];	offset:12;	size:16;	signed:0;
	field:pid_t pid;	offset:28;	size:4;	signed:1;
	field:int prio;	offset:32;	size:4;	signed:1;
"""


def _offset_of_prio(made: object) -> str:
    return next(line for line in made.disassemble().splitlines() if "(r1 +" in line)  # type: ignore[attr-defined]


def test_fields_are_where_the_running_kernel_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # A kernel whose record differs from the bundled table's can't be had here: its format file is made up.
    monkeypatch.setattr(tracefs, "event_format", lambda category, name: FORMAT)
    here = compile_specs([_as_it_is_here(leaving.__bpf__)], None, "", {})
    assert "(r1 +32)" in _offset_of_prio(here)
    assert "(r1 +32)" not in _offset_of_prio(build(leaving))


def test_a_build_does_not_ask_the_running_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(category: str, name: str) -> str:
        raise AssertionError("the running kernel was asked")

    before = build(leaving).elf
    monkeypatch.setattr(tracefs, "event_format", refuse)
    assert build(leaving).elf == before
