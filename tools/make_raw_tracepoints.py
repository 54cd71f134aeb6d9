"""Write stdlib/data/raw_tracepoints.tsv: the raw tracepoints of the running kernel, and the names of their arguments.

    python tools/make_raw_tracepoints.py

Read from the kernel's BTF (through `bpftool btf dump -j`): tracepoint NAME has a function `__traceiter_NAME`, whose
parameters after the first are the arguments.
"""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

TARGET = Path(__file__).parent.parent / "stdlib" / "data" / "raw_tracepoints.tsv"


def main() -> None:
    dump = subprocess.run(
        ["bpftool", "btf", "dump", "-j", "file", "/sys/kernel/btf/vmlinux"], capture_output=True, text=True, check=True
    )
    types = {item["id"]: item for item in json.loads(dump.stdout)["types"]}
    rows = {}
    for item in types.values():
        if item["kind"] == "FUNC" and item["name"].startswith("__traceiter_"):
            parameters = types[item["type_id"]]["params"][1:]
            rows[item["name"].removeprefix("__traceiter_")] = " ".join(each["name"] for each in parameters)
    kernel = ".".join(platform.release().split(".")[:2])
    head = f"# Linux {kernel} {platform.machine()}, by tools/make_raw_tracepoints.py: name, names of the arguments\n"
    TARGET.write_text(head + "".join(f"{name}\t{rows[name]}\n" for name in sorted(rows)))


if __name__ == "__main__":
    main()
