"""Attaching to network interfaces, also those of other network namespaces, and to namespaces: by BPF links.

What is attached here goes away with the process, however that ends.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, Any, NoReturn

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.links.base import Link, descriptor_link, refused
from pybpf.runtime.links.namespaces import in_network, interface_index, open_network, spelled

if TYPE_CHECKING:
    from pybpf.runtime.program import LoadedProgram

__all__ = [
    "attach_flow_dissector", "attach_netfilter", "attach_netkit", "attach_tcx", "attach_to_interface", "attach_xdp",
    "given_to_map",
]  # fmt: skip

_XDP_MODES = {
    None: 0,
    "": 0,
    "generic": 1 << 1,
    "native": 1 << 2,
    "offload": 1 << 3,
}  # XDP_FLAGS_*_MODE, linux/if_link.h


def attach_xdp(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    mode = options.get("mode")
    if mode not in _XDP_MODES:
        raise AttachError(f"attaching {program.name!r}: no XDP mode {mode!r}", 'use "generic", "native" or "offload"')
    helps = {
        errno.EBUSY: "the interface has an XDP program already: detach it first (ip link set dev NAME xdp off)",
        errno.EEXIST: "the interface has an XDP program in the other mode already",
        errno.EOPNOTSUPP: 'its driver has no native XDP: use mode="generic"',
        errno.EINVAL: "the kernel or the driver can't: the MTU may be too large for native XDP",
        errno.ERANGE: "the interface's MTU is too large for XDP",
    }
    return attach_to_interface(program, syscall.BPF_XDP, _XDP_MODES[mode], options, helps)


def given_to_map(program: LoadedProgram, section: str, options: dict[str, Any]) -> NoReturn:
    kind = "DevMap" if section.endswith("devmap") else "CpuMap"
    raise AttachError(
        f"attaching {program.name!r} ({section}): such a program is attached to nothing",
        f"put it into an entry of a {kind}: obj[map][key] = ..., with program={program.name}",
    )


# --- several programs at one place, in an order: include/uapi/linux/bpf.h
_BEFORE, _AFTER, _ID, _LINK = 1 << 3, 1 << 4, 1 << 5, 1 << 13  # BPF_F_*


def attach_tcx(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    direction = syscall.BPF_TCX_EGRESS if section.endswith("egress") else syscall.BPF_TCX_INGRESS
    return _attach_ordered(program, direction, options, "TCX needs Linux 6.6")


def attach_netkit(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """Both kinds are attached to the primary device of the pair."""
    kind = syscall.BPF_NETKIT_PEER if section.endswith("peer") else syscall.BPF_NETKIT_PRIMARY
    return _attach_ordered(program, kind, options, "netkit needs Linux 6.7, and the pair's primary device")


def _attach_ordered(program: LoadedProgram, attach_type: int, options: dict[str, Any], lacking: str) -> Link:
    """In front of or behind another program: tcx and netkit of `union bpf_attr`'s link_create."""
    before, after = options.get("before"), options.get("after")
    if before is not None and after is not None:
        raise AttachError(f"attaching {program.name!r}: before and after", "give one of them")
    flags, relative = 0, 0
    if before is not None or after is not None:
        flags = _BEFORE if before is not None else _AFTER
        more, relative = _relative(program, before if before is not None else after)
        flags |= more
    helps = {
        errno.EINVAL: lacking,
        errno.ESTALE: "other programs were attached or detached since that revision",
        errno.ENOENT: "the program or link to be before or after is not attached there",
        errno.EOPNOTSUPP: lacking,
        errno.ERANGE: "too many programs are attached there already",
    }
    rest = struct.pack("<IIQ", relative, 0, options.get("expected_revision") or 0)
    return attach_to_interface(program, attach_type, flags, options, helps, rest)


def _relative(program: LoadedProgram, other: Any) -> tuple[int, int]:
    """Flags and number of what the program is attached before or after: a link, a loaded program, a program's id;
    "all" for the first or the last place."""
    from pybpf.runtime.program import LoadedProgram as Loaded

    if other == "all":
        return 0, 0
    if isinstance(other, Link):
        return _LINK, other.fd
    if isinstance(other, Loaded):
        return 0, other.fd
    if isinstance(other, int) and not isinstance(other, bool):
        return _ID, other
    raise AttachError(
        f"attaching {program.name!r} before or after {other!r}",
        'name a link, a loaded program or a program\'s id, or "all" for the first or the last place',
    )


