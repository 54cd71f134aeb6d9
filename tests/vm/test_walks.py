"""Walks through kernel structs: the same objects load on Linux 6.1, 6.12 and this machine's, and find what is so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.vm.machine import PACKAGES, Machine, missing

JUDGE = Path(__file__).with_name("judge.py")
ROOT = Path(__file__).parents[2]
# What this machine's kernel is locked down against; a VM's isn't.
REFUSED_HERE = ("opening", "opened")

WALKS = 60

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.xdist_group("vm")]


@pytest.fixture(scope="module")
def objects() -> dict[str, bytes]:
    """One object a program, built once."""
    from pybpf import Program, build
    from tests.vm import pieces, random_walks, walks

    programs = [value for value in vars(walks).values() if isinstance(value, Program)]
    alone = {program.name: build(program).elf for program in programs if program not in (walks.issue, walks.complete)}
    walked = {f"walk{seed}": build(random_walks.program(seed)[1]).elf for seed in range(WALKS)}
    walked |= {f"walkpiece{number}": build(pieces.program(number)).elf for number in range(len(pieces.PIECES))}
    return {**alone, **walked, "block": build(walks.issue, walks.complete).elf}


def judged(objects: dict[str, bytes], shared: Path, kernel: str) -> dict[str, Any]:
    """findings.json of a kernel; "" is this machine's."""
    for name, elf in objects.items():
        (shared / f"{name}.o").write_bytes(elf)
    if kernel:
        if reason := missing():
            pytest.skip(reason)
        try:
            machine = Machine(kernel)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"Linux {kernel} for a VM can't be had: {error}")
        done = machine.run([sys.executable, str(JUDGE), "/run/vm"], shared, str(ROOT))
        assert done.returncode == 0, done.output
    else:
        if os.geteuid() != 0:
            pytest.skip("loading BPF programs needs root")
        subprocess.run([sys.executable, str(JUDGE), str(shared)], check=True, cwd=ROOT, stdin=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads((shared / "findings.json").read_text())
    return found


@pytest.mark.parametrize("kernel", ["", *PACKAGES])
def test_walks(objects: dict[str, bytes], tmp_path: Path, kernel: str) -> None:
    found = judged(objects, tmp_path, kernel)
    truth = found.pop("truth")
    refused = REFUSED_HERE if not kernel else ()
    errors = {name: result["error"] for name, result in found.items() if "error" in result and name not in refused}
    if kernel:  # members that came later are the only thing that a random walk may stumble over
        errors = {k: text for k, text in errors.items() if not (k.startswith("walk") and "invalid CO-RE" in text)}
    assert not errors, "\n".join(f"{name}: {text}" for name, text in errors.items())

    assert not [result["messages"] for result in found.values() if result.get("messages")]

    seen = found["by_address"]["seen"]
    assert [seen[k] for k in "0126"] == [truth["parent"], truth["pid"], truth["files"], truth["stdout"]]
    assert seen["3"] == truth["task_struct"] and seen["4"] > 100 and seen["5"] == 0
    assert found["by_address"]["names"]["1"] == truth["comm"]

    seen = found["by_load"]["seen"]
    assert [seen[str(k)] for k in (10, 11, 12)] == [truth["parent"], truth["pid"], truth["files"]]
    assert seen["14"] > 100 and seen["15"] == truth["stdin"] and seen["16"] == truth["uts"] and seen["17"] == 1

    assert found["switched"]["seen"]["20"] == truth["parent"] and found["switched"]["names"]["2"] == truth["comm"]
    assert found["state"]["seen"]["24"] in (0, 0x7F000001)
    if kernel:
        assert found["unlinked"]["seen"] == {"30": 1}
        assert found["path"]["names"]["3"] == "walked"
        assert found["opening"]["names"]["4"].endswith("walked") and found["opened"]["names"]["5"] == "walked"
