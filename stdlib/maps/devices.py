"""Maps of where frames can be sent: interfaces, CPUs, AF_XDP sockets. XDP programs redirect to their entries.

    ports = DevMap(8)

    @xdp
    def forward(pkt: XdpContext) -> XDP:
        return ports.redirect(pkt.ingress_ifindex & 7, XDP.PASS)

    obj[ports][3] = DevEntry("eth1")                            # in user space
    obj[ports][4] = DevEntry("eth2", program=rewrite)           # which then runs on each frame sent there

Sources: kernel/bpf/devmap.c, cpumap.c, net/xdp/xskmap.c; include/uapi/linux/bpf.h (bpf_devmap_val, bpf_cpumap_val).
"""

from __future__ import annotations

from pybpf.compiler.schema.types import U32, Field, StructType
from pybpf.stdlib.actions import XDP
from pybpf.stdlib.helpers import bpf_redirect_map
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.maps.base import Declaration, in_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.schema.types import Type

__all__ = ["CpuEntry", "CpuMap", "DevEntry", "DevMap", "DevMapHash", "XskMap"]

_BROADCAST, _EXCLUDE_INGRESS = 1 << 3, 1 << 4  # BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS


class DevEntry:
    """An interface to send frames out of, by name or number, and the `@xdp.devmap` program that runs on them there.

    `netns` is the network namespace that the interface is in, as for attaching; by default the calling thread's. Read
    from a map, `interface` is a number and `program` the id of one, or None. A program needs Linux 5.8.
    """

    __slots__ = ("interface", "netns", "program")

    def __init__(self, interface: str | int, program: Any = None, *, netns: Any = None) -> None:
        self.interface = interface
        self.program = program
        self.netns = netns

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DevEntry):
            return NotImplemented
        return (self.interface, self.program, self.netns) == (other.interface, other.program, other.netns)

    def __hash__(self) -> int:
        return hash((self.interface, self.program, self.netns))

    def __repr__(self) -> str:
        more = f", {self.program!r}" if self.program is not None else ""
        return f"DevEntry({self.interface!r}{more}{f', netns={self.netns!r}' if self.netns else ''})"


class CpuEntry:
    """A CPU to go on at: the frames that may wait for it (`queue`), and the `@xdp.cpumap` program that runs there.

    Read from a map, `program` is the id of one, or None. A program needs Linux 5.9.
    """

    __slots__ = ("program", "queue")

    def __init__(self, queue: int, program: Any = None) -> None:
        self.queue = queue
        self.program = program

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CpuEntry) and (self.queue, self.program) == (other.queue, other.program)

    def __hash__(self) -> int:
        return hash((self.queue, self.program))

    def __repr__(self) -> str:
        return f"CpuEntry({self.queue}{f', {self.program!r}' if self.program is not None else ''})"


def _with_program(name: str, first: str) -> StructType:
    """`ifindex` or `qsize`, and the program: its descriptor where it is written, its id where it is read."""
    return StructType(name, (Field(first, U32, 0), Field("bpf_prog", U32, 4)), 8, 4)


class _Targets(Declaration):
    """What they share: no types, and `redirect`."""

    _parameters = ()
    _value: Type = U32

    def __init__(
        self, max_entries: int, *, name: str = "", flags: int = 0, pin: bool = False, numa_node: int | None = None,
        rdonly: bool = False, wronly: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            max_entries, name=name, flags=flags, pin=pin, numa_node=numa_node, rdonly=rdonly, wronly=wronly
        )

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        return U32, self._value

    @in_program
    def redirect(self, key: int, missing: XDP = XDP.ABORTED) -> XDP:
        """In the program: send the frame to an entry, once this is returned; `missing` where there is none.

        `missing` may be ABORTED, DROP, PASS or TX; kernels before 5.5 take ABORTED only. Linux 4.14.
        """
        return bpf_redirect_map(self, key, missing & 3)  # type: ignore[return-value]


class _Devices(_Targets):
    _value = _with_program("bpf_devmap_val", "ifindex")

    @in_program
    def broadcast(self, exclude_ingress: bool = True) -> XDP:
        """In the program: send a copy of the frame to each entry, by default not to where it came from. 5.13."""
        return bpf_redirect_map(self, 0, _BROADCAST | (_EXCLUDE_INGRESS if exclude_ingress else 0))  # type: ignore[return-value]


class DevMap(_Devices):
    """`DevMap(n)`: BPF_MAP_TYPE_DEVMAP, interfaces under the numbers 0 to n - 1. Entries are `DevEntry`s."""

    kind = KINDS["DEVMAP"]
    _example = "DevMap(64)"


class DevMapHash(_Devices):
    """`DevMapHash(n)`: BPF_MAP_TYPE_DEVMAP_HASH, n interfaces under any numbers, such as their own. Linux 5.4."""

    kind = KINDS["DEVMAP_HASH"]
    _example = "DevMapHash(64)"


class CpuMap(_Targets):
    """`CpuMap(n)`: BPF_MAP_TYPE_CPUMAP, the CPUs 0 to n - 1. Entries are `CpuEntry`s. Linux 4.15."""

    kind = KINDS["CPUMAP"]
    _value = _with_program("bpf_cpumap_val", "qsize")
    _example = "CpuMap(8)"


class XskMap(_Targets):
    """`XskMap(n)`: BPF_MAP_TYPE_XSKMAP, AF_XDP sockets, each under the number of its queue. Linux 4.18.

    Entries are set to a socket or its file descriptor. They can't be read back; those whose socket is closed are gone.
    """

    kind = KINDS["XSKMAP"]
    _example = "XskMap(64)"
