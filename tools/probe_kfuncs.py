"""Ask the running kernel which types of programs may call each of its kfuncs.

    python tools/probe_kfuncs.py >> tools/kfunc_programs.tsv         as root, on each kernel

A row is: release, name, program types. A program that calls the function and nothing else is loaded for each type: the
verifier says that the call is not allowed before it looks at what is given. Types that no machine of ours loads are
left out.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from pybpf.compiler.btf.types import Func, Struct, Typedef
from pybpf.runtime import syscall
from pybpf.runtime.kinds import program_type
from pybpf.stdlib.kernel.names import running
from pybpf.stdlib.kfuncs import names

PROG_LOAD = 5
SLEEPABLE = 1 << 4
NUMBERS = {program_type(number): number for number in range(33)}
# What a program of a type has to say besides: its attach type.
ATTACH = {
    "SOCKET_FILTER": 0, "KPROBE": 0, "SCHED_CLS": 0, "SCHED_ACT": 0, "TRACEPOINT": 0, "XDP": 0, "PERF_EVENT": 0,
    "CGROUP_SKB": 0, "CGROUP_SOCK": 2, "LWT_IN": 0, "LWT_OUT": 0, "LWT_XMIT": 0, "SOCK_OPS": 3, "SK_SKB": 4,
    "CGROUP_DEVICE": 6, "SK_MSG": 7, "RAW_TRACEPOINT": 0, "CGROUP_SOCK_ADDR": 8, "LWT_SEG6LOCAL": 0,
    "FLOW_DISSECTOR": 17, "CGROUP_SYSCTL": 18, "CGROUP_SOCKOPT": 21, "TRACING": 23, "STRUCT_OPS": 0, "SK_LOOKUP": 36,
    "SK_REUSEPORT": 39, "SYSCALL": 0, "NETFILTER": 45,
}  # fmt: skip


def said(kind: str, function: int, target: int) -> str:
    """The verifier's log of a program of a type that calls a function, by its BTF id; "" where it loads."""
    insns = [(0x85, 0x20, 0, function), (0xB7, 0, 0, 0), (0x95, 0, 0, 0)]
    code = ctypes.create_string_buffer(b"".join([struct.pack("<BBhi", *insn) for insn in insns]))
    license, log = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(1 << 14)
    # union bpf_attr of BPF_PROG_LOAD, up to attach_btf_id
    attr = struct.pack(
        "<IIQQIIQII16sIIIIQIIQIII", NUMBERS[kind], len(insns), ctypes.addressof(code), ctypes.addressof(license), 1,
        len(log), ctypes.addressof(log), 0, SLEEPABLE if kind == "SYSCALL" else 0, b"probe", 0, ATTACH[kind], 0, 0, 0,
        0, 0, 0, 0, target, 0,
    )  # fmt: skip
    try:
        os.close(syscall.bpf(PROG_LOAD, attr))
    except OSError as error:
        return log.value.decode(errors="replace") or f"errno {error.errno}"
    return ""


def main() -> None:
    types = running()
    assert types is not None, "the kernel has no BTF"
    targets = {"TRACING": types.btf.find("btf_trace_sched_switch", Typedef),
               "STRUCT_OPS": types.btf.find("tcp_congestion_ops", Struct)}  # fmt: skip
    release = ".".join(os.uname().release.split(".")[:2])
    for name in sorted(names()):
        function = types.btf.find(name, Func)
        if not function:
            continue
        found = []
        for kind in ATTACH:
            text = said(kind, function, targets.get(kind, 0))
            if text.startswith("errno"):
                sys.exit(f"a program of type {kind} can't be loaded: {text}")
            if "is not allowed" not in text:
                found.append(kind)
        print(release, name, " ".join(sorted(found)), sep="\t")


if __name__ == "__main__":
    main()
