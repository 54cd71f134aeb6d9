"""Write the bundled tracepoint table, stdlib/data/tracepoints/*.tsv, from the running kernel's tracefs.

    unshare -m sh -c 'mount -t tracefs none /mnt && python tools/make_tracepoints.py /mnt'

One shard a category; pybpf/stdlib/tracepoints.py says how it is written. `ftrace` is left out: BPF can't attach there.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from pybpf.stdlib.tracepoints import parse_format

ROOT = Path(__file__).parent.parent / "stdlib" / "data" / "tracepoints"


def main(tracefs: Path) -> None:
    ROOT.mkdir(parents=True, exist_ok=True)
    for old in ROOT.glob("*.tsv"):
        old.unlink()
    kernel = ".".join(platform.release().split(".")[:2])
    for category in sorted((tracefs / "events").iterdir()):
        if not category.is_dir() or category.name == "ftrace":
            continue
        rows, first = [], {}
        for event in sorted(category.iterdir()):
            if not (event / "format").is_file():
                continue
            fields = ",".join(parse_format((event / "format").read_text(), category.name == "syscalls"))
            same = first.setdefault(fields, event.name)
            rows.append(f"{event.name}\t{fields if same == event.name or not fields else '=' + same}\n")
        if rows:
            head = f"# Linux {kernel} {platform.machine()}, by tools/make_tracepoints.py\n"
            (ROOT / f"{category.name}.tsv").write_text(head + "".join(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
