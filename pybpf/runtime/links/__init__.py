"""Attaching programs; a `Link` keeps one attached.

Where a program goes is read from its section name (libbpf's table), and can be given when attaching:

    section                     options of attach()
    tracepoint/CATEGORY/NAME    target "category:name", cookie
    raw_tp/NAME                 target name, cookie
    kprobe/FUNCTION+N,          target function, cookie
      kretprobe, ksyscall, kretsyscall
    kprobe.multi/PATTERN,       target pattern or list of names; cookie, cookies {name: number}
      kretprobe.multi, kprobe.session
    xdp, xdp.frags              target interface (name or index), mode "generic" | "native" | "offload", netns
    xdp/devmap, xdp/cpumap      cannot: they belong into entries of maps
    tcx/ingress, tcx/egress,    target interface, netns, before, after (a link, a loaded program, a program's id,
      netkit/primary, peer        "all"), expected_revision
    tc, classifier, action      target interface, netns, direction "ingress" | "egress", priority, handle, replace;
                                  otherwise, of an action: what becomes of packets it leaves ("ok", "pipe", "shot", ...)
    tc/ingress, tc/egress       target interface, netns; priority, handle, replace: by netlink even where there is TCX
    netfilter                   target hook ("prerouting", "local_in", "forward", "local_out", "postrouting"),
                                  family "ipv4" | "ipv6", priority, defrag, netns
    flow_dissector              target network namespace (default: that of the calling thread)
    lwt_in, lwt_out, lwt_xmit,  target destination of a new route, dev, via, table, priority, headroom, netns
      lwt_seg6local
    socket                      target socket, or its file descriptor
    lirc_mode2                  target device file
    uprobe/FILE:FUNCTION+N,     target pid (default: all processes), pid, file, function, offset, cookie
      uretprobe, .s variants
    uprobe.multi/FILE:PATTERN,  the same with functions (a pattern or list) or offsets in the file, and cookies
      uretprobe.multi, uprobe.session, .s variants
    usdt/FILE:PROVIDER:NAME     target pid, pid, file, provider, name, cookie
    perf_event                  target event; event, period, frequency, pid, cpu, address, length, access, cookie: see
                                `perfevents.py`
    tp_btf, fentry, fexit,      cookie
      fmod_ret, lsm
    iter/TARGET, iter.s         map (bpf_map_elem, bpf_sk_storage_map, sockmap), pid, tid (task, task_file, task_vma),
                                cgroup and order (cgroup): what to go over; all of it without them
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

# The section's name, or what it begins with, up to the slash: the module here, its function, and the options that it
# takes. All else is left to libbpf.
_TRACEPOINT = ("tracing", "attach_tracepoint", ("target", "cookie"))
_RAW = ("tracing", "attach_raw_tracepoint", ("target", "cookie"))
_KPROBE = ("kernelprobes", "attach_kprobe", ("target", "cookie"))
_KPROBES = ("kernelprobes", "attach_kprobes", ("target", "cookie", "cookies"))
_KSYSCALL = ("kernelprobes", "attach_ksyscall", ("target", "cookie"))
_UPROBE = ("uprobes", "attach_uprobe", ("target", "pid", "file", "function", "offset", "cookie"))
_UPROBES = ("uprobes", "attach_uprobes", ("target", "pid", "file", "functions", "offsets", "cookie", "cookies"))
_USDT = ("usdt", "attach_usdt", ("target", "pid", "file", "provider", "name", "cookie"))
_PERF = (
    "perfevents", "attach_perf_event",
    ("target", "event", "period", "frequency", "pid", "cpu", "address", "length", "access", "cookie"),
)  # fmt: skip
_XDP = ("network", "attach_xdp", ("target", "mode", "netns"))
_IN_MAPS = ("network", "given_to_map", ("target", "mode", "netns"))
_ORDERED = ("target", "netns", "before", "after", "expected_revision")
_FILTER = ("target", "netns", "direction", "priority", "handle", "replace")
_ROUTE = ("target", "netns", "dev", "via", "table", "priority", "headroom")
_BTF = ("btf", "attach_btf", ("target", "cookie"))
_CGROUP = ("cgroups", "attach_cgroup", ("target", "before", "after"))
_ITER = ("iterators", "attach_iterator", ("map", "pid", "tid", "cgroup", "order"))
_BY_LIBBPF = ("loader", "attach_by_libbpf", ())
_ATTACHERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "tracepoint": _TRACEPOINT, "tp": _TRACEPOINT,
    "tracepoint.s": _TRACEPOINT, "tp.s": _TRACEPOINT,
    "raw_tp": _RAW, "raw_tracepoint": _RAW, "raw_tp.w": _RAW, "raw_tracepoint.w": _RAW, "raw_tp.s": _RAW,
    "raw_tracepoint.s": _RAW,
    "kprobe": _KPROBE, "kretprobe": _KPROBE, "ksyscall": _KSYSCALL, "kretsyscall": _KSYSCALL,
    "kprobe.multi": _KPROBES, "kretprobe.multi": _KPROBES, "kprobe.session": _KPROBES,
    "uprobe": _UPROBE, "uretprobe": _UPROBE, "uprobe.s": _UPROBE, "uretprobe.s": _UPROBE,
    "uprobe.multi": _UPROBES, "uretprobe.multi": _UPROBES, "uprobe.session": _UPROBES, "uprobe.multi.s": _UPROBES,
    "uretprobe.multi.s": _UPROBES, "uprobe.session.s": _UPROBES,
    "usdt": _USDT, "usdt.s": _USDT, "perf_event": _PERF,
    "xdp": _XDP, "xdp.frags": _XDP,
    "tp_btf": _BTF, "tp_btf.s": _BTF, "fentry": _BTF, "fentry.s": _BTF, "fexit": _BTF, "fexit.s": _BTF,
    "fmod_ret": _BTF, "fmod_ret.s": _BTF, "lsm": _BTF, "lsm.s": _BTF,
    "iter": _ITER, "iter.s": _ITER,
    "freplace": ("btf", "attach_replacement", ("target",)),
    "lsm_cgroup": ("btf", "attach_lsm_cgroup", ("target",)),
    "cgroup": _CGROUP, "cgroup_skb": _CGROUP, "sockops": _CGROUP,
    "cgroup/skb": ("cgroups", "attach_cgroup", ("target", "direction", "before", "after")),
    "sk_msg": ("sockets", "attach_sockmap", ("target",)), "sk_skb": ("sockets", "attach_sockmap", ("target", "kind")),
    "sk_lookup": ("sockets", "attach_sk_lookup", ("target", "netns")),
    "sk_reuseport": ("sockets", "attach_reuseport", ("target",)),
    "xdp/devmap": _IN_MAPS, "xdp/cpumap": _IN_MAPS, "xdp.frags/devmap": _IN_MAPS, "xdp.frags/cpumap": _IN_MAPS,
    "tcx": ("network", "attach_tcx", _ORDERED), "netkit": ("network", "attach_netkit", _ORDERED),
    **dict.fromkeys(("tc", "classifier"), ("netlink", "attach_tc", _FILTER)),
    "action": ("netlink", "attach_action", (*_FILTER, "otherwise")),
    **dict.fromkeys(("tc/ingress", "tc/egress"), ("netlink", "attach_tc_or_tcx", ("target", "netns", *_FILTER[3:]))),
    "netfilter": ("network", "attach_netfilter", ("target", "hook", "family", "priority", "defrag", "netns")),
    "flow_dissector": ("network", "attach_flow_dissector", ("target", "netns")),
    **dict.fromkeys(("lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local"), ("netlink", "attach_lwt", _ROUTE)),
    "socket": ("files", "attach_socket_filter", ("target",)), "lirc_mode2": ("files", "attach_lirc", ("target",)),
}  # fmt: skip

# Programs that are only run, or given to something by its file descriptor: attaching all programs leaves them out.
_NOT_ATTACHED = (
    "iter", "iter.s", "struct_ops", "struct_ops.s", "syscall", "socket", "xdp/devmap", "xdp/cpumap", "xdp.frags/devmap",
    "xdp.frags/cpumap",
)  # fmt: skip


def _row(section: str) -> tuple[str, str, tuple[str, ...]]:
    section = section.lstrip("?")
    return _ATTACHERS.get(section) or _ATTACHERS.get(section.partition("/")[0], _BY_LIBBPF)


def attachable(section: str) -> bool:
    """Whether attaching all programs includes one of this section."""
    section = section.lstrip("?")
    return section not in _NOT_ATTACHED and section.partition("/")[0] not in _NOT_ATTACHED


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
