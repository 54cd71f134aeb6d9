"""ISA levels and kernels: what goes together, what is chosen where nothing is said, and what `load` finds out."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import XDP, ArrayMap, DeclarationError, Struct, Target, XdpContext, build, i8, load, xdp
from pybpf.cli import main
from pybpf.compiler.isa.insn import decode
from pybpf.compiler.isa.levels import level
from pybpf.listing import listings
from pybpf.loading import _this_kernel
from pybpf.runtime import isalevel, syscall
from tests.codegen import kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HELLO = "from pybpf import *\n\n\n@xdp\ndef hello(pkt: XdpContext) -> XDP:\n    return XDP.PASS\n"


@pytest.mark.parametrize(
    ("given", "cpu", "oldest"),
    [
        ({}, 3, (6, 1)),
        ({"cpu": 1}, 1, (6, 1)),
        ({"cpu": 4}, 4, (6, 6)),
        ({"kernel": (6, 12)}, 3, (6, 12)),
        ({"kernel": (6, 12), "cpu": 4}, 4, (6, 12)),
        ({"kernel": (5, 1)}, 3, (5, 1)),
        ({"kernel": (4, 19)}, 2, (4, 19)),
        ({"kernel": (4, 4)}, 1, (4, 4)),
    ],
)
def test_what_is_not_said(given: dict[str, Any], cpu: int, oldest: tuple[int, int]) -> None:
    target = Target(**given)
    assert (target.cpu, target.kernel) == (cpu, oldest)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cpu": 4, "kernel": (6, 1)}, "needs Linux 6.6, and the programs are to run on Linux 6.1 too"),
        ({"cpu": 4, "kernel": (6, 1)}, "--cpu v3, or with --target 6.6"),
        ({"cpu": 3, "kernel": (4, 19)}, "--cpu v2, or with --target 5.1"),
        ({"cpu": 2, "kernel": (4, 4)}, "--cpu v1, or with --target 4.14"),
        ({"cpu": 5}, "there is no instruction set v5"),
    ],
)
def test_what_does_not_go_together(given: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        Target(**given)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hello.py").write_text(HELLO)
    built = ["build", str(tmp_path / "hello.py"), "-o", str(tmp_path / "hello.o")]
    assert main([*built, "--cpu", "v4", "--target", "6.1"]) == 1
    assert capsys.readouterr().err == (
        "error: instruction set v4 needs Linux 6.6, and the programs are to run on Linux 6.1 too\n"
        "help: build with --cpu v3, or with --target 6.6\n"
    )
    assert main([*built, "--cpu", "v4"]) == 0
    assert main([*built, "--cpu", "v1", "--target", "4.8"]) == 0


# --- what the running kernel takes


class Field(Struct):
    small: i8


fields = ArrayMap[Field](1)


@xdp
def extends(pkt: XdpContext) -> XDP:
    return XDP.DROP if fields[0].small < -5 else XDP.PASS


@pytest.fixture
def asked_anew() -> Iterator[None]:
    isalevel.best_level.cache_clear()
    yield
    isalevel.best_level.cache_clear()


@pytest.mark.kernel
@pytest.mark.guest
@pytest.mark.skipif(bool(kernel.why_not()), reason=kernel.why_not())
@pytest.mark.usefixtures("asked_anew")
def test_load_takes_the_best_level() -> None:
    wanted = 4 if _this_kernel().kernel >= (6, 6) else 3
    assert isalevel.best_level() == _this_kernel().cpu == wanted
    with load(extends) as obj:
        loaded = [row.text for each in listings(obj.elf) for row in each.rows]
    assert any("*(s8 *)" in text for text in loaded) == (wanted == 4)
    assert max([level(i) for code in build(extends).functions.values() for i in decode(code.code)]) <= 3


@pytest.mark.kernel
@pytest.mark.skipif(bool(kernel.why_not()), reason=kernel.why_not())
def test_each_level_is_found_where_the_next_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dict(isalevel._HAS)
    for lacking in (4, 3, 2):
        # an opcode that no kernel has stands for what an older one lacks
        less = {at: ((0xFF, 0, 0, 0),) if at >= lacking else rows for at, rows in whole.items()}
        monkeypatch.setattr(isalevel, "_HAS", less)
        isalevel.best_level.cache_clear()
        assert isalevel.best_level() == lacking - 1
    isalevel.best_level.cache_clear()


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize(
    ("translated", "runs", "best"),
    [
        ((1, 2, 3), (1, 2, 3, 4), 3),  # a JIT that leaves level 4 to the interpreter
        ((), (1, 2, 3, 4), 4),  # no JIT
        ((), (1, 2, 3), 3),
        ((1, 2, 3, 4), (1, 2, 3, 4), 4),
        ((), (), 3),  # nothing loads: whoever loads next will say so
    ],
)
def test_machine_code_comes_first(
    monkeypatch: pytest.MonkeyPatch, translated: tuple[int, ...], runs: tuple[int, ...], best: int
) -> None:
    def ask(level: int) -> bool:
        if level not in runs:
            raise OSError(22, "Invalid argument")
        return level in translated

    monkeypatch.setattr(isalevel, "_translated", ask)
    assert isalevel.best_level() == best


@pytest.mark.usefixtures("asked_anew")
def test_one_who_may_not_load_gets_the_usual_level(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(command: int, attr: bytes) -> int:
        asked.append(struct.unpack_from("<II", attr))
        raise PermissionError(1, os.strerror(1))

    monkeypatch.setattr(syscall, "bpf", refuse)
    assert [isalevel.best_level(), isalevel.best_level()] == [3, 3]
    assert len(asked) == 1
