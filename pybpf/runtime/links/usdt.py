"""Attaching to USDT probes: all places of a probe, each with what tells the program where its arguments lie.

Options: `target` or `pid`, `file`, `provider`, `name`, `cookie`.

The places that keep their arguments alike share one element of the map __bpf_usdt_specs; its index is the cookie of
the kernel's attachment.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pybpf.runtime import syscall
from pybpf.runtime.errors import AttachError
from pybpf.runtime.libbpf import library
from pybpf.runtime.links.base import Link, descriptor_link, refused
from pybpf.runtime.links.uprobes import open_uprobe, process

if TYPE_CHECKING:
    from pybpf.runtime.object import LoadedObject
    from pybpf.runtime.program import LoadedProgram
    from pybpf.runtime.usdt import Place

__all__ = ["attach_usdt"]

_SPECS, _IDS = "__bpf_usdt_specs", "__bpf_usdt_ip_to_spec_id"
_BPF_MAP_UPDATE_ELEM = 2

_known: WeakKeyDictionary[LoadedObject, dict[bytes, int]] = WeakKeyDictionary()  # element -> its index


def attach_usdt(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """One link to all places where the program was loaded for that, else a perf event at each."""
    from pybpf.runtime.binaries import find_binary
    from pybpf.runtime.usdt import probes

    parts = section.partition("/")[2].rsplit(":", 2)
    file, provider, name = parts if len(parts) == 3 else ("", "", "")
    file = str(options.get("file") or file)
    provider, name = str(options.get("provider") or provider), str(options.get("name") or name)
    if not file or not provider or not name:
        raise AttachError(f"attaching {program.name!r}: which file, provider and name?", "name them, as in libc:setjmp")
    pid = process(options)
    path = find_binary(file, pid)
    places = probes(path, provider, name)
    indices = _write_specs(program, path, places, int(options.get("cookie") or 0))
    where = f"{path}:{provider}:{name}"
    try:
        if library().bpf_program__expected_attach_type(program.handle) == syscall.BPF_TRACE_UPROBE_MULTI:
            counters = [place.counter for place in places]
            fd = syscall.link_uprobes(
                program.fd, syscall.BPF_TRACE_UPROBE_MULTI, path, [place.offset for place in places],
                counters=counters if any(counters) else None, cookies=indices, pid=max(pid, 0), returning=False,
            )  # fmt: skip
            return descriptor_link(program, "usdt", where, fd)
        return _by_events(program, where, path, places, indices, pid)
    except OSError as error:
        if isinstance(error, AttachError):
            raise
        help = f"no process {pid}" if error.errno == errno.ESRCH else ""
        if error.errno == errno.EINVAL:
            help = "USDT probes need Linux 5.15"
        refused(program, where, error, help)


def _by_events(
    program: LoadedProgram, where: str, path: str, places: list[Place], indices: list[int], pid: int
) -> Link:
    fds: list[int] = []

    def close() -> None:
        for fd in fds:
            with suppress(OSError):
                os.close(fd)

    try:
        for place, index in zip(places, indices):
            event = open_uprobe(path, place.offset, pid=pid, counter=place.counter)
            fds.append(syscall.perf_attach(event, program.fd, index))
    except BaseException:
        close()
        raise
    return Link(program, "usdt", where, fds[0], close)


def _write_specs(program: LoadedProgram, path: str, places: list[Place], cookie: int) -> list[int]:
    """The index in __bpf_usdt_specs of each place's element; those that are not there yet are written."""
    from pybpf.runtime.usdt import spec

    owner = program.owner
    specs = owner.maps.get(_SPECS)
    if specs is None:  # the program asks for nothing: neither arguments nor a cookie
        return [0] * len(places)
    known = _known.setdefault(owner, {})
    made = []
    for place in places:
        element = spec(path, place, cookie)
        index = known.get(element)
        if index is None:
            index = len(known)
            try:
                _update(specs.fd, struct.pack("<I", index), element)
            except OSError as error:
                if error.errno != errno.E2BIG:
                    raise
                raise AttachError(
                    f"attaching {program.name!r}: {_SPECS} is full: {index} places keep their arguments differently",
                    "attach fewer probes with one object",
                ) from None
            known[element] = index
        made.append(index)
    return made


def _update(fd: int, key: bytes, value: bytes) -> None:
    held, given = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    attr = struct.pack("<IIQQQ", fd, 0, ctypes.addressof(held), ctypes.addressof(given), 0)
    syscall.bpf(_BPF_MAP_UPDATE_ELEM, attr)
