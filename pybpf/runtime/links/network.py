"""Attaching to network interfaces, also those of other network namespaces."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.links.base import descriptor_link, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.runtime.links.base import Link
    from pybpf.runtime.program import LoadedProgram

__all__ = ["attach_tcx", "attach_to_interface", "attach_xdp", "in_network"]

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


def attach_tcx(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    direction = syscall.BPF_TCX_EGRESS if section.endswith("egress") else syscall.BPF_TCX_INGRESS
    helps = {errno.EINVAL: "TCX needs Linux 6.6"}
    return attach_to_interface(program, direction, 0, options, helps)


def attach_to_interface(
    program: LoadedProgram, attach_type: int, flags: int, options: dict[str, Any], helps: dict[int, str]
) -> Link:
    target, netns = options.get("target"), options.get("netns")
    if target is None or target == "":
        raise AttachError(
            f"attaching {program.name!r}: to which interface?",
            f'name it: obj.attach({program.name}="eth0"), or None to leave it out',
        )
    where = f"interface {target}" + (f" of network namespace {netns}" if netns else "")

    def create() -> int:
        return syscall.link_create(program.fd, interface_index(target, where), attach_type, flags)

    try:
        fd = in_network(str(netns), create) if netns else create()
    except OSError as error:
        refused(program, where, error, helps.get(error.errno or 0, ""))
    return descriptor_link(program, program.section.lstrip("?"), str(target), fd)


def interface_index(target: Any, where: str) -> int:
    import socket

    if isinstance(target, int):
        return target
    try:
        return socket.if_nametoindex(str(target))
    except OSError:
        names = ", ".join(name for _, name in socket.if_nameindex())
        raise AttachError(f"there is no {where}", f"there are: {names}") from None


def in_network(netns: str, work: Callable[[], int]) -> int:
    """Run `work` in another network namespace: in a thread of its own, which enters it and ends."""
    import threading

    path = netns if "/" in netns else f"/run/netns/{netns}"
    try:
        space = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise AttachError(
            f"network namespace {netns!r}: {error.strerror}", "`ip netns list` shows those with a name"
        ) from None
    outcome: list[Any] = []

    def run() -> None:
        try:
            syscall.setns_network(space)
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    try:
        thread = threading.Thread(target=run, name="pybpf-netns")
        thread.start()
        thread.join()
    finally:
        os.close(space)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return int(outcome[0])
