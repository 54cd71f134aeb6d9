"""The kernel and its settings, and the file systems that BPF is used through."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pybpf.probing import GOOD, LACKS, NOTE, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["kernel", "mounts", "read"]


def read(path: str) -> str:
    """A file's text without white space around it; "" where it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def kernel() -> Iterator[Finding]:
    system = os.uname()
    yield Finding("release", NOTE, f"{system.sysname} {system.release} {system.machine}")
    jit = read("/proc/sys/net/core/bpf_jit_enable")
    words = {"0": "off", "1": "on", "2": "on, with debug output", "": "not told to this user, or always on"}
    help = "sysctl net.core.bpf_jit_enable=1: programs run several times as fast" if jit == "0" else ""
    yield Finding("JIT", LACKS if jit == "0" else GOOD, words.get(jit, jit), help)
    if read("/proc/sys/net/core/bpf_jit_harden") in ("1", "2"):
        yield Finding("JIT hardening", NOTE, "on: constants are blinded, which costs some speed")
    yield _btf()
    yield _lockdown()
    if not os.path.exists("/sys/kernel/security"):
        yield Finding("securityfs", NOTE, "not mounted")
    modules = read("/sys/kernel/security/lsm")
    if modules:
        active = "bpf" in modules.split(",")
        help = "" if active else f"boot with lsm={modules},bpf for @lsm programs to run"
        yield Finding("LSM", GOOD if active else LACKS, modules, help)
    paranoid = read("/proc/sys/kernel/perf_event_paranoid")
    if paranoid:
        yield Finding("perf_event_paranoid", NOTE, paranoid)
    pointers = read("/proc/sys/kernel/kptr_restrict")
    if pointers:
        hidden = pointers != "0"
        help = "sysctl kernel.kptr_restrict=0, for stacks to show the kernel's functions" if pointers == "2" else ""
        text = {"0": "shown", "1": "shown to the privileged", "2": "hidden from all"}.get(pointers, pointers)
        yield Finding("kernel addresses", LACKS if hidden and help else GOOD, text, help)
    if read("/proc/sys/kernel/bpf_stats_enabled") == "1":
        yield Finding("statistics", NOTE, "on: each run of a program takes tens of nanoseconds longer")


def _btf() -> Finding:
    path = "/sys/kernel/btf/vmlinux"
    if not os.path.exists(path):
        without = "none: no CO-RE for this kernel, no fentry, tp_btf, LSM, iterators, struct_ops"
        return Finding("BTF", LACKS, without, "use a kernel built with CONFIG_DEBUG_INFO_BTF=y")
    modules = len(os.listdir("/sys/kernel/btf")) - 1
    return Finding("BTF", GOOD, f"{path} ({os.path.getsize(path):,} bytes), and {modules} modules'")


def _lockdown() -> Finding:
    text = read("/sys/kernel/security/lockdown")
    mode = text[text.index("[") + 1 : text.index("]")] if "[" in text else ""
    if mode in ("integrity", "confidentiality"):
        help = "reading kernel memory is forbidden: boot without lockdown=, or without Secure Boot"
        return Finding("lockdown", LACKS if mode == "confidentiality" else NOTE, mode, help)
    return Finding("lockdown", GOOD if mode else NOTE, mode or "not told")


def mounts() -> Iterator[Finding]:
    found: dict[str, str] = {}
    for line in read("/proc/self/mounts").split("\n"):
        fields = line.split()
        if len(fields) > 2:
            found.setdefault(fields[2], fields[1])
    if "tracefs" in found:
        yield Finding("tracefs", GOOD, found["tracefs"])
    elif _can_mount():
        yield Finding("tracefs", GOOD, "not mounted: pybpf mounts it for itself")
    else:
        yield Finding("tracefs", LACKS, "not mounted", "as root: mount -t tracefs tracefs /sys/kernel/tracing")
    if "bpf" in found:
        yield Finding("bpffs", GOOD, found["bpf"])
    else:
        yield Finding("bpffs", LACKS, "not mounted: nothing can be pinned", "as root: mount -t bpf bpf /sys/fs/bpf")
    if "cgroup2" in found:
        yield Finding("cgroup2", GOOD, found["cgroup2"])
    else:
        help = "as root: mount -t cgroup2 none /sys/fs/cgroup/unified"
        yield Finding("cgroup2", LACKS, "not mounted: no cgroup hooks", help)


def _can_mount() -> bool:
    from pybpf.runtime.syscall import tracefs_mount

    try:
        os.close(tracefs_mount())
    except OSError:
        return False
    return True
