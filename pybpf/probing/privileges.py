"""What this user may do: capabilities one by one, limits, and what the kernel lets the unprivileged do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pybpf.probing import GOOD, LACKS, NOTE, Finding
from pybpf.probing.system import read

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["privileges"]

# Bit of the capability (include/uapi/linux/capability.h), its name, what it is for, whether CAP_SYS_ADMIN has it too.
_CAPABILITIES = (
    (39, "CAP_BPF", "create maps, load programs", True),
    (38, "CAP_PERFMON", "tracing: kprobes, tracepoints, perf events, reading kernel memory", True),
    (12, "CAP_NET_ADMIN", "networking: XDP, TC, cgroup and socket programs", False),
    (21, "CAP_SYS_ADMIN", "open maps, programs and links by id; count runs; mount file systems", False),
    (24, "CAP_SYS_RESOURCE", "raise limits, as that of locked memory before Linux 5.11", False),
    (19, "CAP_SYS_PTRACE", "probe and look into processes of other users", False),
)
_BPF_WITHOUT_MEMLOCK = (5, 11)


def privileges() -> Iterator[Finding]:
    yield Finding("user", NOTE, "root" if os.geteuid() == 0 else f"uid {os.geteuid()}")
    held = _held()
    for bit, name, purpose, by_admin in _CAPABILITIES:
        has = bool(held >> bit & 1) or (by_admin and bool(held >> 21 & 1))
        help = "" if has else _how(name)
        yield Finding(name, GOOD if has else LACKS, purpose, help)
    unprivileged = read("/proc/sys/kernel/unprivileged_bpf_disabled")
    text = {"0": "may load a few program types", "1": "may load nothing", "2": "may load nothing, until root says so"}
    if unprivileged in text:
        yield Finding("other users", NOTE, text[unprivileged])
    yield _memlock()
    if _in_user_namespace():
        help = "ask for a BPF token, or run it outside of the container"
        yield Finding("user namespace", LACKS, "this is not the initial one, where capabilities count for BPF", help)


def _how(capability: str) -> str:
    return (
        f"run as root, or: setcap {capability.lower()}+ep on a copy of the interpreter; systemd: AmbientCapabilities="
    )


def _held() -> int:
    for line in read("/proc/self/status").split("\n"):
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _memlock() -> Finding:
    import resource

    release = tuple([int(part) for part in os.uname().release.split("-")[0].split(".")[:2] if part.isdigit()])
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    shown = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft:,} bytes"
    if release >= _BPF_WITHOUT_MEMLOCK:
        return Finding("locked memory", GOOD, f"{shown}; maps don't count since Linux 5.11")
    enough = soft == resource.RLIM_INFINITY or soft >= 64 << 20
    return Finding("locked memory", GOOD if enough else LACKS, shown, "" if enough else "ulimit -l unlimited")


def _in_user_namespace() -> bool:
    """Whether ids are mapped: in the initial namespace all 2^32 - 1 of them are themselves."""
    return read("/proc/self/uid_map").split() not in ([], ["0", "0", "4294967295"])