def attach_to_interface(
    program: LoadedProgram,
    attach_type: int,
    flags: int,
    options: dict[str, Any],
    helps: dict[int, str],
    rest: bytes = b"",
) -> Link:
    """BPF_LINK_CREATE on an interface; `rest` is what follows the flags in `union bpf_attr`."""
    target, netns = options.get("target"), options.get("netns")
    check_interface(program, target)
    where = spelled(f"interface {target}", netns)

    def create() -> int:
        return syscall.link_create(program.fd, interface_index(target, netns), attach_type, flags, rest)

    try:
        fd = in_network(netns, create)
    except OSError as error:
        refused(program, where, error, helps.get(error.errno or 0, ""))
    return descriptor_link(program, program.section.lstrip("?"), str(target), fd)


def check_interface(program: LoadedProgram, target: Any) -> None:
    if target is None or target == "":
        raise AttachError(
            f"attaching {program.name!r}: to which interface?",
            f'name it: obj.attach({program.name}="eth0"), or None to leave it out',
        )


def attach_flow_dissector(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """To a network namespace: the target, or that of the calling thread. Linux 5.8."""
    netns = options.get("target") or options.get("netns")
    where = f"network namespace {netns}" if netns else "this network namespace"
    space = open_network(netns)
    helps = {
        errno.EEXIST: "the namespace has a flow dissector already, or the first one has, which comes before all others",
        errno.EBUSY: "the namespace has a flow dissector already",
    }
    try:
        fd = syscall.link_create(program.fd, space, syscall.BPF_FLOW_DISSECTOR)
    except OSError as error:
        refused(program, where, error, helps.get(error.errno or 0, ""))
    finally:
        os.close(space)
    return descriptor_link(program, "flow_dissector", str(netns or "this network namespace"), fd)


# include/uapi/linux/netfilter.h: NFPROTO_*, NF_INET_*
_FAMILIES = {"ipv4": 2, "ipv6": 10}
_HOOKS = {"prerouting": 0, "local_in": 1, "forward": 2, "local_out": 3, "postrouting": 4}


def attach_netfilter(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """To a hook of netfilter, in a network namespace: `netfilter` of `union bpf_attr`'s link_create. Linux 6.4."""
    hook: Any = options.get("hook", options.get("target"))
    family, priority = options.get("family", "ipv4"), options.get("priority", -1)
    netns = options.get("netns")
    for what, given, known in (("hook", hook, _HOOKS), ("family", family, _FAMILIES)):
        if given not in known:
            raise AttachError(
                f"attaching {program.name!r}: which {what} of netfilter?"
                + ("" if given is None else f" Not {given!r}"),
                f"one of {', '.join(known)}",
            )
    if isinstance(priority, bool) or not isinstance(priority, int) or not -(1 << 31) < priority < (1 << 31) - 1:
        raise AttachError(
            f"attaching {program.name!r}: no priority {priority!r}", "a number: programs with lower ones run first"
        )
    flags = 1 if options.get("defrag") else 0  # BPF_F_NETFILTER_IP_DEFRAG
    rest = struct.pack("<IIiI", _FAMILIES[family], _HOOKS[hook], priority, flags)
    where = spelled(f"netfilter's {family} {hook}", netns)
    helps = {
        errno.EINVAL: "netfilter programs need Linux 6.4, and defrag=True a priority above -400 and Linux 6.6",
        errno.EBUSY: "another one has that priority: give another",
        errno.EAFNOSUPPORT: f"this kernel has no {family} defragmentation",
    }
    try:
        fd = in_network(netns, lambda: syscall.link_create(program.fd, 0, syscall.BPF_NETFILTER, 0, rest))
    except OSError as error:
        refused(program, where, error, helps.get(error.errno or 0, ""))
    return descriptor_link(program, "netfilter", f"{family} {hook}", fd)
