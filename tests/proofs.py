"""What tests have seen of this kernel, for docs/support.md.

    prove("hook", "xdp", "fired")              after a program of that section ran at a real event
    prove("map", "LPM_TRIE", "lookup")
    prove("helper", "bpf_redirect_map", "accepted XDP")

Each is a line of a file in the directory $PYBPF_PROOFS, with the kernel's release; without it nothing is written.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

__all__ = ["collect", "prove", "read"]

PLACE = "PYBPF_PROOFS"


def prove(table: str, row: str, what: str) -> None:
    """Say that the running kernel was seen to do it."""
    place = os.environ.get(PLACE)
    if place:
        release = ".".join(os.uname().release.split("-")[0].split(".")[:2])
        with open(Path(place) / f"{release}-{os.getpid()}.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps([table, row, what, release]) + "\n")


def collect(source: Path) -> None:
    """Add what was proved elsewhere, in a directory that a VM wrote to."""
    place = os.environ.get(PLACE)
    if place:
        for file in sorted(source.glob("*.jsonl")):
            with open(Path(place) / f"guest-{os.getpid()}-{file.name}", "a", encoding="utf-8") as into:
                into.write(file.read_text(encoding="utf-8"))


def read(place: Path) -> set[tuple[str, str, str, str]]:
    """All (table, row, what, kernel) of a directory."""
    lines = [line for file in sorted(place.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines()]
    return {tuple(json.loads(line)) for line in lines}
