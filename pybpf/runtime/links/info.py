"""What the kernel says of a link: struct bpf_link_info (include/uapi/linux/bpf.h), a class for each type of link.

    link.info()           PerfEventLinkInfo(id=7, type="perf_event", program_id=42, event="tracepoint", name=..., ...)

Fields that the running kernel does not tell (older ones know fewer) are 0 or "".
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING

from pybpf.compiler.schema.record import Record
from pybpf.runtime import syscall

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CgroupLinkInfo", "InterfaceLinkInfo", "IterLinkInfo", "KprobeMultiLinkInfo", "LinkInfo", "NetfilterLinkInfo",
    "NetnsLinkInfo", "PerfEventLinkInfo", "RawTracepointLinkInfo", "SockmapLinkInfo", "StructOpsLinkInfo",
    "TracingLinkInfo", "UprobeMultiLinkInfo", "link_info",
]  # fmt: skip

_SIZE = 64  # of the struct in Linux 6.18; older kernels fill in less


class LinkInfo(Record):
    """`id` is the kernel's number for the link, `program_id` that of the program behind it."""

    id: int
    type: str  # as bpftool says it: "tracing", "xdp", ...
    program_id: int


class RawTracepointLinkInfo(LinkInfo):
    """A raw tracepoint, by its name."""

    name: str = ""
    cookie: int = 0


class TracingLinkInfo(LinkInfo):
    """fentry, fexit, tp_btf, LSM, freplace: a BTF id of the kernel, of a module or a program (`target`: its id)."""

    attach_type: int = 0
    target: int = 0
    btf_id: int = 0
    cookie: int = 0


class CgroupLinkInfo(LinkInfo):
    """A cgroup, by its id (the inode of its directory)."""

    cgroup: int = 0
    attach_type: int = 0


class IterLinkInfo(LinkInfo):
    """An iterator; `map` is the id of the map that it goes through. Of tasks: those of a process (`pid`), or one thread
    (`tid`), 0 for all. Of cgroups: where it begins (its id), and in which order (enum bpf_cgroup_iter_order).
    """

    target: str = ""
    map: int = 0
    tid: int = 0
    pid: int = 0
    cgroup: int = 0
    order: int = 0


class NetnsLinkInfo(LinkInfo):
    """A network namespace, by its inode."""

    netns: int = 0
    attach_type: int = 0


class InterfaceLinkInfo(LinkInfo):
    """An interface, by its index: XDP, TCX, netkit. 0: it is gone."""

    ifindex: int = 0
    attach_type: int = 0


class PerfEventLinkInfo(LinkInfo):
    """A perf event: `event` is "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe" or "event" (Linux 6.6).

    `name` is the tracepoint, the function or the file, `offset` bytes into the function or the file; `missed` counts
    the runs that a kprobe left out since it was in one already. `config` and `kind` are those of perf_event_attr;
    `counter` is where in the file a uprobe's counter of users is (Linux 6.16).
    """

    event: str = ""
    name: str = ""
    offset: int = 0
    address: int = 0
    missed: int = 0
    cookie: int = 0
    kind: int = 0
    config: int = 0
    counter: int = 0


class KprobeMultiLinkInfo(LinkInfo):
    """Many kernel functions: their addresses, where this user may see them, and the cookies (Linux 6.9); `missed` as of
    perf events.
    """

    count: int = 0
    flags: int = 0
    missed: int = 0
    addresses: tuple[int, ...] = ()
    cookies: tuple[int, ...] = ()


class UprobeMultiLinkInfo(LinkInfo):
    """Many places of a file. `pid` 0: of all processes. `counters` are the places of their counters of users."""

    path: str = ""
    count: int = 0
    flags: int = 0
    pid: int = 0
    offsets: tuple[int, ...] = ()
    cookies: tuple[int, ...] = ()
    counters: tuple[int, ...] = ()


class StructOpsLinkInfo(LinkInfo):
    """A struct of functions, by the id of its map."""

    map: int = 0


class NetfilterLinkInfo(LinkInfo):
    """A netfilter hook: protocol family, hook number, priority, flags."""

    family: int = 0
    hook: int = 0
    priority: int = 0
    flags: int = 0


class SockmapLinkInfo(LinkInfo):
    """A sockmap, by its id."""

    map: int = 0
    attach_type: int = 0


_TYPES = ("unspec", "raw_tracepoint", "tracing", "cgroup", "iter", "netns", "xdp", "perf_event", "kprobe_multi",
          "struct_ops", "netfilter", "tcx", "uprobe_multi", "netkit", "sockmap", "tracing_multi")  # fmt: skip
_EVENTS = ("", "uprobe", "uretprobe", "kprobe", "kretprobe", "tracepoint", "event")


