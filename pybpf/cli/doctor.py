"""`pybpf doctor`: what this machine offers: the kernel, this user's privileges, libbpf, and which programs load.

Nothing is changed: a program of two instructions is loaded and closed for each program type that pybpf knows.
"""

from __future__ import annotations

import os

from pybpf.cli.table import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["COMMAND", "findings"]

# Program types that load from two instructions alone, by the names of their hooks: (label, BPF_PROG_TYPE, attach type)
_TYPES = (
    ("tracepoint", 5, 0), ("raw_tp", 17, 0), ("kprobe, uprobe", 2, 0), ("perf_event", 7, 0), ("xdp", 6, 0),
    ("tc, tcx", 3, 0), ("socket_filter", 1, 0), ("cgroup_skb", 8, 0), ("sock_ops", 13, 0), ("sk_msg", 16, 0),
    ("sk_lookup", 30, 36), ("flow_dissector", 22, 0), ("syscall", 31, 0),
)  # fmt: skip
_PROG_LOAD = 5  # enum bpf_cmd
_SLEEPABLE = 1 << 4


def run(values: dict[str, Any]) -> int:
    for heading, lines in findings():
        print(heading)
        for name, text in lines:
            print(f"  {name:<16} {text}".rstrip())
    return 0


def findings() -> list[tuple[str, list[tuple[str, str]]]]:
    """(heading, [(what, how it is)]) of everything looked at."""
    return [
        ("pybpf", _ourselves()),
        ("kernel", _kernel()),
        ("privileges", _privileges()),
        ("libbpf", _libbpf()),
        ("programs", _programs()),
    ]


def _ourselves() -> list[tuple[str, str]]:
    import platform
    import sys

    import pybpf

    return [("version", pybpf.__version__), ("python", f"{platform.python_version()} ({sys.executable})")]


def _kernel() -> list[tuple[str, str]]:
    system = os.uname()
    found = [("release", f"{system.sysname} {system.release} {system.machine}")]
    jit = {"0": "off", "1": "on", "2": "on, with debug output"}
    found.append(("JIT", jit.get(_read("/proc/sys/net/core/bpf_jit_enable"), "not told to this user, or always on")))
    btf = "/sys/kernel/btf/vmlinux"
    without = "none: no CO-RE, no fentry, no tp_btf (CONFIG_DEBUG_INFO_BTF)"
    found.append(("BTF", btf if os.path.exists(btf) else without))
    lockdown = _read("/sys/kernel/security/lockdown")
    if "[" in lockdown:
        found.append(("lockdown", lockdown[lockdown.index("[") + 1 : lockdown.index("]")]))
    mounts = _read("/proc/self/mounts")
    for name in ("tracefs", "bpf", "cgroup2"):
        places = [line.split()[1] for line in mounts.split("\n") if len(line.split()) > 2 and line.split()[2] == name]
        missing = "not mounted (pybpf mounts it for itself when root)" if name == "tracefs" else "not mounted"
        found.append((name, places[0] if places else missing))
    return found


def _privileges() -> list[tuple[str, str]]:
    from pybpf.runtime.errors import missing_capabilities

    if not hasattr(os, "geteuid"):
        return [("user", "this system has no BPF; programs can be compiled here")]
    missing = missing_capabilities()
    found = [("user", "root" if os.geteuid() == 0 else f"uid {os.geteuid()}")]
    found.append(("capabilities", f"lacks {', '.join(missing)}" if missing else "all that loading needs"))
    unprivileged = {"0": "may load a few program types", "1": "may load nothing", "2": "may load nothing"}
    text = unprivileged.get(_read("/proc/sys/kernel/unprivileged_bpf_disabled"))
    if text:
        found.append(("other users", text))
    return found


def _libbpf() -> list[tuple[str, str]]:
    from pybpf.runtime.errors import NoBpf
    from pybpf.runtime.libbpf import candidates, library, missing

    try:
        used = library()
    except NoBpf as error:
        return [("none", error.message), ("help", error.help)]
    found = [("library", used.path), ("version", used.version)]
    found += [("lacks", text) for text in missing().values()]
    found += [("also there", f"{path} ({origin})") for origin, path in candidates() if path != used.path]
    return found


def _programs() -> list[tuple[str, str]]:
    import errno

    found = []
    for label, kind, attach in _TYPES:
        code = _load(kind, attach)
        if code == 0:
            text = "loads"
        elif code in (errno.EPERM, errno.EACCES):
            text = "not permitted (see privileges and lockdown above)"
        elif code == errno.EINVAL:
            text = "not in this kernel"
        else:
            text = os.strerror(code)
        found.append((label, text))
    return found


def _load(kind: int, attach: int) -> int:
    """Load `r0 = 0; exit` as a program of that type and close it: 0, or the errno."""
    import ctypes
    import struct

    from pybpf.runtime.syscall import bpf

    code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0))
    license = ctypes.create_string_buffer(b"GPL")
    # union bpf_attr of BPF_PROG_LOAD up to expected_attach_type (include/uapi/linux/bpf.h)
    attr = struct.pack(
        "<IIQQIIQII16sII", kind, 2, ctypes.addressof(code), ctypes.addressof(license), 0, 0, 0, 0,
        _SLEEPABLE if kind == 31 else 0, b"pybpf_doctor", 0, attach,
    )  # fmt: skip
    try:
        os.close(bpf(_PROG_LOAD, attr))
    except OSError as error:
        return error.errno or 1
    return 0


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


COMMAND = Command("doctor", run, "Say what this machine offers: kernel, privileges, libbpf.")
