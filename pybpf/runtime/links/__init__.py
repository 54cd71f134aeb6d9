"""Attaching programs; a `Link` keeps one attached.

Where a program goes is read from its section name (libbpf's table), and can be given when attaching:

    section                     options of attach()
    tracepoint/CATEGORY/NAME    target "category:name"
    raw_tp/NAME                 target name
    xdp, xdp.frags              target interface (name or index), mode "generic" | "native" | "offload", netns
    tcx/ingress, tcx/egress     target interface, netns
    uprobe/FILE:FUNCTION+N,     target pid (default: all processes), pid, file, function, offset
      uretprobe, .s variants
    tp_btf, fentry, fexit,      cookie
      fmod_ret, lsm
    freplace/FUNCTION           target (loaded program, "function"): another function than it was loaded for
    lsm_cgroup/HOOK             target cgroup: its directory, or a file descriptor
    cgroup/..., cgroup_skb/...,  target cgroup: its directory, or a file descriptor; before, after: another link;
      sockops                   direction "ingress" | "egress", of a bare cgroup/skb
    sk_msg, sk_skb/...          target SockMap or SockHash (default: the object's only one); kind, of a bare sk_skb
    sk_lookup                   target network namespace (default: this process's)
    sk_reuseport                target socket with SO_REUSEPORT
    all else                    none: libbpf attaches it

`netns` is a name of `ip netns` or a path such as /proc/PID/ns/net.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.runtime.errors import AttachError
from pybpf.runtime.links.base import Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.runtime.program import LoadedProgram

__all__ = ["Link", "attach", "attachable", "options"]

# What the section's name begins with, up to the slash: the module here, its function, and the options that it takes.
# All else is left to libbpf.
_TRACEPOINT = ("tracing", "attach_tracepoint", ("target",))
_RAW = ("tracing", "attach_raw_tracepoint", ("target",))
_UPROBE = ("tracing", "attach_uprobe", ("target", "pid", "file", "function", "offset"))
_XDP = ("network", "attach_xdp", ("target", "mode", "netns"))
_BTF = ("btf", "attach_btf", ("target", "cookie"))
_CGROUP = ("cgroups", "attach_cgroup", ("target", "before", "after"))
_BY_LIBBPF = ("loader", "attach_by_libbpf", ())
_ATTACHERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "tracepoint": _TRACEPOINT, "tp": _TRACEPOINT,
    "raw_tp": _RAW, "raw_tracepoint": _RAW, "raw_tp.w": _RAW, "raw_tracepoint.w": _RAW,
    "uprobe": _UPROBE, "uretprobe": _UPROBE, "uprobe.s": _UPROBE, "uretprobe.s": _UPROBE,
    "xdp": _XDP, "xdp.frags": _XDP,
    "tp_btf": _BTF, "tp_btf.s": _BTF, "fentry": _BTF, "fentry.s": _BTF, "fexit": _BTF, "fexit.s": _BTF,
    "fmod_ret": _BTF, "fmod_ret.s": _BTF, "lsm": _BTF, "lsm.s": _BTF,
    "freplace": ("btf", "attach_replacement", ("target",)),
    "lsm_cgroup": ("btf", "attach_lsm_cgroup", ("target",)),
    "cgroup": _CGROUP, "cgroup_skb": _CGROUP, "sockops": _CGROUP,
    "cgroup/skb": ("cgroups", "attach_cgroup", ("target", "direction", "before", "after")),
    "sk_msg": ("sockets", "attach_sockmap", ("target",)), "sk_skb": ("sockets", "attach_sockmap", ("target", "kind")),
    "sk_lookup": ("sockets", "attach_sk_lookup", ("target", "netns")),
    "sk_reuseport": ("sockets", "attach_reuseport", ("target",)),
    "tcx": ("network", "attach_tcx", ("target", "netns")),
}  # fmt: skip

# Programs that are only run, or given to something by its file descriptor: attaching all programs leaves them out.
_NOT_ATTACHED = ("syscall", "socket")


def _row(section: str) -> tuple[str, str, tuple[str, ...]]:
    return _ATTACHERS.get(section.lstrip("?").partition("/")[0], _BY_LIBBPF)


def attachable(section: str) -> bool:
    """Whether attaching all programs includes one of this section."""
    return section.lstrip("?").partition("/")[0] not in _NOT_ATTACHED


def options(section: str) -> tuple[str, ...]:
    """The options that attaching a program of that section takes."""
    return _row(section)[2]


def attach(program: LoadedProgram, options: dict[str, Any]) -> Link:
    """Attach a program; see the module's docstring."""
    section = program.section.lstrip("?")
    module, function, known = _row(section)
    for option in options:
        if option not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise AttachError(f"attaching {program.name!r} ({section}): unknown option {option!r}", takes)
    found = __import__(f"pybpf.runtime.links.{module}", fromlist=(function,))
    attacher: Callable[[LoadedProgram, str, dict[str, Any]], Link] = getattr(found, function)
    return attacher(program, section, options)
