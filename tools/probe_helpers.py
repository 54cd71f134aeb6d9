"""Ask kernels which helpers each type of program may call: writes tools/helper_programs.tsv.

    python tools/probe_helpers.py [--keep DIRECTORY]    on this kernel, and on those of tests/vm in VMs; as root
    python tools/probe_helpers.py --here                on the running kernel only: prints JSON

For each row of libbpf's section table that the kernel can load (program type, attach type, sleepable or not) and each
helper, a program of that kind is loaded that calls it with zeros. The verifier looks up the helper before all else:
"unknown func" (6.1) or "program of this type cannot use helper" is a no; all else a yes.

Lines of the file: helper, then TYPE or TYPE/ATTACH_TYPE (where the attach types of a program type differ, those that
may), with the kernel that was the first to say yes after "@" where the oldest said no: "TRACING/BPF_TRACE_ITER@6.12".
A kernel that can't load programs of a kind (this one may be locked down) has no say in it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FILE = ROOT / "tools" / "helper_programs.tsv"
sys.path.insert(0, str(ROOT))

SYS_BPF = {"x86_64": 321, "aarch64": 280}
PROG_LOAD = 5
SLEEPABLE = 1 << 4
NO = ("unknown func", "program of this type cannot use helper", "cannot use helper")
# What programs of a kind are loaded for that name a function of the kernel, by section: BTF name.
TARGETS = {
    "tp_btf+": "btf_trace_sys_enter", "fentry+": "vfs_read", "fexit+": "vfs_read",
    "fmod_ret+": "security_file_open", "fentry.s+": "security_file_open", "fexit.s+": "security_file_open",
    "fmod_ret.s+": "security_file_open", "lsm+": "bpf_lsm_file_open", "lsm.s+": "bpf_lsm_file_open",
    "lsm_cgroup+": "bpf_lsm_socket_bind", "iter+": "bpf_iter_task", "iter.s+": "bpf_iter_task",
    "struct_ops+": "tcp_congestion_ops", "struct_ops.s+": "tcp_congestion_ops",
}  # fmt: skip


def insn(opcode: int, dst: int = 0, imm: int = 0) -> bytes:
    return struct.pack("<BBhi", opcode, dst, 0, imm)


def here() -> dict[str, Any]:
    """What the running kernel says: {"release", "yes": {"TYPE/ATTACH": [helpers]}}, of those kinds that it can load."""
    from pybpf.compiler.btf import types as t
    from pybpf.compiler.btf.decode import decode_btf
    from pybpf.compiler.btf.kernel import KernelTypes
    from pybpf.stdlib.helpers import names_by_id
    from pybpf.stdlib.sections import SECTIONS

    btf = decode_btf(Path("/sys/kernel/btf/vmlinux").read_bytes())
    kernel = KernelTypes(btf)

    def number(name: str) -> int | None:
        found = kernel.enumerator(name)
        return None if found is None else found[1]

    yes: dict[str, set[str]] = {}
    for pattern, (kind, attach, flags) in SECTIONS.items():
        program, expected = number(f"BPF_PROG_TYPE_{kind}"), 0 if attach == "0" else number(attach)
        target = 0
        if pattern in TARGETS:
            wanted = TARGETS[pattern]
            kinds = {"tp_btf+": t.Typedef, "struct_ops+": t.Struct, "struct_ops.s+": t.Struct}
            target = btf.find(wanted, kinds.get(pattern, t.Func))
        if program is None or expected is None or (pattern in TARGETS and not target):
            continue
        if kind == "STRUCT_OPS":
            expected = [member.name for member in kernel.of(target).members].index("ssthresh")  # type: ignore[attr-defined]
        load = (program, expected, target, SLEEPABLE if "SLEEPABLE" in flags or kind == "SYSCALL" else 0)
        if (refusal := ask(load, b"")) and ask(load, b"", 1):
            print(f"{pattern}: {refusal}", file=sys.stderr)
            continue
        made = yes.setdefault(f"{kind}/{attach}", set())
        for helper, name in names_by_id().items():
            code = b"".join(insn(0xB7, register) for register in range(1, 6)) + insn(0x85, 0, helper)
            said = ask(load, code)
            if not any(no in said for no in NO):
                made.add(name)
    release = ".".join(os.uname().release.split("-")[0].split(".")[:2])
    return {"release": release, "yes": {kind: sorted(made) for kind, made in yes.items()}}


def ask(load: tuple[int, int, int, int], code: bytes, result: int = 0) -> str:
    """What the verifier says against a program; "" where it takes it."""
    program, expected, target, flags = load
    code += insn(0xB7, 0, result) + insn(0x95)
    log = ctypes.create_string_buffer(1 << 16)
    insns, text = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "<IIQQIIQII16sII", program, len(code) // 8, ctypes.addressof(insns), ctypes.addressof(text), 1, len(log),
        ctypes.addressof(log), 0, flags, b"", 0, expected,
    ).ljust(108, b"\0") + struct.pack("<I", target)  # fmt: skip
    attributes = attributes.ljust(128, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYS_BPF[platform.machine()], PROG_LOAD, attributes, len(attributes))
    if fd >= 0:
        os.close(fd)
        return ""
    return log.value.decode(errors="replace") or os.strerror(ctypes.get_errno())


def everywhere(place: Path) -> list[dict[str, Any]]:
    """What each kernel says, the oldest first; as JSON in `place` too, from where it is read if it is there."""
    from tests.vm.machine import PACKAGES, Machine

    made = []
    for kernel in (*PACKAGES, "here"):
        file = place / f"{kernel}.json"
        if not file.exists():
            command = [sys.executable, str(Path(__file__).resolve()), "--here"]
            if kernel == "here":
                file.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            else:
                with tempfile.TemporaryDirectory() as shared:
                    done = Machine(kernel).run(command, Path(shared), str(ROOT), timeout=1500)
                if done.returncode != 0:
                    raise SystemExit(f"{kernel}: {done.output}")
                file.write_text(done.output.splitlines()[-1])
        made.append(json.loads(file.read_text()))
    return made


def rows(said: list[dict[str, Any]]) -> list[str]:
    """The lines of the file."""
    attaches: dict[str, list[str]] = {}  # of a program type
    for kernel in said:
        for key in kernel["yes"]:
            known = attaches.setdefault(key.partition("/")[0], [])
            known += [key] if key not in known else []
    made = []
    for name in sorted({name for kernel in said for helpers in kernel["yes"].values() for name in helpers}):
        words: list[str] = []
        for kind in sorted(attaches):
            words += words_of(said, name, kind, sorted(attaches[kind]))
        made.append(f"{name}\t{' '.join(words)}")
    return made


def words_of(said: list[dict[str, Any]], name: str, kind: str, keys: list[str]) -> list[str]:
    """Who may call a helper among the programs of one type: the type itself where its attach types all agree."""
    asked = [kernel for kernel in said if any(key in kernel["yes"] for key in keys)]
    answers = [{name in kernel["yes"][key] for key in keys if key in kernel["yes"]} for kernel in asked]
    first = [answer == {True} for answer in answers]
    if all(len(answer) == 1 for answer in answers):
        return [kind + _since(asked, first.index(True))] if True in first else []
    made = []
    for key in keys:
        asked = [kernel for kernel in said if key in kernel["yes"]]
        first = [name in kernel["yes"][key] for kernel in asked]
        made += [key + _since(asked, first.index(True))] if True in first else []
    return made


def _since(asked: list[dict[str, Any]], index: int) -> str:
    return f"@{asked[index]['release']}" if index else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(here()))
        return
    with tempfile.TemporaryDirectory() as place:
        made = rows(everywhere(options.keep or Path(place)))
    FILE.write_text("# Generated by tools/probe_helpers.py; do not edit.\n" + "\n".join(made) + "\n")


if __name__ == "__main__":
    main()
