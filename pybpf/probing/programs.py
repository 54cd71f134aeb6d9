"""Which types of programs the kernel loads, and which ways of attaching it has."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from pybpf.probing import GOOD, LACKS, Finding
from pybpf.probing.load import SLEEPABLE, code, program
from pybpf.runtime.errors import missing_capabilities

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TYPES", "attaching", "load", "program_types"]

# What loads as `return 0`: name (enum bpf_prog_type), its number, attach type (enum bpf_attach_type), load flags, and
# the first release.
TYPES: tuple[tuple[str, int, int, int, str], ...] = (
    ("SOCKET_FILTER", 1, 0, 0, "3.19"), ("KPROBE", 2, 0, 0, "4.1"), ("SCHED_CLS", 3, 0, 0, "4.1"),
    ("SCHED_ACT", 4, 0, 0, "4.1"), ("TRACEPOINT", 5, 0, 0, "4.7"), ("XDP", 6, 0, 0, "4.8"),
    ("PERF_EVENT", 7, 0, 0, "4.9"), ("CGROUP_SKB", 8, 0, 0, "4.10"), ("CGROUP_SOCK", 9, 2, 0, "4.10"),
    ("LWT_IN", 10, 0, 0, "4.10"), ("LWT_OUT", 11, 0, 0, "4.10"), ("LWT_XMIT", 12, 0, 0, "4.10"),
    ("SOCK_OPS", 13, 0, 0, "4.13"), ("SK_SKB", 14, 0, 0, "4.14"), ("CGROUP_DEVICE", 15, 0, 0, "4.15"),
    ("SK_MSG", 16, 0, 0, "4.17"), ("RAW_TRACEPOINT", 17, 0, 0, "4.17"), ("CGROUP_SOCK_ADDR", 18, 10, 0, "4.17"),
    ("LWT_SEG6LOCAL", 19, 0, 0, "4.18"), ("LIRC_MODE2", 20, 24, 0, "4.18"), ("SK_REUSEPORT", 21, 0, 0, "4.19"),
    ("FLOW_DISSECTOR", 22, 0, 0, "4.20"), ("CGROUP_SYSCTL", 23, 0, 0, "5.2"),
    ("RAW_TRACEPOINT_WRITABLE", 24, 0, 0, "5.2"), ("CGROUP_SOCKOPT", 25, 21, 0, "5.3"), ("SK_LOOKUP", 30, 36, 0, "5.9"),
    ("SYSCALL", 31, 0, SLEEPABLE, "5.14"), ("NETFILTER", 32, 45, 0, "6.4"),
)  # fmt: skip
_RETURN_1 = code((0xB7, 0, 0, 1), (0x95, 0, 0, 0))
# What is loaded for something in the kernel that BTF names: label, type, attach type, BTF names to try, first release.
_BTF: tuple[tuple[str, int, int, tuple[str, ...], str], ...] = (
    ("tp_btf", 26, 23, ("btf_trace_sys_enter", "btf_trace_sched_switch"), "5.5"),
    ("fentry", 26, 24, ("bpf_fentry_test1", "tcp_connect", "do_exit"), "5.5"),
    ("fexit", 26, 25, ("bpf_fentry_test1", "tcp_connect", "do_exit"), "5.5"),
    ("fmod_ret", 26, 26, ("bpf_modify_return_test",), "5.7"),
    ("iter", 26, 28, ("bpf_iter_task",), "5.8"),
    ("lsm", 29, 27, ("bpf_lsm_file_open",), "5.7"),
    ("lsm_cgroup", 29, 43, ("bpf_lsm_socket_bind",), "6.0"),
    ("struct_ops", 27, 0, ("tcp_congestion_ops",), "5.6"),
)  # fmt: skip


def load(name: str) -> tuple[int, str]:
    """Load a program of one of `TYPES`: 0, or the errno; and the verifier's log."""
    _, kind, attach, flags, _ = next(row for row in TYPES if row[0] == name)
    insns = (
        _RETURN_1 if name in ("SK_LOOKUP", "NETFILTER", "CGROUP_SOCKOPT") else code((0xB7, 0, 0, 0), (0x95, 0, 0, 0))
    )
    return program(kind, attach, insns, flags=flags, log_size=4096)


def program_types() -> Iterator[Finding]:
    for name, _, _, _, since in TYPES:
        yield _said(name, load(name)[0], since)


def _said(name: str, number: int, since: str) -> Finding:
    if number == 0:
        return Finding(name, GOOD, "loads")
    if number in (errno.EPERM, errno.EACCES):
        if missing_capabilities():
            return Finding(name, LACKS, "not permitted", "see privileges above")
        text = "refused by this kernel, whoever asks: it is locked down"
        return Finding(name, LACKS, text, "boot without lockdown=, or use another kernel")
    if number == errno.EINVAL:
        return Finding(name, LACKS, "not in this kernel", f"it needs Linux {since}, and may be left out of builds")
    return Finding(name, LACKS, os.strerror(number))


def attaching() -> Iterator[Finding]:
    """What is loaded for a certain place is tried there; of the others, whether the kernel has the event source."""
    source = "/sys/bus/event_source/devices"
    for name in ("kprobe", "uprobe"):
        there = os.path.exists(f"{source}/{name}")
        help = "" if there else f"use a kernel built with CONFIG_{name.upper()}_EVENTS=y"
        if name == "kprobe" and not there:
            help += "; or tracepoints and uprobes"
        yield Finding(f"{name}s", GOOD if there else LACKS, "there" if there else "not in this kernel", help)
    counters = os.path.exists(f"{source}/cpu") or os.path.exists(f"{source}/armv8_pmuv3_0")
    yield Finding("hardware counters", GOOD if counters else LACKS, "there" if counters else "none: perhaps a VM",
                  "" if counters else "sample by a software event, such as cpu-clock")  # fmt: skip
    from pybpf.compiler.btf import types as t
    from pybpf.stdlib.kernel.names import running

    types = running()
    for label, kind, attach, names, since in _BTF:
        if types is None:
            yield Finding(label, LACKS, "needs the kernel's BTF", "use a kernel built with CONFIG_DEBUG_INFO_BTF=y")
            continue
        kinds: dict[str, type[t.BtfType]] = {"tp_btf": t.Typedef, "struct_ops": t.Struct}
        ids = [found for name in names if (found := types.btf.find(name, kinds.get(label, t.Func)))]
        if not ids:
            yield Finding(label, LACKS, "not in this kernel", f"it needs Linux {since}, and may be left out of builds")
            continue
        yield _said(label, program(kind, attach, btf_id=ids[0])[0], since)