class _Asker:
    """Asks for a link's info; where the kernel wants memory for a name or a list, again with that memory in it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.raw = self._ask(b"")
        self.common = struct.unpack_from("<III", self.raw)

    def _ask(self, given: bytes) -> bytes:
        info = ctypes.create_string_buffer(given.ljust(_SIZE, b"\0"), _SIZE)
        syscall.bpf(syscall.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", self.fd, _SIZE, ctypes.addressof(info)))
        return info.raw

    def number(self, format: str, at: int) -> int:
        found: int = struct.unpack_from("<" + format, self.raw, at)[0]
        return found

    def text(self, pointer: int, size: int, keep: int = 16) -> str:
        """The name whose address is wanted at `pointer`, and whose size the kernel expects at `size`.

        `keep`: bytes of the struct that say what is asked for, and are given back as they came.
        """
        room = ctypes.create_string_buffer(4096)
        given = bytearray(_SIZE)
        given[:keep] = self.raw[:keep]
        struct.pack_into("<Q", given, pointer, ctypes.addressof(room))
        struct.pack_into("<I", given, size, 4096)
        try:
            self._ask(bytes(given))
        except OSError:  # a kernel that does not tell
            return ""
        return room.value.decode(errors="replace")

    def list(self, pointer: int, count: int, many: int, beside: int = 0) -> tuple[int, ...]:
        """The `many` numbers of 64 bits whose address is wanted at `pointer`; `beside`: and of others, at another."""
        room, others = (ctypes.c_uint64 * max(many, 1))(), (ctypes.c_uint64 * max(many, 1))()
        given = bytearray(_SIZE)
        if beside:
            struct.pack_into("<Q", given, beside, ctypes.addressof(others))
        struct.pack_into("<Q", given, pointer, ctypes.addressof(room))
        struct.pack_into("<I", given, count, many)
        try:
            self._ask(bytes(given))
        except OSError:
            return ()
        return tuple(room)[:many]


def _perf_event(ask: _Asker) -> PerfEventLinkInfo:
    kind = ask.number("I", 16)
    event = _EVENTS[kind] if kind < len(_EVENTS) else str(kind)
    if event in ("uprobe", "uretprobe"):
        offset, cookie = ask.number("I", 36), ask.number("Q", 40)
        counter = ask.number("Q", 48)
        return PerfEventLinkInfo(*_common(ask), event, ask.text(24, 32), offset, cookie=cookie, counter=counter)
    if event in ("kprobe", "kretprobe"):
        return PerfEventLinkInfo(
            *_common(ask), event, ask.text(24, 32), ask.number("I", 36), ask.number("Q", 40), ask.number("Q", 48),
            ask.number("Q", 56),
        )  # fmt: skip
    if event == "tracepoint":
        return PerfEventLinkInfo(*_common(ask), event, ask.text(24, 32), cookie=ask.number("Q", 40))
    if event == "event":
        return PerfEventLinkInfo(
            *_common(ask), event, kind=ask.number("I", 32), config=ask.number("Q", 24), cookie=ask.number("Q", 40)
        )
    return PerfEventLinkInfo(*_common(ask))


def _uprobes(ask: _Asker) -> UprobeMultiLinkInfo:
    count = ask.number("I", 52)
    offsets = ask.list(24, 52, count)
    return UprobeMultiLinkInfo(
        *_common(ask), ask.text(16, 48), count, ask.number("I", 56), ask.number("I", 60), offsets,
        ask.list(40, 52, count), ask.list(32, 52, count),
    )  # fmt: skip


def _kprobes(ask: _Asker) -> KprobeMultiLinkInfo:
    count = ask.number("I", 24)
    addresses, cookies = ask.list(16, 24, count), ask.list(40, 24, count, beside=16)
    return KprobeMultiLinkInfo(*_common(ask), count, ask.number("I", 28), ask.number("Q", 32), addresses, cookies)


def _iterator(ask: _Asker) -> IterLinkInfo:
    target = ask.text(16, 24)
    if target == "cgroup":
        return IterLinkInfo(*_common(ask), target, cgroup=ask.number("Q", 32), order=ask.number("I", 40))
    if target.startswith("task"):
        return IterLinkInfo(*_common(ask), target, tid=ask.number("I", 32), pid=ask.number("I", 36))
    return IterLinkInfo(*_common(ask), target, ask.number("I", 28))


def _common(ask: _Asker) -> tuple[int, str, int]:
    number, id, program = ask.common
    return id, _TYPES[number] if number < len(_TYPES) else str(number), program


def _interface(ask: _Asker) -> InterfaceLinkInfo:
    kind = 37 if ask.common[0] == 6 else ask.number("I", 20)  # BPF_XDP
    return InterfaceLinkInfo(*_common(ask), ask.number("I", 16), kind)


_READERS: dict[str, Callable[[_Asker], LinkInfo]] = {
    "raw_tracepoint": lambda a: RawTracepointLinkInfo(*_common(a), a.text(16, 24), a.number("Q", 32)),
    "tracing": lambda a: TracingLinkInfo(*_common(a), *struct.unpack_from("<IIIxxxxQ", a.raw, 16)),
    "cgroup": lambda a: CgroupLinkInfo(*_common(a), a.number("Q", 16), a.number("I", 24)),
    "iter": _iterator,
    "netns": lambda a: NetnsLinkInfo(*_common(a), a.number("I", 16), a.number("I", 20)),
    "xdp": _interface,
    "tcx": _interface,
    "netkit": _interface,
    "perf_event": _perf_event,
    "kprobe_multi": _kprobes,
    "uprobe_multi": _uprobes,
    "struct_ops": lambda a: StructOpsLinkInfo(*_common(a), a.number("I", 16)),
    "netfilter": lambda a: NetfilterLinkInfo(*_common(a), *struct.unpack_from("<IIiI", a.raw, 16)),
    "sockmap": lambda a: SockmapLinkInfo(*_common(a), a.number("I", 16), a.number("I", 20)),
}


def link_info(fd: int) -> LinkInfo:
    """The info of the link behind a descriptor. Raises OSError: EINVAL or EBADF for what is no link."""
    ask = _Asker(fd)
    read = _READERS.get(_common(ask)[1])
    return read(ask) if read is not None else LinkInfo(*_common(ask))
