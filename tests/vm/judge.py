"""Loads the objects of a directory, lets them see what this process does, and writes down what they found.

    python judge.py DIRECTORY

NAME.o in; findings.json out: {NAME: {"error"} | {"seen", "names"}, "truth": {...}}. Objects called walk*.o are only
loaded.

Runs inside a VM and outside; programs are not compiled here.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import time
from pathlib import Path
from typing import Any

from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.btf.types import Struct
from pybpf.runtime.errors import PybpfError
from pybpf.runtime.object import open_elf


def work(directory: Path) -> None:
    """What there is to see: files, a switch to another process, a packet that nobody wants."""
    for _ in range(3):
        path = directory / "walked"
        path.write_text("x")
        path.unlink()
        os.getppid()
        time.sleep(0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.sendto(b"x", ("127.0.0.1", 9))
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
    os.sync()


def truth() -> dict[str, Any]:
    """What the programs should have found, from other sources."""
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "comm": Path("/proc/self/comm").read_text().strip(),
        "stdin": os.fstat(0).st_ino,
        "stdout": os.fstat(1).st_ino,
        "uts": os.stat("/proc/self/ns/uts").st_ino,
        "task_struct": size_of("task_struct"),
    }


def size_of(struct: str) -> int:
    """By the kernel's own BTF."""
    btf = decode_btf(Path("/sys/kernel/btf/vmlinux").read_bytes())
    found = btf[btf.find(struct, Struct)]
    assert isinstance(found, Struct)
    return found.size


def findings(path: Path) -> dict[str, Any]:
    elf = path.read_bytes()
    constants = {"mine": os.getpid().to_bytes(4, "little")} if b"\0mine\0" in elf else {}
    try:
        loaded = open_elf(elf, path.stem, globals=constants)
    except PybpfError as error:
        return {"error": str(error) + getattr(error, "log", "")[-2000:]}
    if path.stem.startswith("walk"):  # it is enough that the verifier takes it
        loaded.close()
        return {}
    with loaded:
        found: dict[str, Any] = {"seen": {}, "names": {}, "messages": loaded.messages}
        try:
            loaded.attach()
            work(path.parent)
        except PybpfError as error:
            found["unattached"] = str(error)
        for name, table in loaded.maps.items():
            if name in found:
                for key, value in table.items():
                    number = int.from_bytes(key, "little")
                    text = name == "names"
                    found[name][number] = value.split(b"\0")[0].decode() if text else int.from_bytes(value, "little")
    return found


if __name__ == "__main__":
    shared = Path(sys.argv[1])
    os.dup2(os.pipe()[0], 0)  # files with inodes of their own: overlayfs shows others than the kernel has
    os.dup2(os.pipe()[1], 1)
    results = {path.stem: findings(path) for path in sorted(shared.glob("*.o"))}
    (shared / "findings.json").write_text(json.dumps({**results, "truth": truth()}, indent=1))
